"""What bob tries on alice: store, folders, processes, gateway, ports. And what the embedding shows of secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_session import HubSession, Kernel
from product import OPERATOR_SECRET, Product
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse]


@pytest.fixture
def both(person: Callable[[str], HubSession]) -> Iterator[tuple[Kernel, Kernel]]:
    """A kernel of alice, who wrote a private file and one in scratch, and a kernel of bob."""
    sessions = [person("alice"), person("bob")]
    for session in sessions:
        session.start_server()
    for session in sessions:
        session.wait_connected()
    with sessions[0].kernel() as alice, sessions[1].kernel() as bob:
        alice.run(
            "import pathlib, os\nhome = pathlib.Path.home()\n"
            "(home/'cloud-storage'/'alice'/'private.txt').write_text('mine')\n"
            "(home/'cloud-storage'/'scratch-alice'/'x').write_text('for all')\n"
            "(home/'local'/'draft').write_text('mine')"
        )
        bob.run(
            "import os, pathlib, naas_storage\nhome = pathlib.Path.home()\ns3 = naas_storage.session().client('s3')"
        )
        yield alice, bob


REFUSED = """
try:
    {attempt}
except Exception as error:
    print(type(error).__name__, getattr(error, "response", {{}}).get("Error", {{}}).get("Code", getattr(error, "errno", "")))
else:
    print("WORKED")
"""


def attempt(kernel: Kernel, code: str) -> str:
    return kernel.run(REFUSED.format(attempt=code)).strip()


S3_ATTEMPTS = [
    "s3.list_objects_v2(Bucket='alice')",
    "s3.get_object(Bucket='alice', Key='private.txt')",
    "s3.put_object(Bucket='alice', Key='private.txt', Body=b'bob')",
    "s3.delete_object(Bucket='alice', Key='private.txt')",
    "s3.copy_object(Bucket='bob', Key='stolen', CopySource='alice/private.txt')",
    "s3.put_object(Bucket='scratch', Key='alice/x', Body=b'bob')",
    "s3.delete_object(Bucket='scratch', Key='alice/x')",
    "s3.put_object_acl(Bucket='alice', Key='private.txt', ACL='public-read')",
]


def test_bob_gets_nothing_of_alice_through_s3(both: tuple[Kernel, Kernel], product: Product) -> None:
    _, bob = both
    for code in S3_ATTEMPTS:
        answer = attempt(bob, code)
        assert "WORKED" not in answer, code
        assert "AccessDenied" in answer or "NotImplemented" in answer, (code, answer)
    private = product.data / "store" / "buckets" / "alice" / "private.txt"
    assert wait_for(lambda: private.exists() and private.read_text(), "alice's file") == "mine"


def test_bob_reads_scratch_of_alice_and_cannot_change_it(both: tuple[Kernel, Kernel], product: Product) -> None:
    _, bob = both
    stored = product.data / "store" / "buckets" / "scratch" / "alice" / "x"
    wait_for(stored.exists, "alice's file in scratch")
    assert bob.run("print(s3.get_object(Bucket='scratch', Key='alice/x')['Body'].read().decode())") == "for all\n"
    assert attempt(bob, "(home/'cloud-storage'/'scratch'/'alice'/'x').write_text('bob')") == "OSError 30"
    assert stored.read_text() == "for all"


def test_bob_reaches_neither_folders_nor_processes_of_alice(both: tuple[Kernel, Kernel], product: Product) -> None:
    alice, bob = both
    pid = alice.run("print(os.getpid())").strip()
    data = product.data
    for code in (
        f"os.listdir('{data}/homes/alice')",
        f"open('{data}/homes/alice/local/draft').read()",
        f"os.listdir('{data}/servers/alice')",
        f"os.listdir('{data}/run/mounts/alice/s3/alice')",
        f"os.listdir('{data}/store')",
        f"os.listdir('{data}/secrets')",
        f"open('{data}/run/site.yaml').read()",
        f"open('/proc/{pid}/environ').read()",
        f"os.kill({pid}, 9)",
        f"__import__('socket').socket(1).connect('{data}/run/launcher.sock')",
        f"__import__('socket').socket(1).connect('{data}/run/mounts.sock')",
    ):
        assert attempt(bob, code).split()[0] in ("PermissionError", "FileNotFoundError", "ProcessLookupError"), code


def test_bob_gets_nothing_of_alice_through_hub_and_gateway(both: tuple[Kernel, Kernel], product: Product) -> None:
    _, bob = both
    bob.run("import httpx\nauth = {'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}")
    base = product.site()["gateway"]["url"] + "/services/naas/api/v1"
    for method, address in (
        ("GET", f"{base}/hub/users/alice/claims"),
        ("POST", f"{base}/hub/users/alice/storage"),
        ("POST", f"{base}/hub/users/alice/sign-out"),
        ("GET", f"{base}/audit"),
        ("GET", f"{product.url}/hub/api/users/alice"),
        ("GET", f"{product.url}/user/alice/api/contents"),
    ):
        status = int(bob.run(f"print(httpx.request('{method}', '{address}', headers=auth).status_code)"))
        assert status in (401, 403, 404), address
    assert bob.run(f"print(httpx.post('{base}/s3-credentials', headers=auth).status_code)") == "200\n"


def secret_values(product: Product) -> set[str]:
    """The values that must stay in hub, gateway and IAM: generated secrets, encryption keys, every refresh token IAM ever made."""
    values = {path.read_text().strip() for path in (product.data / "secrets").iterdir()}
    values.add(OPERATOR_SECRET)
    values |= set((product.data / "gateway" / "keys").read_text().split())
    rows = [json.loads(line) for line in (product.data / "iam" / "journal.jsonl").read_text().splitlines()]
    tokens = {row[1] for row in rows if row[0] == "RefreshToken"}
    assert len(values) >= 6
    assert len(tokens) >= 2, "alice's and bob's"
    return {value for value in values | tokens if len(value) >= 16}


def test_a_running_server_holds_no_secret_of_hub_or_gateway(both: tuple[Kernel, Kernel], product: Product) -> None:
    """alice reads all she can (environment, command lines, files); with her server's folder and the logs, no secret's value is in it."""
    alice, _ = both
    hers = [str(product.data / folder / "alice") for folder in ("homes", "servers")]
    alice.run(SCAN.format(roots=[str(product.data), "/tmp", *hers]))
    found = (product.data / "homes" / "alice" / "local" / "scan").read_text(errors="replace")
    assert "JUPYTERHUB_API_TOKEN=" in found, "the scan saw the environment"
    assert "access.json" in found, "the scan saw the agent's files"
    files = [*(product.data / "logs").iterdir(), *(product.data / "servers" / "alice").rglob("*")]
    texts = [found, *(path.read_text(errors="replace") for path in files if path.is_file())]
    for value in secret_values(product):
        assert not any(value in text for text in texts)


SCAN = r"""
import os, pathlib, stat
with open(pathlib.Path.home() / "local" / "scan", "w") as found:
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try: print((process / name).read_bytes().replace(b"\0", b"\n").decode(errors="replace"), file=found)
            except OSError: pass
    for root in {roots!r}:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in ("cloud-storage", "s3", "scan")]
            for name in names:
                path = pathlib.Path(folder, name)
                try:
                    mode = path.lstat()
                    if stat.S_ISREG(mode.st_mode) and mode.st_size < 5_000_000:
                        print(path, path.read_text(errors="replace"), file=found)
                except OSError: pass
"""


def test_no_private_folder_is_open_to_others(product: Product) -> None:
    for name in ("secrets", "logs", "iam", "store", "gateway", "hub"):
        assert (product.data / name).stat().st_mode & 0o077 == 0, name
    for path in (product.data / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert Path(product.data / "run" / "site.yaml").stat().st_mode & 0o077 == 0
