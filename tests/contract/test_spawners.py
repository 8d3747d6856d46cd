"""What every kind of spawner does: choices, limits, folders, healing, draining, the hub's restart, an end without leftovers."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hub_session import HubSession, Kernel
from naas_storage.mounts.kernel import detach, mount_tmpfs
from served import Served
from spawner_worlds import engines
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]
MIB = 2**20


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)], scope="module")
def running(request: pytest.FixtureRequest) -> Served:
    served: Served = request.getfixturevalue(f"{request.param}_product")
    return served


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    """The product; everybody's server is stopped after each test."""
    yield running
    running.stop_all()


def reasons(session: HubSession) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = session.server("GET", "naas/api/stop-reasons").json()["items"]
    return items


# Choice and limits


def test_a_profile_reaches_the_server(served: Served) -> None:
    alice = served.started("alice", profile="wide")
    with alice.kernel() as kernel:
        printed = kernel.run("import os; print(os.environ['MEM_LIMIT'], os.environ['CPU_LIMIT'], os.environ['HOME'])")
    memory, cores, home = printed.split()
    assert (int(memory), float(cores)) == (1024 * MIB, 2)
    assert home.endswith("/alice")
    bob = served.sign_in("bob")
    answer = bob.hub("POST", "/users/bob/server", json={"user_options": {"profile": "wide"}})
    assert answer.status_code == 400
    assert "open to members of developers" in answer.json()["message"]
    assert served.world.leftovers("bob") == []


WHO = "import os; print(os.environ['HOME'], os.environ['MEM_LIMIT'], os.environ['JUPYTERHUB_USER'])"

TOGETHER = {"@jupyter/collaboration-extension", "@jupyter/docprovider-extension"}


def page_config(lab: str) -> dict[str, Any]:
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', lab, re.DOTALL)
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


def fetched(config: dict[str, Any]) -> set[str]:
    """The extensions that the page loads."""
    return {extension["name"] for extension in config["federated_extensions"]}


def test_a_group_has_a_shared_server_and_its_members_have_their_own(served: Served) -> None:
    """Documents are edited together in the first, and nothing of that is loaded in the second."""
    alice = served.sign_in("alice")
    page = alice.http.get("/hub/spawn/collab--developers", follow_redirects=True)
    assert page.status_code == 200, "a shared server has nothing to choose, so it starts"
    alice.name = "collab--developers"
    wait_for(alice._server_ready, "the shared server")
    lab = alice.http.get("/user/collab--developers/lab", follow_redirects=True)
    config = page_config(lab.text)
    assert config["hubUser"] == "alice"
    assert fetched(config) >= TOGETHER
    assert (
        alice.server("PUT", "api/collaboration/session/x", json={"format": "text", "type": "file"}).status_code != 404
    )
    assert alice.server("GET", "naas/api/me").json()["groups"] == ["developers"]
    assert alice.server("GET", "naas/api/storage").json()["code"] == "no-folders"
    with alice.kernel() as kernel:
        home, memory, user = kernel.run(WHO).split()
    assert (home.rpartition("/")[2], int(memory), user) == ("collab--developers", 1024 * MIB, "collab--developers")

    own = served.started("alice", profile="small")
    assert own.server("PUT", "api/collaboration/session/x", json={"format": "text", "type": "file"}).status_code == 404
    config = page_config(own.http.get("/user/alice/lab").text)
    assert set(config["disabledExtensions"]) >= TOGETHER
    assert "jupyterlab-naas" in fetched(config)
    assert fetched(config).isdisjoint(TOGETHER)

    bob = served.sign_in("bob")
    assert bob.http.get("/user/collab--developers/lab", follow_redirects=True).status_code == 403
    assert bob.hub("POST", "/users/collab--developers/server").status_code in (403, 404)


HOG = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "x = bytearray(700 * 2**20); print(len(x))"]).returncode)
"""


def test_memory_beyond_the_profile_ends_a_program_not_the_server(served: Served) -> None:
    if not served.world.enforces:
        pytest.skip("processes of one machine share its memory: the profile is told to the server, not enforced")
    alice = served.started("alice", profile="small")
    with alice.kernel() as kernel:
        assert kernel.run(HOG).strip() == "-9"
        assert kernel.run("print(6 * 7)") == "42\n"


BUSY = """
import multiprocessing, time
def burn(_):
    begin, used = time.monotonic(), time.process_time()
    while time.monotonic() - begin < 2:
        pass
    return time.process_time() - used
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(pool.map(burn, range(2))))
"""


def test_cores_beyond_the_profile_are_not_given(served: Served) -> None:
    if not served.world.enforces:
        pytest.skip("processes of one machine share its cores: the profile is told to the server, not enforced")
    alice = served.started("alice", profile="small")
    with alice.kernel() as kernel:
        assert float(kernel.run(BUSY)) < 2.6  # two processes for two seconds on one core


# Folders


def test_folders_are_there_when_the_server_is_ready(served: Served) -> None:
    alice = served.sign_in("alice")
    alice.start_server()
    with alice.kernel() as kernel:
        assert (
            kernel.run("import os; print(sorted(os.listdir('cloud-storage')))")
            == "['alice', 'scratch', 'scratch-alice']\n"
        )
        kernel.run("open('cloud-storage/alice/first.txt', 'w').write('kept')")
        refused = kernel.run(
            "try: open('cloud-storage/scratch/x', 'w')\nexcept OSError as error: print(error.strerror)\n"
            "try: open('cloud-storage/x', 'w')\nexcept OSError as error: print(error.strerror)"
        )
        assert refused.split("\n")[:2] == ["Read-only file system"] * 2
    wait_for(lambda: served.stored("alice/first.txt") == b"kept", "the file is in the store")


WRITE = "open('cloud-storage/alice/{name}', 'wb').write(b'{letter}' * {size})"
READ = "print(len(open('cloud-storage/alice/{name}', 'rb').read()))"


def reads(kernel: Kernel, name: str) -> bool:
    return kernel.run(f"try: {READ.format(name=name)}\nexcept OSError: print('away')").strip().isdigit()


def test_a_killed_mount_program_comes_back_on_the_same_path_with_what_was_written(served: Served) -> None:
    alice = served.started("alice")
    with alice.kernel() as kernel:
        kernel.run(WRITE.format(name="heal", letter="h", size=8 * MIB))
        os.kill(engines(served.world, "alice")["alice"], signal.SIGKILL)
        wait_for(lambda: reads(kernel, "heal"), "the same path answers", 20)
        kernel.run(WRITE.format(name="after", letter="a", size=MIB))
    wait_for(lambda: served.stored("alice/heal") == b"h" * 8 * MIB, "what was written before is in the store")
    wait_for(lambda: served.stored("alice/after") == b"a" * MIB, "and what was written after")


def test_a_killed_agent_is_started_again(served: Served) -> None:
    alice = served.started("alice")
    agent = served.world.agent_pid("alice")
    with alice.kernel() as kernel:
        kernel.run(WRITE.format(name="crash", letter="c", size=8 * MIB))
        os.kill(agent, signal.SIGKILL)
        wait_for(lambda: served.world.agent_pid("alice") not in (agent, 0), "another agent runs")
        wait_for(lambda: reads(kernel, "crash"), "the folder answers again", 30)
    alice.wait_connected()
    wait_for(lambda: served.stored("alice/crash") == b"c" * 8 * MIB, "nothing is lost")


def test_a_stop_waits_for_uploads(served: Served) -> None:
    alice = served.started("alice")
    with alice.kernel() as kernel:
        kernel.run(WRITE.format(name="last", letter="l", size=64 * MIB))
    alice.stop_server()
    assert served.stored("alice/last") == b"l" * 64 * MIB


def test_an_ordinary_folder_in_the_way_is_said_and_kept(served: Served) -> None:
    alice = served.started("alice")
    alice.stop_server()
    home = served.product.data / "homes" / "alice"
    place = home / "cloud-storage"
    place.unlink() if place.is_symlink() else place.rmdir()
    place.mkdir()
    (place / "precious").write_text("mine")
    for path in (place, place / "precious"):
        os.chown(path, home.stat().st_uid, home.stat().st_uid)
    try:
        alice.start_server()
        status = wait_for(
            lambda: (s := alice.server("GET", "naas/api/storage").json())["state"] == "degraded" and s, "it is said"
        )
        assert status["code"] == "link-taken"
        assert "cloud-storage" in status["reason"]
        with alice.kernel() as kernel:
            assert kernel.run("print(open('cloud-storage/precious').read())") == "mine\n"
            kernel.run("open('cloud-storage/more', 'w').write('theirs still')")
    finally:
        shutil.rmtree(place)


def test_a_server_that_starts_while_iam_is_away_gets_its_folders_when_it_is_back(served: Served) -> None:
    alice = served.sign_in("alice")
    iam = served.product.pid("iam")
    os.kill(iam, signal.SIGSTOP)
    try:
        alice.start_server(profile="small")
        status = wait_for(
            lambda: (s := alice.server("GET", "naas/api/storage").json())["state"] == "degraded" and s, "it is said"
        )
        assert status["code"] in {"iam-down", "gateway-down"}  # the gateway, too, waits for IAM
        assert status["folders"] == []
    finally:
        os.kill(iam, signal.SIGCONT)
    alice.wait_connected()
    with alice.kernel() as kernel:
        kernel.run("open('cloud-storage/alice/late.txt', 'w').write('there')")
    wait_for(lambda: served.stored("alice/late.txt") == b"there", "the file is in the store")


def test_somebody_without_storage_has_a_server_and_is_told_why(served: Served) -> None:
    erin = served.sign_in("erin")
    erin.start_server(profile="small")
    status = wait_for(
        lambda: (s := erin.server("GET", "naas/api/storage").json())["state"] == "degraded" and s, "it is said"
    )
    assert "users/s3" in status["reason"]
    assert status["code"] != "no-agent"
    with erin.kernel() as kernel:
        assert kernel.run("import os; print(os.path.isdir('cloud-storage/erin'))") == "False\n"


# Software


SEE = "import os; root = os.environ['CVMFS_MOUNT_DIR']; print([(name, os.listdir(f'{root}/{name}')) for name in sorted(os.listdir(root))])"


def test_cvmfs_is_there_read_only_and_what_is_missing_is_said(served: Served) -> None:
    alice = served.sign_in("alice")
    alice.start_server(profile="software", cvmfs=["sft.cern.ch", "late.cern.ch", "absent.cern.ch"])
    log = (served.product.data / "logs" / "hub.log").read_text()
    assert "late.cern.ch is an empty folder: it is not mounted." in log
    assert "absent.cern.ch is not on the machine." in log
    assert "sft.cern.ch is" not in log
    late = served.software / "late.cern.ch"
    with alice.kernel() as kernel:
        assert kernel.run(SEE) == "[('late.cern.ch', []), ('sft.cern.ch', ['lcg'])]\n"
        refused = kernel.run("try: os.mkdir(f'{root}/sft.cern.ch/mine')\nexcept OSError as error: print(error.errno)")
        assert int(refused) in (errno.EROFS, errno.EACCES)
        said = kernel.run("found = %cvmfs\nprint(found)")
        assert re.search(r"sft.cern.ch +there", said)
        assert re.search(r"absent.cern.ch +not there", said)
        mount_tmpfs(late, 0o755, 0)
        try:
            (late / "now").mkdir()
            assert kernel.run(SEE) == "[('late.cern.ch', ['now']), ('sft.cern.ch', ['lcg'])]\n"
        finally:
            detach(late)
    alice.stop_server()
    assert served.world.leftovers("alice") == []


def test_whoever_asks_for_no_cvmfs_has_none(served: Served) -> None:
    alice = served.started("alice", profile="software")
    with alice.kernel() as kernel:
        assert "CVMFS_MOUNT_DIR" not in kernel.run("import os; print(dict(os.environ))")
        if served.world.enforces:
            assert kernel.run("print(os.path.exists('/cvmfs'))") == "False\n"


# Life of hub and server


def test_a_restarted_hub_finds_its_servers(served: Served) -> None:
    alice = served.started("alice", profile="small")
    pid = served.world.server_pid("alice")
    with alice.kernel() as kernel:
        kernel.run("kept = 41")
        os.kill(served.product.pid("hub"), signal.SIGKILL)
        wait_for(lambda: served.product.status()["ready"], "the hub is back")
        assert served.world.server_pid("alice") == pid
        assert kernel.run("print(kept + 1)") == "42\n"
    answer = wait_for(lambda: alice.hub("GET", "/users/alice").json().get("servers"), "the hub knows the server")
    assert answer[""]["user_options"]["profile"] == "small"
    alice.stop_server()
    assert served.world.leftovers("alice") == []


def test_a_stop_leaves_nothing(served: Served) -> None:
    alice = served.started("alice")
    assert served.world.leftovers("alice")
    alice.stop_server()
    assert served.world.leftovers("alice") == []


def test_a_server_that_ends_by_itself_is_noticed_and_explained(served: Served) -> None:
    alice = served.started("alice")
    os.kill(served.world.server_pid("alice"), signal.SIGKILL)
    wait_for(lambda: not alice.hub("GET", "/users/alice").json().get("servers"), "the hub has noticed")
    assert served.world.leftovers("alice") == []
    alice.start_server()
    assert "was ended by signal 9" in reasons(alice)[0]["message"]


# One person and another


def test_a_server_has_no_privilege_and_no_secret_but_its_own(served: Served) -> None:
    alice = served.started("alice")
    secrets = {path.read_text().strip() for path in (served.product.data / "secrets").iterdir()}
    with alice.kernel() as kernel:
        status = dict(
            line.split(":", 1)
            for line in kernel.run("print(open('/proc/self/status').read())").splitlines()
            if ":" in line
        )
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        assert kernel.run("import os; print(os.getuid() >= 1000)") == "True\n"
        if served.world.enforces:  # a machine's own processes see its devices; opening one gives no right to mount
            assert kernel.run("import os; print(os.path.lexists('/dev/fuse'))") == "False\n"
        tried = kernel.run(
            "import subprocess\nfor words in ('mount -t tmpfs x /mnt', 'unshare -m true', 'cat /etc/shadow'):\n"
            "    print(subprocess.run(words.split(), capture_output=True).returncode != 0)"
        )
        assert tried.split() == ["True"] * 3
        environment = kernel.run("import os; print(dict(os.environ))")
    assert not [secret for secret in secrets if secret and secret in environment]
    assert "refresh_token" not in environment.lower()


def test_people_are_apart(served: Served) -> None:
    alice, bob = served.started("alice"), served.started("bob")
    data = served.product.data.resolve()
    places = [
        data / "homes/bob",
        data / "servers/bob",
        data / "run/mounts/bob/ctl",
        data / "run/mounts/bob/s3",
        data / "secrets",
    ]
    look = "import os\nfor place in {places!r}:\n    try: print(os.listdir(place))\n    except OSError: print('no')"
    with alice.kernel() as kernel, bob.kernel() as other:
        other.run("open('private.txt', 'w').write('mine')")
        assert kernel.run(look.format(places=[*map(str, places), "/home/bob"])).split() == ["no"] * 6
        assert (
            kernel.run(
                "import pathlib\ndef words(file):\n    try: return file.read_bytes()\n    except OSError: return b''\n"
                "print(b'bob' in b' '.join(map(words, pathlib.Path('/proc').glob('[0-9]*/cmdline'))))"
            )
            == "False\n"
        )
        refused = kernel.run(
            "import urllib.request, urllib.error, os\n"
            "request = urllib.request.Request(os.environ['JUPYTERHUB_API_URL'] + '/users/bob', "
            "headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"
            "try: print(urllib.request.urlopen(request).status)\nexcept urllib.error.HTTPError as error: print(error.code)"
        )
        assert int(refused) in (403, 404)
