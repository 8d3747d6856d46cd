"""The whole of ``naas.yaml``: the sections that all parts read, the hub's own, and the profiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from naas_client.cvmfs import MOUNT_DIR, RepositoryName
from naas_client.errors import InvalidInput
from naas_client.folders import HostFolders, host_path
from naas_client.settings import HttpAddress, Section, SharedSettings, load, read_secret
from naas_client.sizes import Size
from naas_spawner.gpus import GpuSources
from naas_spawner.profiles import Profiles, default_profiles, opens
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from naas_hub.deploy.settings import VERSION, DeploySection

KEY = re.compile(r"[0-9a-fA-F]{64}")
"""What cookie secret and encryption keys look like: 32 bytes in hexadecimal digits."""


def _origin(value: str) -> str:
    if urlsplit(value).path:
        raise ValueError("give scheme, host and port only, for example http://127.0.0.1:8081")
    return value


Origin = Annotated[HttpAddress, AfterValidator(_origin)]


class DockerSection(Section):
    """Servers in containers (`hub.spawner: docker`)."""

    image: str = Field(
        f"naas/lab:{VERSION}",
        min_length=1,
        description="image of a profile that names none",
        examples=["harbor.example.org/naas/lab:2026.11"],
    )
    agent_image: str = Field(
        f"naas/agent:{VERSION}", min_length=1, description="image of the side containers that connect people's folders"
    )
    prefix: str = Field(
        "naas",
        pattern=r"^[a-z0-9][a-z0-9-]{0,30}$",
        description="begins the names of all our containers; each installation on one engine needs its own",
    )
    network: str = Field(
        "naas",
        min_length=1,
        description="network of the servers, in which hub, gateway and store answer; never the engine's default",
    )
    agent_memory: Size = Field(2 * 2**30, ge=2**28, description="memory of a side container", examples=["2G"])
    pids_limit: int = Field(2048, ge=64, description="processes and threads of one server")
    tmp_size: Size = Field(
        4 * 2**30,
        ge=2**20,
        description="largest size of /tmp in a server; it counts as memory and is never more than a quarter of it",
        examples=["1G"],
    )


class CvmfsSection(Section):
    """Software from CVMFS on the machine where servers run."""

    path: Annotated[Path, AfterValidator(host_path)] = Field(
        MOUNT_DIR,
        description="folder of the machine in which repositories are mounted; containers have it at `/cvmfs`, read-only",
    )
    repositories: dict[RepositoryName, Annotated[str, Field(max_length=80)]] = Field(
        default_factory=dict,
        description="repository → what is in it, for the spawn page. If any is named, profiles can only offer these",
        examples=[{"sft.cern.ch": "LCG releases: ROOT, Geant4, Python"}],
    )


class HubSection(Section):
    """JupyterHub itself: where it listens, what it keeps, how much it may start."""

    bind_url: HttpAddress = Field(
        "http://127.0.0.1:8000",
        description="where the proxy takes browsers' requests; a path becomes the prefix of all pages",
        examples=["http://0.0.0.0:8000/notebooks"],
    )
    hub_bind_url: Origin = Field("http://127.0.0.1:8081", description="where the hub itself listens")
    hub_connect_url: Origin | Literal[""] = Field(
        "", description="the hub as proxy and servers reach it; empty: `hub_bind_url`", examples=["http://hub:8081"]
    )
    subdomain_host: Origin | Literal[""] = Field(
        "",
        description="gives everybody a subdomain of their own, which isolates people's pages from each other; needs wildcard DNS",
        examples=["https://notebooks.example.org"],
    )
    proxy_api_url: Origin = Field("http://127.0.0.1:8001", description="API of configurable-http-proxy")
    proxy_token_file: Path | None = Field(None, description="file (0600) with the token that hub and proxy share")
    cookie_secret_file: Path | None = Field(
        None, description="file (0600) with 64 hexadecimal digits; a new value signs everybody out"
    )
    crypt_key_file: Path | None = Field(
        None,
        description="file (0600) with keys of 64 hexadecimal digits, one a line, newest first; encrypts what the hub keeps of people",
    )
    db_url: str = Field(
        "sqlite:///jupyterhub.sqlite",
        min_length=1,
        description="SQLAlchemy address of the hub's database",
        examples=["postgresql+psycopg2://hub@db.example.org/hub"],
    )
    data_dir: Path = Field(Path(".naas"), description="data folder: homes, run folders of servers, sockets")
    spawner: Literal["local", "docker"] = Field(
        "local",
        description="where people's servers run: `local`, processes on this machine; `docker`, containers on it",
    )
    docker: DockerSection = Field(default_factory=DockerSection, description="servers in containers")
    first_uid: int = Field(
        20000,
        ge=1000,
        description="first uid for people where the product runs as root; each name gets the next, for good",
    )
    examples_dir: Path | None = Field(
        None,
        description="folder with example notebooks, copied once into everybody's home",
        examples=["/etc/naas/examples"],
    )
    host_folders: HostFolders = Field(
        default_factory=list, max_length=100, description="folders of the machine that people find in their homes"
    )
    cvmfs: CvmfsSection = Field(default_factory=CvmfsSection, description="software from CVMFS")
    drain_seconds: float = Field(
        60, ge=0, description="seconds that the stop of a server waits for files on their way to the store"
    )
    concurrent_spawn_limit: int = Field(30, ge=0, description="servers that may be starting at once; 0: no limit")
    active_server_limit: int = Field(0, ge=0, description="servers that may run at once; 0: no limit")
    start_timeout: int = Field(120, ge=1, description="seconds a server may take to start")
    http_timeout: int = Field(60, ge=1, description="seconds a started server may take to answer")
    session_days: float = Field(
        1, gt=0, le=30, description="days after which a browser has to sign in again (ended access works at once)"
    )
    shutdown_on_logout: bool = Field(False, description="stop a person's server when they sign out")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    template_paths: list[Path] = Field(
        default_factory=list, description="folders with your own page templates, looked up before ours"
    )


class SiteSettings(SharedSettings):
    """Every key of ``naas.yaml``; an unknown one stops the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: HubSection = Field(default_factory=HubSection)
    profiles: Profiles = Field(default_factory=default_profiles, description="what people may start, and who may")
    gpus: GpuSources = Field(
        default_factory=list,
        description="which GPUs, or slices of them, servers can be given; empty: all that `nvidia-smi -L` finds in the hub's "
        "machine, as flavours named after the MIG profile or the card",
    )

    deploy: DeploySection = Field(default_factory=DeploySection, description="the service in containers on one machine")

    @model_validator(mode="after")
    def _flavours_exist(self) -> Self:
        flavours = {source.flavour for source in self.gpus}
        for profile in self.profiles if flavours else []:
            if strange := next((gpu.name for gpu in profile.gpu if gpu.name not in flavours), None):
                raise ValueError(
                    f"the profile {profile.slug} has the GPU {strange!r}, and `gpus` has only: {', '.join(sorted(flavours))}. "
                    "Add it there, or name another"
                )
        return self

    @model_validator(mode="after")
    def _collaborations_can_be_started(self) -> Self:
        profiles = {profile.slug: profile for profile in self.profiles}
        for shared in self.collaborations:
            if (profile := profiles.get(shared.profile)) is None:
                raise ValueError(
                    f"collaborations: the shared server of {shared.group} has the profile {shared.profile!r}, which is not in "
                    f"`profiles`. Name one of: {', '.join(profiles)}"
                )
            if not opens(profile.groups, [shared.group]):
                raise ValueError(
                    f"collaborations: the profile {shared.profile} is not open to {shared.group}. Add the group there, or name another"
                )
        return self

    @model_validator(mode="after")
    def _repositories_exist(self) -> Self:
        known = self.hub.cvmfs.repositories
        for profile in self.profiles if known else []:
            if strange := next((name for name in profile.cvmfs if name not in known), None):
                raise ValueError(
                    f"the profile {profile.slug} offers {strange!r}, and `hub.cvmfs.repositories` has only: {', '.join(known)}. "
                    "Add it there, or name another"
                )
        return self


def secret_files(settings: SiteSettings) -> dict[str, Path | None]:
    """The files that the hub needs at its start, by the path of their key."""
    return {
        "iam.client_secret_file": settings.iam.client_secret_file,
        "gateway.hub_token_file": settings.gateway.hub_token_file,
        "hub.proxy_token_file": settings.hub.proxy_token_file,
        "hub.cookie_secret_file": settings.hub.cookie_secret_file,
        "hub.crypt_key_file": settings.hub.crypt_key_file,
        **({"healthchecks.sign_in.token_file": proxy.token_file} if (proxy := settings.healthchecks.sign_in) else {}),
    }


def read_secrets(settings: SiteSettings, only_named: bool = False) -> dict[str, str]:
    """The secrets by the path of their key. Raises InvalidInput with a line for each that is missing, open to others or weak.

    Parameters: ``only_named``, leave out the keys that are not set (`naas up` sets them, with secrets of its own).
    """
    secrets: dict[str, str] = {}
    mistakes: list[str] = []
    for key, path in secret_files(settings).items():
        if only_named and path is None:
            continue
        try:
            secrets[key] = read_secret(path, key)
            if key in {"hub.cookie_secret_file", "hub.crypt_key_file"}:
                _check_keys(secrets[key], key, path)
        except InvalidInput as error:
            mistakes.append(error.message)
    if mistakes:
        raise InvalidInput("\n".join(mistakes), code="bad-secret")
    return secrets


def _check_keys(value: str, key: str, path: Path | None) -> None:
    if not all(KEY.fullmatch(line) for line in value.split()):
        raise InvalidInput(f"{key}: {path} must hold 64 hexadecimal digits. Make them with `openssl rand -hex 32`.")


def load_site(path: Path | None) -> SiteSettings:
    """Read ``naas.yaml``; None gives the defaults. Raises InvalidInput with a line per mistake."""
    return load(path, SiteSettings)
