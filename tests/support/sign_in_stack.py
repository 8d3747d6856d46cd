"""The parts that a sign-in needs, each a real process: IAM, gateway, proxy, hub. No servers are started, so no launcher."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from naas_client.files import secret_file, write_private
from naas_client.processes import find_program
from naas_client.sign_in import HEALTH
from naas_local.iam import EmbeddedIam, embedded_iam
from naas_local.parts import PartSpec, RunningPart
from naas_local.ports import free_port

PROXY = Path(__file__).parents[2] / "local_cloud" / "node_modules" / ".bin" / "configurable-http-proxy"
API = "/services/naas/api/v1"
SECRETS = ("client-secret", "hub-token", "proxy-token", "cookie-secret", "crypt-key")


@dataclass
class Stack:
    """The running parts. ``url``: what browsers use; ``logs``: one file a part."""

    folder: Path
    url: str
    iam: EmbeddedIam
    settings: dict[str, Any]
    specs: dict[str, PartSpec]
    parts: dict[str, RunningPart] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Folder of the logs of gateway, proxy and hub."""
        return self.folder / "logs"

    def log(self, part: str) -> str:
        """What a part has written so far."""
        return (self.logs / f"{part}.log").read_text()

    def secret(self, name: str) -> str:
        """One of the secrets that the parts share."""
        return (self.folder / "secrets" / name).read_text().strip()

    def start(self, part: str) -> None:
        """Start a part that `stop` has ended, and wait until it answers."""
        self.launch(part)
        self.parts[part].wait_ready()

    def launch(self, part: str) -> None:
        """Start a part and do not wait."""
        self.parts[part] = RunningPart(self.specs[part], self.logs / f"{part}.log")

    def stop(self, part: str) -> None:
        """End a part; the others go on."""
        self.parts[part].terminate()
        self.parts[part].wait_stopped()


def _settings(folder: Path, ports: dict[str, int]) -> dict[str, Any]:
    def address(part: str) -> str:
        return f"http://127.0.0.1:{ports[part]}"

    files = {name: str(folder / "secrets" / name) for name in SECRETS}
    return {
        "iam": {"issuer": address("iam"), "client_secret_file": files["client-secret"]},
        "gateway": {
            "url": address("gateway"),
            "database_url": f"sqlite+aiosqlite:///{folder}/gateway.sqlite",
            "keys_file": str(folder / "secrets" / "keys"),
            "hub_token_file": files["hub-token"],
            "hub_api_url": f"{address('hub')}/hub/api",
            "public_hub_url": address("public"),
        },
        "hub": {
            "bind_url": address("public"),
            "hub_bind_url": address("hub"),
            "proxy_api_url": address("proxy"),
            "proxy_token_file": files["proxy-token"],
            "cookie_secret_file": files["cookie-secret"],
            "crypt_key_file": files["crypt-key"],
            "db_url": f"sqlite:///{folder}/hub.sqlite",
            "data_dir": str(folder / "data"),
        },
    }


def _specs(folder: Path, ports: dict[str, int], settings: dict[str, Any]) -> dict[str, PartSpec]:
    gateway, hub, proxy = (f"http://127.0.0.1:{ports[part]}" for part in ("gateway", "hub", "proxy"))
    environment = {"NAAS_CONFIG": str(folder / "naas.yaml")}
    argv = (find_program("node") or "node", str(PROXY), "--ip", "127.0.0.1", "--port", str(ports["public"]))
    target = ("--api-ip", "127.0.0.1", "--api-port", str(ports["proxy"]), "--default-target", hub)
    token = {"CONFIGPROXY_AUTH_TOKEN": (folder / "secrets" / "proxy-token").read_text()}
    found = {
        "gateway": PartSpec(
            "gateway", (sys.executable, "-m", "naas_gateway"), f"{gateway}{API}/health", environment=environment
        ),
        "proxy": PartSpec("proxy", (*argv, *target), f"{proxy}/api/routes", environment=token),
        "hub": PartSpec(
            "hub", (sys.executable, "-m", "naas_hub"), f"{hub}/hub/health", environment=environment, stop_limit=30
        ),
    }
    if sign_in := settings.get("healthchecks", {}).get("sign_in"):
        argv, ready = (sys.executable, "-m", "naas_gateway.sign_in_proxy"), f"{sign_in['listen']}{HEALTH}"
        found["sign-in"] = PartSpec("sign-in", argv, ready, environment=environment)
    return found


@contextlib.contextmanager
def sign_in_stack(folder: Path, more: dict[str, dict[str, Any]] | None = None, **iam_options: Any) -> Iterator[Stack]:
    """Start IAM, gateway, proxy and hub; they end with the `with` block.

    Parameters: ``more``, settings by section, added to those that make the parts find each other; ``iam_options``, as for `embedded_iam`.
    """
    ports: dict[str, int] = {}
    while len(set(ports.values())) < 5:
        ports = {name: free_port() for name in ("public", "iam", "gateway", "proxy", "hub")}
    for name in SECRETS:
        secret_file(folder / "secrets" / name)
    settings = _settings(folder, ports)
    for section, values in (more or {}).items():
        settings[section] = {**settings.get(section, {}), **values}
    write_private(folder / "naas.yaml", yaml.safe_dump(settings))
    specs = _specs(folder, ports, settings)
    url = f"http://127.0.0.1:{ports['public']}"
    secret = (folder / "secrets" / "client-secret").read_text().strip()
    with contextlib.ExitStack() as stack:
        iam = stack.enter_context(
            embedded_iam(folder, hub_url=url, client_secret=secret, port=ports["iam"], **iam_options)
        )
        found = Stack(folder, url, iam, settings, specs)
        stack.callback(_stop_all, found)
        found.logs.mkdir()
        for part in specs:
            found.launch(part)
        for launched in found.parts.values():
            launched.wait_ready()
        yield found


def _stop_all(stack: Stack) -> None:
    for part in reversed(list(stack.parts)):
        with contextlib.suppress(ProcessLookupError):
            stack.stop(part)
