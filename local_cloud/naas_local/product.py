"""The parts of the whole product on one machine: their settings, their command lines, their order."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from naas_client import settings
from naas_client.errors import InvalidInput, Unavailable
from naas_client.files import write_private
from naas_client.folders import HostFolder, HostFolders, check_host_folders
from naas_client.gateway import API_PATH
from naas_client.processes import find_program
from naas_client.sign_in import HEALTH, SignInSection
from pydantic import BaseModel, Field

from naas_local import ceph, healthchecks, iam, store
from naas_local.data import DataFolder
from naas_local.parts import HARMLESS, PartSpec
from naas_local.ports import LOOPBACK

VERSION = importlib.metadata.version("jupyterhub-naas")
NODE_MODULES = Path(__file__).parents[1] / "node_modules"
_ROOT = Path(__file__).parents[2]
CHECKOUT = _ROOT if (_ROOT / "setup.py").exists() else None
"""The checkout this runs from, or None when it was installed from a wheel."""
OF_A_REAL_IAM = ("client_secret_file", "second_client_id", "second_client_secret_file", "cli_client_id")
GROUP_TEXTS = {
    "users/naas": "Notebooks",
    "users/s3": "Cloud storage in notebooks",
    "developers": "More cores and memory",
}
IAM_HOST = "127.0.0.2"
"""The embedded IAM has a host of its own: browsers share cookies between ports of one host, and IAM's session is not for the hub."""
PORTS = ("iam", "store", "healthchecks", "gateway", "hub", "proxy")
CEPH_PORTS = ("mon", "rgw")
CEPH_SHARE = 4
"""People that may fill their quota before the Ceph on this machine is full; the default quota follows from it."""
CHOSEN_HERE = {
    "gateway": ("url", "hub_api_url"),
    "hub": ("bind_url", "hub_bind_url", "hub_connect_url", "proxy_api_url", "proxy_token_file", "data_dir"),
    "hub.docker": ("prefix", "network"),
}
"""Keys of ``naas.yaml`` that follow from ``--port`` and ``--data``: another value would leave parts looking for each other."""


class Product:
    """One installation: the data folder, the operator's ``naas.yaml`` (or none), and the ports chosen for it.

    What the file leaves out is filled in so that the embedded cloud serves it; what it sets (``iam.issuer``,
    ``storage.url``, ``healthchecks.url``) switches the embedded counterpart off.
    """

    def __init__(
        self,
        data: DataFolder,
        config: Path | None,
        port: int | None,
        object_store: str | None = None,
        spawner: str | None = None,
    ) -> None:
        self.data = data
        self.given = settings.load_document(config) if config else {}
        self.shared = settings.validate(self.given, settings.SharedSettings, str(config or "defaults"))
        _refuse_chosen(self.given, str(config))
        self.embedded_iam = "issuer" not in (self.given.get("iam") or {})
        self.embedded_healthchecks = "url" not in _section(self.given, "healthchecks")
        self.object_store = self._choose_store(object_store)
        self.ports = data.choose_ports((*PORTS, *CEPH_PORTS) if self.object_store == "ceph" else PORTS, port)
        self.url = f"http://{LOOPBACK}:{self.ports['public']}"
        self.as_root = os.geteuid() == 0
        self.spawner = self._choose_spawner(spawner, str(config))
        self.inner_host = self._container_network() if self.spawner == "docker" else LOOPBACK
        """Where servers reach hub, gateway and store."""
        self.data.remember_spawner(self.spawner)
        self.host_folders = _host_folders(self.given, data.root, str(config))

    def _choose_spawner(self, wanted: str | None, source: str) -> str:
        given = _section(self.given, "hub").get("spawner")
        if wanted and given and wanted != given:
            raise InvalidInput(
                f"{source}: hub.spawner is {given}. Remove it there, or leave out --spawner {wanted}.",
                code="bad-settings",
            )
        return wanted or given or self.data.spawner

    def _choose_store(self, wanted: str | None) -> str:
        """ "embedded", "ceph", or empty for the operator's own."""
        if "url" in (self.given.get("storage") or {}):
            if wanted:
                raise InvalidInput("storage.url names a store already. Remove it, or leave out --object-store.")
            return ""
        if "ceph" in (wanted, self.data.object_store) and (reason := ceph.missing_programs()):
            raise Unavailable(reason, code="no-ceph")
        return self.data.choose_object_store(wanted)

    @property
    def installation(self) -> str:
        """Names our containers and their network on an engine that others use as well."""
        return f"naas-{self.ports['public']}"

    def _container_network(self) -> str:
        if not self.as_root:
            raise InvalidInput(
                "Servers in containers need root: people's homes and the mount helper. Start `sudo naas up --spawner docker`.",
                code="not-root",
            )
        from naas_spawner.docker.containers import Engine

        engine = Engine()
        if missing := engine.missing_images([f"naas/{name}:{VERSION}" for name in ("lab", "agent")]):
            raise InvalidInput(f"{', '.join(missing)}: not built yet. Run `make images`.", code="no-images")
        return engine.network(self.installation)

    def _address(self, part: str) -> str:
        host = {"iam": IAM_HOST, "proxy": LOOPBACK}.get(part, self.inner_host)
        return f"http://{host}:{self.ports[part]}"

    @property
    def issuer(self) -> str:
        """The IAM people sign in with: the embedded one's address or the operator's."""
        return self._address("iam") if self.embedded_iam else self.shared.iam.issuer

    def write_site(self) -> None:
        """Write the effective settings that all parts read."""
        gateway, hub = self.data.part("gateway"), self.data.part("hub")
        secret = self.data.secret
        found: dict[str, dict[str, Any]] = {
            "iam": {"issuer": self.issuer},
            "storage": self._storage_settings(),
            "gateway": {
                "url": self._address("gateway"),
                "database_url": f"sqlite+aiosqlite:///{gateway}/gateway.sqlite",
                "keys_file": str(gateway / "keys"),
                "hub_token_file": str(secret("hub-token")),
                "hub_api_url": f"{self._address('hub')}/hub/api",
                "public_hub_url": self.url,
            },
            "catalogue": {"cache": str(gateway / "catalogue")},
            "hub": {
                "bind_url": self.url,
                "hub_bind_url": self._address("hub"),
                "proxy_api_url": self._address("proxy"),
                "proxy_token_file": str(secret("proxy-token")),
                "cookie_secret_file": str(secret("cookie-secret")),
                "crypt_key_file": str(secret("crypt-key")),
                "db_url": f"sqlite:///{hub}/jupyterhub.sqlite",
                "data_dir": str(self.data.root),
                "spawner": self.spawner,
                **self._container_settings(),
                **({"examples_dir": str(CHECKOUT / "examples")} if CHECKOUT else {}),
            },
        }
        if self.embedded_iam:
            found["iam"]["client_secret_file"] = str(secret("iam-client-secret"))
            found["iam"]["cli_client_id"] = iam.CLI_CLIENT
            found["groups"] = {group: {"description": text} for group, text in GROUP_TEXTS.items()}
        if self.embedded_healthchecks:
            address = self._address("healthchecks")
            admin_key = self.data.part("healthchecks") / healthchecks.ADMIN_KEY
            found["healthchecks"] = {"url": address, "ping_url": f"{address}/ping", "admin_key_file": str(admin_key)}
        if self.shared.healthchecks.sign_in:
            found.setdefault("healthchecks", {})["sign_in"] = {"token_file": str(secret("sign-in-token"))}
        write_private(self.data.site, yaml.safe_dump(_over(found, self.given), sort_keys=False))

    def specs(self) -> list[PartSpec]:
        """The parts in the order of their start; they end in the reverse order."""
        parts = []
        if self.embedded_iam:
            parts.append(self._iam())
        if self.object_store == "embedded":
            parts.append(self._store())
        elif self.object_store == "ceph":
            parts += self._ceph[1]
        if self.embedded_healthchecks:
            parts.append(self._healthchecks())
        parts += [self._gateway(), self._proxy()]
        if proxy := self.shared.healthchecks.sign_in:
            parts.append(self._sign_in(proxy))
        if self.as_root:
            parts.append(self._mounts())
        return [*parts, self._containers() if self.spawner == "docker" else self._launcher(), self._hub()]

    def reachable_paths(self) -> list[Path]:
        """What people's servers must be able to reach: Python, this package, its examples, the data folder, folders of the host."""
        paths = [Path(sys.prefix), Path(sys.base_prefix), self.data.root]
        paths += [folder.path for folder in self.host_folders]
        return [*paths, CHECKOUT] if CHECKOUT else paths

    def read_only_paths(self) -> list[Path]:
        """Folders of the host in which no server writes."""
        return [folder.path for folder in self.host_folders if folder.read_only]

    def _iam(self) -> PartSpec:
        return iam.prepare(
            self.data.part("iam"),
            self.ports["iam"],
            hub_url=self.url,
            client_id=self.shared.iam.client_id,
            client_secret=self.data.secret("iam-client-secret").read_text().strip(),
            client_name=self.shared.site.name,
            include_authn_info=True,
            host=IAM_HOST,
        )

    def _store(self) -> PartSpec:
        storage = self.shared.storage
        return store.prepare(
            self.data.part("store"),
            self.ports["store"],
            host=self.inner_host,
            issuer=self.issuer,
            audience=storage.audience,
            role_arn=storage.role_arn,
            storage_groups=self.shared.capabilities.get("storage", []),
            scratch_bucket=storage.scratch_bucket,
            folders=storage.folders,
            region=storage.region,
        )

    def _healthchecks(self) -> PartSpec:
        return healthchecks.prepare(
            self.data.part("healthchecks"),
            self.ports["healthchecks"],
            host=self.inner_host,
            mail=self.shared.mail.model_dump(mode="json"),
        )

    @functools.cached_property
    def _ceph(self) -> tuple[ceph.CephConfig, list[PartSpec]]:
        storage = self.shared.storage
        return ceph.prepare(
            self.data.part("ceph"),
            self.ports["mon"],
            [self.ports["rgw"]],
            rgw_host=self.inner_host,
            issuer=self.issuer,
            audience=storage.audience,
            role_arn=storage.role_arn,
            scratch_bucket=storage.scratch_bucket,
            region=storage.region,
            needs=("iam",),
        )

    def _storage_settings(self) -> dict[str, Any]:
        if self.object_store != "ceph":
            admin = {"admin_secret_key_file": str(self.data.part("store") / store.ADMIN_KEY)}
            return {"url": self._address("store"), **(admin if self.object_store == "embedded" else {})}
        found, _ = self._ceph
        return {
            "url": found.url(),
            "provisioner": "rgw",
            "admin_access_key_file": str(found.access_key_file),
            "admin_secret_key_file": str(found.secret_key_file),
            "quota": min(self.shared.storage.quota, found.size // CEPH_SHARE),
        }

    def _python(self, name: str, module: str, ready: str | Path, *arguments: str, **more: Any) -> PartSpec:
        environment = {"NAAS_CONFIG": str(self.data.site)}
        return PartSpec(name, (sys.executable, "-m", module, *arguments), ready, environment=environment, **more)

    def _gateway(self) -> PartSpec:
        address = self._address("gateway")
        return self._python(
            "gateway", "naas_gateway", f"{address}{API_PATH}/health", url=f"{self.url}{API_PATH}/health"
        )

    def _proxy(self) -> PartSpec:
        program = NODE_MODULES / ".bin" / "configurable-http-proxy"
        if not program.exists():
            raise InvalidInput("The proxy is not installed. Run `make install`.")
        node = find_program("node") or "node"
        argv = (
            *(node, str(program), "--ip", LOOPBACK, "--port", str(self.ports["public"])),
            *("--api-ip", LOOPBACK, "--api-port", str(self.ports["proxy"])),
            *("--storage-backend", str(Path(__file__).with_name("routes.cjs"))),
            *("--default-target", self._address("hub"), "--error-target", f"{self._address('hub')}/hub/error"),
        )
        secrets = {"CONFIGPROXY_AUTH_TOKEN": self.data.secret("proxy-token")}
        routes = {"NAAS_PROXY_ROUTES": str(self.data.part("proxy") / "routes.json")}
        ready = f"{self._address('proxy')}/api/routes"
        return PartSpec("proxy", argv, ready, url=self.url, environment=routes, secrets=secrets)

    def _sign_in(self, proxy: SignInSection) -> PartSpec:
        if self.as_root and self.spawner == "local" and not proxy.socket:
            raise InvalidInput(
                "healthchecks.sign_in.upstream: people's servers are processes of this machine, so they reach a port of it and could "
                "be anyone at the Healthchecks server. Have it listen on a Unix socket in a private folder, and give unix:/path/of/it.",
                code="bad-settings",
            )
        return self._python("sign-in", "naas_gateway.sign_in_proxy", f"{proxy.listen}{HEALTH}", url=proxy.public_url)

    def _mounts(self) -> PartSpec:
        data = self.data
        arguments = ["--base", str(data.mounts), "--socket", str(data.mounts_socket)]
        # Containers see what is mounted where their engine is.
        namespace = self.spawner == "local"
        arguments += [] if namespace else ["--end-clean"]
        return self._python(
            "mounts", "naas_storage.mounts", data.mounts_socket, *arguments, namespace=namespace, inherits=HARMLESS
        )

    def _containers(self) -> PartSpec:
        arguments = ("--installation", self.installation, "--socket", str(self.data.containers_socket))
        return self._python(
            "containers", "naas_spawner.docker.containers", self.data.containers_socket, *arguments, stop_limit=120
        )

    def _container_settings(self) -> dict[str, Any]:
        if self.spawner != "docker":
            return {}
        return {"docker": {"prefix": self.installation, "network": self.installation}}

    def _launcher(self) -> PartSpec:
        data = self.data
        arguments = ("--socket", str(data.launcher_socket), "--state", str(data.run / "launcher.json"))
        place: dict[str, Any] = {"namespace": True, "inherits": HARMLESS, "stop_limit": 90}
        return self._python("launcher", "naas_spawner.launcher", data.launcher_socket, *arguments, **place)

    def _hub(self) -> PartSpec:
        return self._python(
            "hub",
            "naas_hub",
            f"{self.url}/hub/health",
            url=f"{self.url}/hub/",
            needs=("proxy",),
            stop_limit=30,
        )


def _over(found: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What was found, and above it what the operator gave, key by key at every depth."""
    nested = {key: _over(value, given.get(key) or {}) for key, value in found.items() if isinstance(value, dict)}
    return {**found, **given, **nested}


class _Hub(BaseModel):
    """The one key of the hub's section that is ours as well."""

    host_folders: HostFolders = Field(default_factory=list)


class _HubOnly(BaseModel):
    hub: _Hub = Field(default_factory=_Hub)


def _host_folders(given: dict[str, Any], data: Path, source: str) -> list[HostFolder]:
    """The folders of the host. Raises InvalidInput for one that is not there, or that lies around or in the data folder."""
    folders = settings.validate({"hub": given.get("hub") or {}}, _HubOnly, source).hub.host_folders
    check_host_folders(folders)
    for folder in folders:
        path = folder.path.resolve()
        if path.is_relative_to(data) or data.is_relative_to(path):
            raise InvalidInput(
                f"hub.host_folders: {folder.name}: {folder.path} and the data folder {data} lie in one another. "
                "Name a folder outside.",
                code="bad-settings",
            )
    return folders


def _section(given: dict[str, Any], path: str) -> dict[str, Any]:
    """What the operator set below a dotted path; empty when that is nothing, or no section at all (which is refused later)."""
    for step in path.split("."):
        below = given.get(step)
        given = below if isinstance(below, dict) else {}
    return given


def _refuse_chosen(given: dict[str, Any], source: str) -> None:
    keys = [
        f"{section}.{key}" for section, own in CHOSEN_HERE.items() for key in own if key in _section(given, section)
    ]
    iam = given.get("iam") or {}
    orphans = [] if "issuer" in iam else [f"iam.{key}" for key in OF_A_REAL_IAM if key in iam]
    if orphans:
        raise InvalidInput(
            f"{source}: {', '.join(orphans)}: belongs to a real IAM. Set iam.issuer too, or remove it.",
            code="bad-settings",
        )
    if keys:
        raise InvalidInput(
            f"{source}: {', '.join(keys)}: `naas up` chooses this itself, by --port and --data. Remove it.",
            code="bad-settings",
        )
