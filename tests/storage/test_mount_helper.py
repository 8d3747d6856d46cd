"""The privileged core: what it does for whom, and everything it refuses."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from naas_client.errors import InvalidInput, Unavailable
from naas_client.models import Folder
from naas_client.sockets import connect
from naas_storage.mounts import kernel

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]

ALICE, BOB = 39000, 39001


@pytest.fixture
def published(world):
    return world.publish()


# A caller of the agent's socket, as a person's own program: prints the answer and how many descriptors came with it.
CALL = """
import socket, os
s = socket.socket(socket.AF_UNIX); s.settimeout({limit})
os.chdir({folder!r}); s.connect('s')
s.sendall({data!r}) if {data!r} else None
answer, fds, _, _ = socket.recv_fds(s, 500, 4)
print(answer.decode().strip(), len(fds))
"""


def call(world, published, data: bytes, uid: int = ALICE, limit: int = 8) -> str:
    return world.run(CALL.format(folder=str(published.control.parent), data=data, limit=limit), uid=uid)


def ask_control(world, document: object) -> dict[str, object]:
    with connect(world.control_socket, 5) as channel:
        channel.sendall((document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\n")
        return json.loads(channel.recv(65536))


def test_each_agent_gets_a_mounted_descriptor(world, published):
    assert call(world, published, b"mount alice\n") == "ok 1"
    assert str(published.view / "alice") in world.mount_points()
    assert call(world, published, b"umount alice\n") == "ok 0"
    assert str(published.view / "alice") not in world.mount_points()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        pytest.param(b"mount bob\n", "is not offered", id="another-name"),
        pytest.param(b"mount ..\n", "is not offered", id="dot-dot"),
        pytest.param(b"mount ../../../../etc\n", "is not offered", id="a-path"),
        pytest.param(b"mount alice/x\n", "is not offered", id="below-a-name"),
        pytest.param(b"mount /etc\n", "is not offered", id="absolute"),
        pytest.param(b"mount alice allow_other\n", "is not offered", id="an-option"),
        pytest.param(b"mount alice\0x\n", "is not offered", id="nul"),
        pytest.param(b"umount ..\n", "is not offered", id="umount-dot-dot"),
        pytest.param(b"tune ..\n", "is not offered", id="tune-dot-dot"),
        pytest.param(b"tune alice\n", "is not mounted", id="tune-nothing"),
        pytest.param(b"abort alice\n", "say `mount NAME`", id="another-verb"),
        pytest.param(b"mount\n", "is not offered", id="no-name"),
        pytest.param(b"\xff\xfe mount\n", "not UTF-8", id="not-utf-8"),
        pytest.param(b"m" * 5000, "too long", id="5000-bytes"),
        pytest.param(b"mount " + b"a" * 93 + b"\n", "is not offered", id="100-bytes"),
    ],
)
def test_an_agent_gets_nothing_else(world, published, words, answer):
    before = world.mount_points()
    said = call(world, published, words)
    assert said.startswith("error: ")
    assert answer in said
    assert said.endswith(" 0")
    assert world.mount_points() == before
    assert call(world, published, b"mount alice\n") == "ok 1"


def test_a_silent_caller_blocks_only_itself(world, published):
    other = world.publish("bob", [Folder(name="bob", bucket="bob")], BOB)
    silent = world.start(
        sys.executable, "-c", CALL.format(folder=str(published.control.parent), data=b"", limit=20), uid=ALICE
    )
    began = time.monotonic()
    assert call(world, other, b"mount bob\n", uid=BOB) == "ok 1"
    assert time.monotonic() - began < 3
    assert call(world, published, b"mount alice\n", limit=20) == "ok 1"
    assert silent.wait(10) == 0


@pytest.mark.parametrize("uid", [0, BOB], ids=["root", "somebody-else"])
def test_only_the_published_person_is_answered(world, published, uid):
    said = call(world, published, b"mount alice\n", uid=uid)
    assert "Permission denied" in said or "system users get no mount" in said


def test_the_same_uid_with_another_group_is_refused(world, published):
    become = f"import os; os.setgroups([{ALICE}]); os.setgid({BOB}); os.setuid({ALICE})\n"
    script = become + CALL.format(folder=str(published.control.parent), data=b"mount alice\n", limit=5)
    assert "has no mounts here" in world.run(script, uid=0)


def test_flooding_slows_only_the_flooder_and_makes_one_mount(world, published):
    script = f"""
import os, socket, time
os.chdir({str(published.control.parent)!r})
kept, began = [], time.monotonic()
for _ in range(20):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect('s'); s.sendall(b'mount alice\\n'); kept += socket.recv_fds(s, 100, 1)[1]
print(len(kept), time.monotonic() - began > 2)
"""
    assert world.run(script, limit=30) == "20 True"
    assert world.mount_points().count(str(published.view / "alice")) == 1


def test_a_hung_mount_hangs_nobody_else(world, published):
    """Somebody takes the descriptor and never answers: root is refused at once, unpublish works."""
    script = (
        CALL.format(folder=str(published.control.parent), data=b"mount alice\n", limit=5)
        + "\nimport time; time.sleep(60)"
    )
    world.start(sys.executable, "-uc", script, uid=ALICE, log="evil.log")
    while str(published.view / "alice") not in world.mount_points():
        time.sleep(0.02)
    began = time.monotonic()
    assert "Permission denied" in world.run(f"import os; os.listdir('{published.view}/alice')", uid=0)
    world.unpublish()
    assert time.monotonic() - began < 3
    assert not (world.data / "run/mounts/alice").exists()


def test_not_even_root_changes_the_folders_by_accident(world, published):
    for script in (
        f"open('{published.view}/x', 'w')",
        f"open('{published.view}/alice/x', 'w')",
        f"import os; os.unlink('{published.control}')",
        f"import os; os.rename('{published.view}/alice', '{published.view}/b')",
        f"import os; os.symlink('/etc', '{published.control.parent}/l')",
    ):
        for uid in (0, ALICE):
            said = world.run(script, uid=uid)
            assert "Read-only file system" in said or "Permission denied" in said


def test_modes_on_disk(world, published):
    script = "import os; print([f'{{s.st_mode & 0o7777:o}} {{s.st_uid}}:{{s.st_gid}}' for s in map(os.stat, {})])"
    top = published.view.parent
    paths = [
        str(path)
        for path in (
            top.parent,
            top,
            top / "s3",
            top / "s3/alice",
            top / "ctl",
            top / "ctl/s",
            top.parent / ".state.json",
        )
    ]
    assert world.run(script.format(paths), uid=0) == str(
        ["711 0:0", "711 0:0", "750 0:39000", "555 0:0", "750 0:39000", "600 39000:39000", "600 0:0"]
    )
    assert world.control_socket.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        pytest.param({"key": "../x"}, "key", id="key-dot-dot"),
        pytest.param({"key": "alice/x"}, "key", id="key-with-slash"),
        pytest.param({"key": "alice."}, "key", id="key-with-empty-server"),
        pytest.param({"key": "alice.../x"}, "key", id="key-with-dots"),
        pytest.param({"key": "root"}, "key", id="reserved-key"),
        pytest.param({"key": ""}, "key", id="empty-key"),
        pytest.param({"key": ["alice"]}, "key", id="key-is-a-list"),
        pytest.param({"names": [{"name": "../x"}]}, "name", id="name-dot-dot"),
        pytest.param({"names": [{"name": "a\n"}]}, "name", id="name-with-newline"),
        pytest.param({"names": [{"name": "Ünicode"}]}, "name", id="name-not-ascii"),
        pytest.param({"names": [{"name": "a" * 64}]}, "name", id="name-of-64"),
        pytest.param({"names": [{"name": "a"}, {"name": "a"}]}, "names", id="same-name-twice"),
        pytest.param({"names": [{"name": f"n{i}"} for i in range(25)]}, "names", id="too-many-names"),
        pytest.param({"names": [{"name": "a", "options": "allow_other"}]}, "options", id="an-option"),
        pytest.param({"options": "allow_other"}, "options", id="an-option-for-all"),
        pytest.param({"uid": 0}, "uid", id="uid-0"),
        pytest.param({"uid": 999}, "uid", id="system-uid"),
        pytest.param({"uid": "39000"}, "uid", id="uid-is-text"),
        pytest.param({"uid": -1}, "uid", id="negative-uid"),
        pytest.param({"uid": 2**32 - 1}, "uid", id="nobody's-uid"),
        pytest.param({"gid": 0}, "gid", id="gid-0"),
        pytest.param({"op": "exec"}, "the operations are", id="another-operation"),
        pytest.param({"op": None}, "the operations are", id="no-operation"),
    ],
)
def test_a_bad_publication_is_refused_and_nothing_is_left(world, change, answer):
    good = {"op": "publish", "key": "alice", "names": [{"name": "alice"}], "uid": ALICE, "gid": ALICE}
    assert answer in str(ask_control(world, {**good, **change})["error"])
    assert [entry.name for entry in (world.data / "run/mounts").iterdir()] == [".state.json"]
    assert "view" in ask_control(world, good)


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b"nonsense", b"[" * 60000, b"\xff", b"x" * 70000])
def test_nonsense_on_the_control_socket_ends_nothing(world, line):
    with connect(world.control_socket, 5) as channel:
        channel.sendall(line + b"\n")
        channel.recv(1000)
    assert world.publish().view.name == "s3"


def test_only_root_controls_it(world):
    world.control_socket.chmod(0o666)  # even if somebody loosens the mode
    script = (
        f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(world.control_socket)!r}); "
        's.sendall(b\'{"op": "shutdown"}\\n\'); print(s.recv(500))'
    )
    assert "only root may publish" in world.run(script, uid=ALICE)


def test_publishing_again_keeps_the_mounts_and_something_else_replaces_them(world, published):
    holding = world.start(
        *(
            sys.executable,
            "-uc",
            CALL.format(folder=str(published.control.parent), data=b"mount alice\n", limit=5)
            + "\nimport time; time.sleep(60)",
        ),
        uid=ALICE,
        log="holding.log",
    )
    while str(published.view / "alice") not in world.mount_points():
        time.sleep(0.02)
    assert world.publish() == published
    assert str(published.view / "alice") in world.mount_points()
    seen_by_containers = world.run(DEVICE.format(view=str(published.view)), uid=0)
    world.publish(folders=[Folder(name="alice", bucket="alice"), Folder(name="other", bucket="other")])
    assert str(published.view / "alice") in world.mount_points()
    world.publish(folders=[Folder(name="other", bucket="other")])
    assert str(published.view / "alice") not in world.mount_points()
    assert call(world, published, b"mount other\n") == "ok 1"
    assert world.run(f"import os; print(os.listdir({str(published.view)!r}))", uid=0) == "['other']"
    assert world.run(DEVICE.format(view=str(published.view)), uid=0) == seen_by_containers
    world.publish(folders=[Folder(name="other", bucket="other")], uid=BOB)
    assert str(published.view / "other") not in world.mount_points()
    holding.kill()


DEVICE = "import os; print(os.stat({view!r}).st_dev)"


def test_servers_do_not_see_each_other(world, published):
    named = world.publish("alice.gpu", [Folder(name="alice", bucket="alice")])
    assert named.view != published.view
    assert call(world, named, b"mount scratch\n").startswith("error")
    world.unpublish("alice.gpu")
    assert call(world, published, b"mount alice\n") == "ok 1"


def test_what_is_not_published_is_unpublished_without_an_error(world):
    for key in ("nobody", "../../etc", "alice"):
        asyncio.run(world.mounts.unpublish(key))


def test_a_new_helper_takes_over_and_clears_what_nobody_knows(world, published):
    base = world.data / "run/mounts"
    state = json.loads((base / ".state.json").read_text())
    world.publish("bob", [Folder(name="bob", bucket="bob")], BOB)
    world.stop_helper(signal.SIGKILL)
    (base / ".state.json").write_text(json.dumps(state))  # bob is not known any more
    (base / "keep_me").mkdir()
    world.start_helper()
    assert sorted(entry.name for entry in base.iterdir()) == [".state.json", "alice", "keep_me"]
    assert [point for point in world.mount_points() if "/bob" in point] == []
    assert call(world, published, b"mount alice\n") == "ok 1"


@pytest.mark.parametrize("state", ["", "{", "[{}]", '[{"key": "../x", "names": [], "uid": 0, "gid": 0}]'])
def test_a_broken_state_file_is_begun_anew(world, published, state):
    world.stop_helper()
    (world.data / "run/mounts/.state.json").write_text(state)
    world.start_helper()
    assert not (world.data / "run/mounts/alice").exists()
    assert call(world, world.publish(), b"mount alice\n") == "ok 1"


def test_shutdown_and_cleanup_leave_nothing(world, published):
    asyncio.run(world.mounts.shutdown())
    assert world.helper.wait(10) == 0
    assert [point for point in world.mount_points() if "/run/mounts/" in point] == []
    world.start_helper()
    world.publish()
    world.stop_helper()
    base = str(world.data / "run/mounts")
    assert (
        world.start(sys.executable, "-m", "naas_storage.mounts", "--base", base, "--cleanup", log="c.log").wait(10) == 0
    )
    assert [point for point in world.mount_points() if "/run/mounts/" in point] == []


def test_a_helper_that_is_away_is_named(world):
    world.stop_helper()
    with pytest.raises(Unavailable, match="mount helper does not answer"):
        world.publish()


def test_a_refusal_reaches_the_caller(world):
    with pytest.raises(InvalidInput, match="uid"):
        world.publish(uid=5)


def test_it_does_not_run_without_root(world):
    process = world.start(
        sys.executable, "-m", "naas_storage.mounts", "--base", "/tmp/x", "--socket", "/tmp/y", uid=ALICE, log="n.log"
    )
    assert process.wait(10) == 2
    assert "run it as root" in (world.data / "n.log").read_text()


def test_generated_requests_get_nothing_but_what_is_offered(world, data):
    """A person's process asks on the agents' socket, root on the helper's own; both in the world's namespace."""
    folder = data / "fuzz"
    folder.mkdir(mode=0o711)
    program = Path(__file__).parents[1] / "support" / "fuzz_helper.py"
    fuzz = world.start(sys.executable, str(program), str(folder), "300", log="fuzz.log")
    code = fuzz.wait(240)
    log = (data / "fuzz.log").read_text()
    assert code == 0, log[-4000:]
    assert {"mounted", "refused", "published", "control refused"} <= set(json.loads(log.splitlines()[-1]))


def test_mountinfo_paths_are_unescaped(tmp_path):
    folder = tmp_path / "a b\tc\\d"
    folder.mkdir()
    kernel.mount_tmpfs(folder, 0o700, 0)
    try:
        assert [one.path for one in kernel.mounts_below(folder)] == [str(folder)]
    finally:
        assert kernel.detach(folder) == 1
    assert kernel.mounts_below(folder) == []


def test_sockets_at_long_paths(tmp_path):
    from naas_client.sockets import listen

    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with listen(deep / "s") as server, connect(deep / "s", 1):
        assert isinstance(server.accept()[0], socket.socket)
        assert (deep / "s").stat().st_mode & 0o777 == 0o600
