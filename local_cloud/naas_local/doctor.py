"""What `naas doctor` looks at. Every check says what it found and, when it is not well, what to do."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import yaml
from naas_client import settings
from naas_client.claims import same_issuer
from naas_client.errors import NaasError
from naas_client.processes import find_program

from naas_local.ceph import look
from naas_local.ceph.part import read
from naas_local.data import PUBLIC_PORT, DataFolder
from naas_local.ports import holder, is_free
from naas_local.supervisor import read_state

OLDEST_NODE = (20, 19)
CLOCK_SKEW = 30
"""Seconds by which our clock may differ from IAM's; tokens are checked with at most 60."""
LIMIT = 5.0
"""Seconds for each outside call."""


@dataclass(frozen=True)
class Result:
    """One finding. ``state``: ok, note (works, but read this) or bad."""

    name: str
    state: str
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def checks(data: DataFolder, config: Path | None) -> list[Result]:
    """All findings for this machine and, where they are known, for IAM and the store."""
    results = [_who(), _node(), _proxy_program(), _fuse(), _rclone(), _port(data), *_ceph(data)]
    try:
        site = _settings(data, config)
    except NaasError as error:
        return [
            *results,
            Result("settings", "bad", error.message, "Mend the file; `naas config schema` describes every key."),
        ]
    results.append(Result("settings", "ok", str(config or "defaults")))
    with httpx.Client(timeout=LIMIT) as client:
        return [*results, *_services(client, site)]


def _settings(data: DataFolder, config: Path | None) -> settings.SharedSettings:
    if data.site.exists():
        return settings.validate(yaml.safe_load(data.site.read_text()) or {}, settings.SharedSettings, str(data.site))
    return settings.load(config, settings.SharedSettings)


def _who() -> Result:
    if os.geteuid() == 0:
        return Result("isolation", "ok", "root: everybody's server runs with a uid of its own")
    return Result(
        "isolation", "note", "not root: all servers run as you", "For more than one person, start `naas up` as root."
    )


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout.strip()


def _node() -> Result:
    program = find_program("node")
    if program is None:
        return Result("node", "bad", "not found", "Run `make install`: it brings Node.js into the virtual environment.")
    version = _output([program, "--version"])
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_NODE:
        return Result(
            "node",
            "bad",
            f"{version} is too old",
            "Run `make install`: it brings a newer one into the virtual environment.",
        )
    return Result("node", "ok", version)


def _proxy_program() -> Result:
    modules = Path(__file__).parents[1] / "node_modules"
    missing = [name for name in ("configurable-http-proxy", "oidc-provider", "jose") if not (modules / name).exists()]
    if missing:
        return Result("npm packages", "bad", f"missing: {', '.join(missing)}", "Run `make install`.")
    return Result("npm packages", "ok", "proxy and embedded IAM are installed")


def _fuse() -> Result:
    remedy = "Servers still start; files are reached by `naas_storage` instead of folders. For folders: apt-get install fuse3"
    if not Path("/dev/fuse").exists():
        return Result("FUSE", "note", "/dev/fuse does not exist", remedy + ", and load the kernel module `fuse`.")
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return Result("FUSE", "note", "fusermount3 is not installed", remedy)
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return Result("FUSE", "note", "/dev/fuse is not open to you", "For folders: sudo chmod 666 /dev/fuse")
    return Result("FUSE", "ok", "mount helper" if os.geteuid() == 0 else "fusermount3")


def _rclone() -> Result:
    if (program := find_program("rclone")) is None:
        return Result("rclone", "bad", "not installed", "Run `make install`.")
    return Result("rclone", "ok", _output([program, "version"]).splitlines()[0])


def _port(data: DataFolder) -> Result:
    state = read_state(data)
    if any(part["state"] == "ok" for part in state["parts"]):
        return Result("port", "ok", f"`naas up` runs: {state['url']}")
    port = data.known_ports().get("public", PUBLIC_PORT)
    if is_free(port):
        return Result("port", "ok", f"{port} is free")
    return Result("port", "note", f"{port} is held by {holder(port) or 'another program'}", "Use `naas up --port N`.")


def _ceph(data: DataFolder) -> list[Result]:
    """Nothing where the objects are elsewhere."""
    if data.object_store != "ceph":
        return []
    found = {"Ceph": look.programs()}
    config = data.root / "ceph" / "config.json"
    if found["Ceph"][0] == "ok" and config.exists():
        cluster = read(config)
        found["Ceph disk"] = look.disk(cluster)
        if any(part["name"] == "mon" and part["state"] == "ok" for part in read_state(data)["parts"]):
            found["Ceph health"] = look.health(cluster.conf)
    return [Result(name, *finding) for name, finding in found.items()]


def _services(client: httpx.Client, site: settings.SharedSettings) -> list[Result]:
    return [
        _asked("IAM discovery", lambda: _discovery(client, site.iam.issuer)),
        _asked("clock", lambda: _clock(client, site.iam.issuer)),
        _asked("STS", lambda: _sts(client, site.storage.sts_url or site.storage.url)),
        _asked("store", lambda: _store(client, site.storage.url)),
    ]


def _asked(name: str, ask: Callable[[], tuple[bool, str, str]]) -> Result:
    try:
        well, detail, remedy = ask()
    except (httpx.HTTPError, ValueError) as error:
        return Result(
            name,
            "bad",
            str(error) or type(error).__name__,
            "Start it (`naas up` for the embedded one) or correct its address.",
        )
    return Result(name, "ok" if well else "bad", detail, "" if well else remedy)


def _discovery_answer(client: httpx.Client, issuer: str) -> httpx.Response:
    return client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status()


def _discovery(client: httpx.Client, issuer: str) -> tuple[bool, str, str]:
    found = str(_discovery_answer(client, issuer).json().get("issuer", ""))
    return (
        same_issuer(found, issuer),
        f"{found} answers",
        f"It calls itself {found!r}: set iam.issuer to that.",
    )


def _clock(client: httpx.Client, issuer: str) -> tuple[bool, str, str]:
    theirs = parsedate_to_datetime(_discovery_answer(client, issuer).headers["date"])
    skew = abs((dt.datetime.now(dt.UTC) - theirs).total_seconds())
    return skew <= CLOCK_SKEW, f"{skew:.0f} s from IAM's", "Synchronise the clock: apt-get install chrony."


def _sts(client: httpx.Client, url: str) -> tuple[bool, str, str]:
    answer = client.post(url, data={"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"})
    well = answer.status_code in (400, 403) and "<Code>" in answer.text
    return well, f"{url} answers", f"{url} answers with {answer.status_code}, not as STS does: correct storage.sts_url."


def _store(client: httpx.Client, url: str) -> tuple[bool, str, str]:
    answer = client.get(url)
    well = answer.status_code in (200, 403) and "xml" in answer.headers.get("content-type", "")
    return well, f"{url} answers", f"{url} answers with {answer.status_code}, not as S3 does: correct storage.url."
