"""Real parts for the storage tests: an S3 server, the mount helper, agents of unprivileged people, in a mount namespace."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime as dt
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from naas_client.errors import Unavailable
from naas_client.models import Folder, S3Credentials, StorageStatus
from naas_client.sockets import connect
from naas_local.parts import PartSpec, running
from naas_local.ports import free_port
from naas_local.store import EmbeddedStore
from naas_storage.agent.engine import find_rclone
from naas_storage.client import AgentClient
from naas_storage.mounts.client import MountsClient, Published
from naas_storage.plan import AgentPlan, Timings
from run_folder import FOLDERS
from s3_people import own_client
from token_issuer import TokenIssuer
from waiting import wait_for

ALICE, BOB = 39000, 39001
KEY, SECRET = "alice-access-key", "alice-secret-access-key"
REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = Timings(
    poll=0.1, hang_limit=3, check=0.3, check_limit=3, start_limit=10, retry_limit=1, drain_limit=10, lock_limit=1
)


class Store:
    """`rclone serve s3` on plain folders: the data of every bucket can be looked at on disk."""

    def __init__(self, folder: Path) -> None:
        self.data, self.folder, self.port = folder / "buckets", folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for path in ("alice", "scratch/alice", "scratch/bob"):
            (self.data / path).mkdir(parents=True)
        (self.data / "scratch/bob/from-bob.txt").write_text("bob's words\n")
        (self.data / "alice/welcome.txt").write_text("hello alice\n")
        self._running = contextlib.ExitStack()
        self.pid = 0

    def start(self) -> None:
        argv = (str(find_rclone()), "serve", "s3", str(self.data), "--addr", f"127.0.0.1:{self.port}")
        options = ("--auth-key", f"{KEY},{SECRET}", "--config", "/dev/null", "--dir-cache-time", "0s")
        part = running(PartSpec("store", (*argv, *options), f"{self.url}/"), self.folder / "logs")
        self.pid = self._running.enter_context(part).process.pid

    def stop(self) -> None:
        self._running.close()

    def twin(self) -> Store:
        """Another server for the same buckets: the second site."""
        twin = copy.copy(self)
        twin.port = free_port()
        twin.url = f"http://127.0.0.1:{twin.port}"
        twin._running = contextlib.ExitStack()
        return twin

    def text(self, path: str) -> str | None:
        file = self.data / path
        return file.read_text() if file.is_file() else None


class _Handler(http.server.BaseHTTPRequestHandler):
    gateway: Gateway

    def do_POST(self) -> None:
        gateway = self.gateway
        gateway.asked.append(self.headers.get("Authorization", ""))
        self._send(*gateway.answer())

    def do_GET(self) -> None:
        if self.path.endswith("/storage/usage") and self.gateway.usage is not None:
            self._send(200, self.gateway.usage)
        else:
            self._send(404, {"error": {"code": "usage-unknown", "message": "The store does not tell."}})

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Gateway:
    """Answers ``POST …/s3-credentials`` as the gateway does, by default with the store's permanent key; a test chooses its life.

    ``GET …/storage/usage`` is answered with ``usage``; None: the store does not tell.
    """

    def __init__(self, endpoint: str, issue: Callable[[], dict[str, str]] | None = None) -> None:
        self.issue = issue or self._permanent
        self.endpoint, self.life, self.refusal = endpoint, 3600.0, None
        self.key = KEY
        self.usage: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gateway": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/naas/api/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    refusal: tuple[int, str, str] | None

    def answer(self) -> tuple[int, dict[str, Any]]:
        if self.refusal is not None:
            status, code, message = self.refusal
            return status, {"error": {"code": code, "message": message}}
        return 200, {**self.issue(), "endpoint": self.endpoint}

    def _permanent(self) -> dict[str, str]:
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.life)
        return {
            "access_key_id": self.key,
            "secret_access_key": SECRET,
            "session_token": "a-session-token",
            "expires_at": expires.isoformat(),
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class World:
    """One data folder in one mount namespace."""

    data: Path
    store: Store | SessionStore
    gateway: Gateway
    namespace: int
    person: int = ALICE
    restricted: bool = True
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    helper: subprocess.Popen[bytes] | None = None

    # -- processes --

    def start(self, *argv: str, uid: int = 0, log: str = "", **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in the namespace; as another uid: without groups, capabilities and new privileges."""
        prefix = ["nsenter", f"--mount=/proc/self/fd/{self.namespace}"]
        if uid:
            prefix += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
            prefix += ["--no-new-privs", "--bounding-set=-all"] if self.restricted else []
        if log:
            options["stdout"] = options["stderr"] = (self.data / log).open("ab")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/",
            "JUPYTERHUB_API_TOKEN": "the-hub-token-of-alice",
            "PYTHONPATH": os.pathsep.join(str(REPOSITORY / room) for room in ("client", "storage")),
        }
        process = subprocess.Popen(
            [*prefix, *argv], stdin=subprocess.DEVNULL, env=environment, cwd="/", pass_fds=(self.namespace,), **options
        )
        self.processes.append(process)
        return process

    def run(self, script: str, uid: int | None = None, limit: float = 20) -> str:
        """What a Python script prints that runs as a person in the namespace."""
        uid = self.person if uid is None else uid
        process = self.start(sys.executable, "-c", script, uid=uid, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=limit)
        assert process.returncode >= 0, f"the script was ended by signal {-process.returncode}"
        return output.decode().strip()

    def owned(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, self.person, self.person)
        path.chmod(0o700)
        return path

    # -- the helper --

    @property
    def control_socket(self) -> Path:
        return self.data / "run" / "mounts.sock"

    @property
    def mounts(self) -> MountsClient:
        return MountsClient(self.control_socket)

    def start_helper(self) -> None:
        argv = (
            "-m",
            "naas_storage.mounts",
            "--base",
            str(self.data / "run/mounts"),
            "--socket",
            str(self.control_socket),
        )
        self.helper = self.start(sys.executable, *argv, log="mounts.log")
        wait_for(self._helper_listens, "the helper listens")

    def _helper_listens(self) -> bool:
        with contextlib.suppress(OSError), connect(self.control_socket, 1):
            return True
        return False

    def stop_helper(self, number: int = signal.SIGTERM) -> None:
        assert self.helper is not None
        self.helper.send_signal(number)
        self.helper.wait(10)

    def publish(self, key: str = "alice", folders: list[Folder] | None = None, uid: int = ALICE) -> Published:
        return asyncio.run(self.mounts.publish(key, FOLDERS if folders is None else folders, uid, uid))

    def unpublish(self, key: str = "alice") -> None:
        asyncio.run(self.mounts.unpublish(key))

    def mount_points(self) -> list[str]:
        """What is mounted below the data folder, as the namespace sees it."""
        script = f"print('\\n'.join(l.split()[4] for l in open('/proc/self/mountinfo') if {str(self.data)!r} in l.split()[4]))"
        return self.run(script, uid=0).split()

    # -- an agent --

    def plan(self, published: Published | None, **changes: Any) -> AgentPlan:
        run = self.owned(self.data / "servers" / "alice")
        values: dict[str, Any] = {
            "key": "alice",
            "username": "alice",
            "folders": FOLDERS,
            "endpoint": self.store.url,
            "gateway_url": self.gateway.url,
            "control_socket": published and published.control,
            "view": published.view if published else run / "s3",
            "link": self.owned(self.data / "homes" / "alice") / "cloud-storage",
            "run": run,
            "cache": run / "cache",
            "timings": QUICK,
        }
        return AgentPlan.model_validate({**values, **changes})

    def start_agent(self, plan: AgentPlan, *command: str) -> AgentProcess:
        """``command`` comes before the interpreter, e.g. ``unshare``."""
        file = plan.run / "plan.json"
        file.write_text(plan.model_dump_json())
        os.chown(file, self.person, self.person)
        file.chmod(0o600)
        argv = (*command, sys.executable, "-m", "naas_storage.agent", str(file))
        process = self.start(*argv, uid=self.person, log="agent.log")
        return AgentProcess(self, plan, process)

    def close(self) -> None:
        try:
            if self.helper is not None and self.helper.poll() is None:
                asyncio.run(self.mounts.shutdown())
        finally:
            for process in reversed(self.processes):
                if process.poll() is None:
                    process.kill()
                process.wait(10)


@dataclass
class AgentProcess:
    world: World
    plan: AgentPlan
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> AgentClient:
        return AgentClient(self.plan.socket)

    def status(self) -> StorageStatus:
        return asyncio.run(self.client.status())

    def wait(self, condition: Callable[[StorageStatus], Any], what: str, limit: float = 60) -> StorageStatus:
        """The first status for which a condition holds."""
        last: list[StorageStatus] = []

        def looked() -> StorageStatus | None:
            assert self.process.poll() is None, f"the agent ended: {self.log()}"
            try:
                last[:] = [self.status()]
            except Unavailable:  # it is starting
                return None
            return last[0] if condition(last[0]) else None

        try:
            return wait_for(looked, what, limit)
        except AssertionError:
            raise AssertionError(f"{what}: {last} {self.log()}") from None

    def mounted(self) -> StorageStatus:
        return self.wait(lambda status: status.state == "mounted", "mounted")

    def log(self) -> str:
        return (self.world.data / "agent.log").read_text()[-3000:]

    def engines(self) -> dict[str, int]:
        """Process ids of the rclones by folder."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                if b"mount2" in words and str(self.plan.cache).encode() in b" ".join(words):
                    cache = words[words.index(b"--cache-dir") + 1].decode()
                    found[Path(cache).name] = int(entry.parent.name)
        return found

    def worker(self) -> int:
        """The process that does the work: the child of the one that guards it."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def end(self, limit: float = 20) -> int:
        self.process.terminate()
        return self.process.wait(limit)


@dataclass
class SessionStore:
    """The embedded store: sessions from STS, and a rule for each request."""

    embedded: EmbeddedStore
    issuer: TokenIssuer
    seconds: int = 3600

    @property
    def url(self) -> str:
        return self.embedded.url

    @property
    def data(self) -> Path:
        return self.embedded.buckets

    text = Store.text

    def session(self) -> dict[str, str]:
        """What the gateway does for alice."""
        return sts_session(self.url, self.embedded.role_arn, self.issuer.token("alice"), self.seconds)

    def make_bucket(self, name: str) -> None:
        """As alice."""
        given = S3Credentials.model_validate({**self.session(), "endpoint": self.url})
        own_client(given).create_bucket(Bucket=name)


def sts_session(url: str, role_arn: str, token: str, seconds: int) -> dict[str, str]:
    """Credentials from AssumeRoleWithWebIdentity, in the gateway's words; boto3 would refuse lives below 900 s."""
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role_arn,
        "RoleSessionName": "alice",
        "DurationSeconds": str(seconds),
        "WebIdentityToken": token,
    }
    answer = httpx.post(f"{url}/", data=form).raise_for_status().text
    found = dict(re.findall(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)<", answer))
    names = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key"}
    names |= {"SessionToken": "session_token", "Expiration": "expires_at"}
    return {names[key]: value for key, value in found.items()}
