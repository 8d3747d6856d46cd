"""The stores and the mount programs of `benchmarks/storage.py`: each mounted for the length of a `with` block."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from naas_client.files import write_private, write_private_json
from naas_client.models import Folder
from naas_client.processes import end_with_parent
from naas_local.ceph import ceph_store
from naas_local.store import embedded_store
from naas_storage.agent import engine
from naas_storage.mounts import kernel
from naas_storage.plan import ACCESS_NAME, AgentPlan
from s3_people import assume_role
from token_issuer import TokenIssuer

BUCKET = "alice"
START_LIMIT = 30.0
END_LIMIT = 30.0
LOOK = 0.01
TODAY = (
    *("--no-check-certificate", "--use-server-modtime", "--vfs-cache-mode", "full", "--vfs-write-back", "10s"),
    *("--vfs-write-wait", "2s", "--vfs-read-wait", "55ms", "--vfs-read-ahead", "8M", "--buffer-size", "2M"),
)
"""What sts-wire with ``--localCache full`` gives its rclone (infn-datacloud/sts-wire, ``pkg/core``), on rclone's defaults."""


@dataclass(frozen=True)
class Access:
    """A bucket, and keys that may do everything in it. ``size`` is the room for objects in bytes, None when it is the disk's."""

    kind: str
    version: str
    endpoint: str
    provider: str
    keys: dict[str, str]
    size: int | None = None
    collect: Callable[[], object] = lambda: None
    """Makes the store give back the room of what was deleted."""

    @property
    def environment(self) -> dict[str, str]:
        """The keys as SDKs read them; s3fs wants the same names without underscores."""
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
        names |= {"AWS_SESSION_TOKEN": "SessionToken"} if self.keys.get("SessionToken") else {}
        found = {name: self.keys[key] for name, key in names.items()}
        found |= {name.replace("_", ""): value for name, value in found.items()}
        return {**found, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def embedded(folder: Path, _size: int) -> Iterator[Access]:
    """The store of `naas up` on a laptop."""
    with TokenIssuer().running() as issuer, embedded_store(folder, issuer.url) as store:
        keys = assume_role(store.url, issuer.token("alice"), store.role_arn, seconds=3600)
        del keys["Expiration"]
        yield Access("embedded store", engine_version("rclone"), store.url, "Rclone", keys)


@contextlib.contextmanager
def ceph(folder: Path, size: int) -> Iterator[Access]:
    """Ceph's RADOS Gateway on one node that keeps ``size`` bytes of objects in memory."""
    with ceph_store(folder, size=size) as store:
        key, secret = store.admin
        keys = {"AccessKeyId": key, "SecretAccessKey": secret}
        version = f"Ceph {engine_version('radosgw').split()[2]}"
        collect = lambda: store.radosgw_admin("gc", "process", "--include-all")  # noqa: E731
        yield Access("Ceph RADOS Gateway", version, store.url, "Ceph", keys, size, collect)


STORES = {"ceph": ceph, "embedded": embedded}


def engine_version(program: str) -> str:
    """The first line of a program's ``--version``."""
    path = engine.find_rclone() if program == "rclone" else program
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Mount:
    """A mount program at ``place``; each use of `mounted` is a new process with an empty cache."""

    label: str

    def __init__(self, access: Access, run: Path) -> None:
        self.access, self.run = access, run
        self.place, self.cache = run / "mnt" / BUCKET, run / "cache"
        self.place.mkdir(parents=True)

    def argv(self) -> list[str]:
        """The command line; it stays in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What the program finds in its environment."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.run), **self.access.environment}

    def descriptors(self) -> tuple[int, ...]:
        """Descriptors it is given, closed here when it has them."""
        return ()

    def tune(self) -> None:
        """What is done to the mount when it is served."""

    @contextlib.contextmanager
    def mounted(self) -> Iterator[str]:
        """The path of the mount, which is known to be one. Raises RuntimeError when the program ended or never mounted."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir()
        given = self.descriptors()
        with (self.run / "log").open("ab") as log:
            process = subprocess.Popen(
                self.argv(),
                cwd=self.run,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=given,
                preexec_fn=end_with_parent,
            )
        for descriptor in given:
            os.close(descriptor)
        try:
            self._wait_served(process)
            self.tune()
            yield str(self.place)
            if process.poll() is not None:
                raise RuntimeError(f"{self.label} ended with {process.returncode}: {self._last_words()}")
        finally:
            kernel.detach(self.place)
            try:
                process.wait(END_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_served(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_LIMIT
        while not any(mount.kind.startswith("fuse") for mount in kernel.mounts_below(self.place)):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.label} did not mount: {self._last_words()}")
            time.sleep(LOOK)
        list(self.place.iterdir())  # the kernel lets us wait until the program answers

    def _last_words(self) -> str:
        return (self.run / "log").read_text(errors="replace")[-500:]


class Today(Mount):
    """rclone as the service of today starts it."""

    label = "rclone, today's flags"

    def argv(self) -> list[str]:
        remote = f"[s3]\ntype = s3\nprovider = {self.access.provider}\nenv_auth = true\n"
        write_private(self.run / "rclone.conf", f"{remote}endpoint = {self.access.endpoint}\nregion = us-east-1\n")
        return [
            *(str(engine.find_rclone()), "mount", f"s3:{BUCKET}", str(self.place), "--config", "rclone.conf"),
            *("--cache-dir", str(self.cache), *TODAY),
        ]


class Ours(Mount):
    """rclone as the agent starts it, on a descriptor that was mounted by the mount helper's code, with its read-ahead."""

    label = "ours"

    def __init__(self, access: Access, run: Path) -> None:
        super().__init__(access, run)
        self.folder = Folder(name=BUCKET, bucket=BUCKET)
        self.plan = AgentPlan(
            key="bench",
            username="bench",
            folders=[self.folder],
            endpoint=access.endpoint,
            provider=access.provider,
            gateway_url="http://127.0.0.1:9",
            view=self.place.parent,
            run=run,
            cache=self.cache,
        )
        engine.write_configuration(self.plan, access.endpoint)
        write_private_json(run / ACCESS_NAME, {"Version": 1, **access.keys})
        self.descriptor = -1

    def argv(self) -> list[str]:
        return engine.command(self.plan, self.folder, f"/dev/fd/{self.descriptor}")

    def environment(self) -> dict[str, str]:
        return engine.environment(self.plan)

    def descriptors(self) -> tuple[int, ...]:
        self.descriptor = kernel.mount_fuse(self.place, os.getuid(), os.getgid(), False)
        return (self.descriptor,)

    def tune(self) -> None:
        kernel.raise_read_ahead(self.place)


class S3fs(Mount):
    """Debian's s3fs-fuse with its defaults."""

    label = "s3fs-fuse"

    def argv(self) -> list[str]:
        options = f"url={self.access.endpoint},use_path_request_style,endpoint=us-east-1"
        options += ",use_session_token" if "AWSSESSIONTOKEN" in self.access.environment else ""
        return ["s3fs", BUCKET, str(self.place), "-f", "-o", options]


MOUNTS: dict[str, type[Mount]] = {"today": Today, "ours": Ours, "s3fs": S3fs}
