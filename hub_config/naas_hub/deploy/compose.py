"""From ``naas.yaml`` to a folder for `docker compose`: who runs as whom, who sees which file, what the parts read."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from naas_client.catalogue import FolderSource
from naas_client.errors import InvalidInput
from naas_client.files import write_private_json
from naas_client.settings import load_document, read_secret

from naas_hub.deploy.certificate import read_certificate
from naas_hub.deploy.checks import check, offers_cvmfs
from naas_hub.deploy.folder import MARK, DeployFolder, File, fernet_key, hexadecimal, is_free
from naas_hub.deploy.settings import DeploySection
from naas_hub.settings import load_site

UIDS = {"web": 19001, "proxy": 19002, "gateway": 19003, "postgres": 19004}
"""Below people's (`hub.first_uid`), above the system's; the hub alone is root."""

GENERATED = {
    "hub-token": ("gateway", hexadecimal),
    "gateway-keys": ("gateway", fernet_key),
    "proxy-token": ("proxy", hexadecimal),
    "cookie-secret": ("hub", hexadecimal),
    "crypt-key": ("hub", hexadecimal),
}
"""Name → the part that owns it. The hub reads also what is another part's."""

OPERATORS = {
    ("iam", "client_secret_file"): "iam-client-secret",
    ("iam", "second_client_secret_file"): "iam-second-client-secret",
    ("storage", "admin_access_key_file"): "store-access-key",
    ("storage", "admin_secret_key_file"): "store-secret-key",
    ("healthchecks", "admin_key_file"): "healthchecks-admin-key",
}
"""Secrets that ``naas.yaml`` names; the gateway gets copies."""

OF_HUB = {"hub-token", "proxy-token", "cookie-secret", "crypt-key", "iam-client-secret"}

TEMPLATES = Environment(
    loader=PackageLoader("naas_hub.deploy"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - YAML: what is put in goes through `value`
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters["value"] = lambda value: json.dumps(value).replace("$", "$$")


class Compose:
    """The deployment that a settings file describes.

    Parameters: ``config``, the operator's ``naas.yaml``; ``folder``, where it is written to. Raises InvalidInput with path and remedy
    for what cannot be deployed.
    """

    def __init__(self, config: Path, folder: Path) -> None:
        self.settings = load_site(config)
        self.given = load_document(config)
        self.folder = DeployFolder(folder)
        check(self.given, self.settings, str(config))
        hub = self.given.get("hub") or {}
        self.data = (Path(hub["data_dir"]) if "data_dir" in hub else self.folder.root / "data").resolve()
        self._check_apart()
        self.secrets = self._operators_secrets()
        self.fixed = {
            "deploy.name": self.deploy.name,
            "deploy.subnet": self.deploy.subnet,
            "hub.data_dir": str(self.data),
        }
        self.folder.check(self.fixed)
        # Also not that of a `naas up`: its databases know whose each home is, and new ones might give a name to somebody else.
        if not (is_free(self.data) or (self.data / MARK).exists()):
            raise InvalidInput(
                f"hub.data_dir: {self.data} is not empty, and `naas deploy compose` did not make it. Name a new folder.",
                code="not-ours",
            )

    def _check_apart(self) -> None:
        """Raises InvalidInput when people would find databases or secrets in a folder of the host."""
        for shared in self.settings.hub.host_folders:
            path = shared.path.resolve()
            for own in (self.folder.root, self.data):
                if path.is_relative_to(own) or own.is_relative_to(path):
                    raise InvalidInput(
                        f"hub.host_folders: {shared.name}: {shared.path} and {own} lie in one another. Name a folder outside.",
                        code="bad-settings",
                    )

    @property
    def deploy(self) -> DeploySection:
        """Its own section."""
        return self.settings.deploy

    @property
    def url(self) -> str:
        """Its public address."""
        return self.settings.gateway.public_hub_url

    @property
    def images(self) -> list[str]:
        """Those that must be on the machine."""
        deploy, docker = self.deploy, self.settings.hub.docker
        database = [deploy.postgres_image] if self.has_postgres else []
        return [deploy.hub_image, deploy.web_image, *database, docker.agent_image, docker.image]

    @property
    def _cvmfs(self) -> Path | None:
        """Where the machine has CVMFS, if a profile offers it."""
        return self.settings.hub.cvmfs.path if offers_cvmfs(self.settings) else None

    @property
    def shown(self) -> list[Path]:
        """Folders of the machine in which the hub must see what is mounted later."""
        return [*(folder.path for folder in self.settings.hub.host_folders), *([self._cvmfs] if self._cvmfs else [])]

    @property
    def has_postgres(self) -> bool:
        """Whether the database is ours; not so when the operator names others for hub and gateway."""
        return not ("db_url" in (self.given.get("hub") or {}) and "database_url" in (self.given.get("gateway") or {}))

    @property
    def _address(self) -> str:
        """This machine in the servers' network; where its parts listen for servers."""
        return str(IPv4Network(self.deploy.subnet)[1])

    @property
    def _loopback(self) -> str:
        """An address of the machine's own for the proxy's API; each installation has another."""
        _, *rest = self._address.split(".")
        return ".".join(("127", *rest))

    def _operators_secrets(self) -> dict[str, bytes]:
        """Copies of the secrets that the operator names, by their name here."""
        found = {}
        for (section, key), name in OPERATORS.items():
            path = getattr(getattr(self.settings, section), key)
            if path is not None:
                shortest = 1 if key == "admin_access_key_file" else 16
                found[name] = read_secret(path, f"{section}.{key}", shortest=shortest).encode() + b"\n"
        if self.deploy.certificate_file is not None and self.deploy.certificate_key_file is not None:
            host = urlsplit(self.url).hostname or ""
            pair = read_certificate(self.deploy.certificate_file, self.deploy.certificate_key_file, host)
            found["certificate"], found["certificate-key"] = pair
        return found

    def effective(self) -> dict[str, Any]:
        """The settings that hub and gateway read."""
        gateway, hub = f"http://{self._address}:8183", f"http://{self._address}:8081"
        ours: dict[str, dict[str, Any]] = {
            "gateway": {
                "url": gateway,
                "hub_api_url": f"{hub}/hub/api",
                "keys_file": "/run/secrets/gateway-keys",
                "hub_token_file": "/run/secrets/hub-token",
                "database_url": "postgresql+asyncpg://gateway@/gateway?host=/run/postgresql",
            },
            "hub": {
                "bind_url": self.url,
                "hub_bind_url": hub,
                "proxy_api_url": f"http://{self._loopback}:8001",
                "proxy_token_file": "/run/secrets/proxy-token",
                "cookie_secret_file": "/run/secrets/cookie-secret",
                "crypt_key_file": "/run/secrets/crypt-key",
                "db_url": "postgresql+psycopg2://hub@/hub?host=/run/postgresql",
                "spawner": "docker",
            },
            "catalogue": {"cache": "/var/lib/naas/catalogue"},
        }
        document = {name: value for name, value in self.given.items() if name != "deploy"}
        for section, values in ours.items():
            document[section] = {**values, **(document.get(section) or {})}
        for (section, key), name in OPERATORS.items():
            if name in self.secrets:
                document[section] = {**document[section], key: f"/run/secrets/{name}"}
        containers = {"prefix": self.deploy.name, "network": self.deploy.name}
        document["hub"] |= {
            "data_dir": str(self.data),
            "docker": {**(document["hub"].get("docker") or {}), **containers},
        }
        return document

    def write(self) -> list[str]:
        """Write the folder; what has changed, a line each. Needs root, because the parts' files have owners."""
        folder = self.folder
        folder.begin(self.fixed)
        self._make_data()
        for name, (part, make) in GENERATED.items():
            folder.secret(name, UIDS.get(part, 0), make)
        for name, content in self.secrets.items():
            folder.write(File(f"secrets/{name}", content, UIDS["web" if name.startswith("certificate") else "gateway"]))
        folder.remove_others("secrets", {*GENERATED, *self.secrets})
        written = self._config()
        for file in [*written, *self._for_compose(written)]:
            folder.write(file)
        return folder.changes

    def _make_data(self) -> None:
        folder, data = self.folder, self.data
        folder.folder(data, mode=0o711)
        write_private_json(data / MARK, self.fixed)
        for path, part, mode in (
            *(("run", "", 0o711), ("run/mounts", "", 0o711), ("hub", "", 0o700), ("sockets", "", 0o711)),
            *((part, part, 0o700) for part in ("web", "proxy", "gateway", "postgres")),
            *((f"sockets/{part}", part, 0o711) for part in ("proxy", "postgres")),
        ):
            folder.folder(data / path, UIDS.get(part, 0), mode)

    def _config(self) -> list[File]:
        """What the parts read."""
        accounts = [("hub", 0), *UIDS.items()]
        passwd = "".join(f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n" for name, uid in accounts)
        start = TEMPLATES.get_template("start-postgres.sh").render()
        return [
            File("config/naas.yaml", yaml.safe_dump(self.effective(), sort_keys=False).encode(), UIDS["gateway"]),
            File("config/Caddyfile", self._render("Caddyfile.j2").encode(), UIDS["web"]),
            File("config/passwd", passwd.encode(), mode=0o644),
            File("config/start-postgres.sh", start.encode(), mode=0o644),
        ]

    def _for_compose(self, config: Iterable[File]) -> list[File]:
        """What `docker compose` and its user read."""
        secrets = {
            "web": [name for name in self.secrets if name.startswith("certificate")],
            "proxy": ["proxy-token"],
            "hub": sorted(OF_HUB & {*GENERATED, *self.secrets}),
            "gateway": [
                "hub-token",
                "gateway-keys",
                *(name for name in self.secrets if not name.startswith("certificate")),
            ],
        }
        reads = {
            "web": ["config/Caddyfile"],
            "proxy": [],
            "hub": ["config/naas.yaml", "config/passwd"],
            "gateway": ["config/naas.yaml"],
            "postgres": ["config/passwd", "config/start-postgres.sh"],
        }
        contents = {file.path: file.content for file in config}
        revision = {
            part: self._revision([*(contents[path] for path in paths), *map(self._secret, secrets.get(part, []))])
            for part, paths in reads.items()
        }
        compose = self._render("compose.yaml.j2", secrets=secrets, revision=revision)
        return [
            File("compose.yaml", compose.encode(), mode=0o644),
            File(".env", f"COMPOSE_PROJECT_NAME={self.deploy.name}\n".encode(), mode=0o644),
            File("README.md", self._render("README.md.j2").encode(), mode=0o644),
        ]

    def _secret(self, name: str) -> bytes:
        return (self.folder.root / "secrets" / name).read_bytes()

    def _revision(self, contents: Iterable[bytes]) -> str:
        """Another one when a file has changed, so that `up` makes the container anew; it tells nothing of secrets."""
        digest = hmac.new(self._secret("cookie-secret"), digestmod=hashlib.sha256)
        for content in contents:
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]

    def _render(self, template: str, **more: Any) -> str:
        parts = urlsplit(self.url)
        settings = self.settings
        return TEMPLATES.get_template(template).render(
            deploy=self.deploy,
            url=self.url,
            host=parts.hostname,
            port=parts.port or 443,
            data=str(self.data),
            hub=f"http://{self._address}:8081",
            gateway=f"http://{self._address}:8183",
            loopback=self._loopback,
            uid={name: f"{uid}:{uid}" for name, uid in UIDS.items()},
            postgres=self.has_postgres,
            agent_image=settings.hub.docker.agent_image,
            host_folders=[str(folder.path) for folder in settings.hub.host_folders],
            cvmfs=str(self._cvmfs or ""),
            own_pages=[
                *map(str, settings.hub.template_paths),
                *([str(settings.site.logo)] if settings.site.logo else []),
            ],
            catalogues=sorted({str(one.path) for one in settings.catalogue.sources if isinstance(one, FolderSource)}),
            all_secrets=sorted({*GENERATED, *self.secrets}),
            bind=self._bind,
            **more,
        )

    def _bind(self, source: str, target: str, *, read_only: bool = False, propagation: str = "") -> str:
        """A bind mount, as Compose's long form."""
        document: dict[str, Any] = {"type": "bind", "source": str(self.folder.root / source), "target": target}
        document |= {"read_only": True} if read_only else {}
        document |= {"bind": {"propagation": propagation}} if propagation else {}
        return str(TEMPLATES.filters["value"](document))
