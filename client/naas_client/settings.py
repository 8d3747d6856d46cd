"""The sections of ``naas.yaml`` that more than one room reads, and how a section is read.

The whole file is `naas_hub.settings.SiteSettings`; it alone refuses unknown top-level keys. A section's own unknown
keys are refused everywhere. Secrets are never written in the file: a key that ends in ``_file`` names a file of mode 0600.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from naas_client.addresses import is_loopback
from naas_client.catalogue import CatalogueSection
from naas_client.collaborations import Collaborations
from naas_client.errors import InvalidInput
from naas_client.folders import GroupFolder, different_names, kept_names
from naas_client.registries import Registries
from naas_client.section import Section as Section
from naas_client.sign_in import SignInSection

DEFAULT_SECRETS = frozenset(
    {"", "changeme", "change-me", "secret", "password", "test_token", "api_token_example", "default", "example"}
)
"""Values that somebody meant to replace; INFN's hubs ran with two of them."""

SHORTEST_SECRET = 16


def _http_url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("an address starts with http:// or https://")
    return value.rstrip("/")


HttpAddress = Annotated[str, AfterValidator(_http_url)]


class Link(Section):
    """A named address shown to people."""

    title: str = Field(max_length=80, examples=["User guide"])
    url: HttpAddress = Field(examples=["https://guides.example.org"])


class SiteSection(Section):
    """Who runs this service: shown on every page."""

    name: str = Field(
        "Cloud notebooks", max_length=60, description="name of the service", examples=["INFN Cloud notebooks"]
    )
    logo: Path | None = Field(
        None, description="image file for the top bar (SVG or PNG)", examples=["/etc/naas/logo.svg"]
    )
    links: list[Link] = Field(default_factory=list, description="shown in the navigation")
    contact: str = Field("", description="address people write to", examples=["cloud-support@example.org"])
    policies: list[Link] = Field(default_factory=list, description="terms and privacy, shown at sign-in")
    guides: list[Link] = Field(default_factory=list, description="shown under Help")


class MailSection(Section):
    """The SMTP server that this service sends e-mail through: alerts of the embedded Healthchecks. Without ``host`` it sends none."""

    host: str = Field("", max_length=253, examples=["smtp.example.org"])
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`tls`: from the first byte (port 465); `none`: in clear, for a relay on this machine or network",
    )
    sender: str = Field("", max_length=254, description="address that e-mails come from", examples=["naas@example.org"])
    user: str = Field("", description="name to sign in with; empty: no sign-in")
    password_file: Path | None = Field(None, description="file (0600) with its password")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and "@" not in self.sender:
            raise ValueError("sender is missing. Give the address that e-mails come from")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file belong together. Set both, or none")
        if self.user and self.security == "none" and not is_loopback(f"smtp://{self.host}"):
            raise ValueError("security: none would send the password in clear. Set starttls or tls")
        return self


class GroupSection(Section):
    """An IAM group as people should read about it."""

    description: str = Field("", max_length=200, examples=["Notebooks with your own storage"])
    join_url: HttpAddress = Field("", description="where to ask for membership; default: IAM's own page")


class IamSection(Section):
    """INDIGO IAM: where it is, which client we are, who may come in."""

    issuer: HttpAddress = Field(
        "http://127.0.0.1:8181",
        description="issuer, as in its discovery document; a trailing slash does not matter",
        examples=["https://iam.cloud.infn.it"],
    )
    client_id: str = Field("naas-hub", description="client registered in IAM for hub and gateway")
    client_secret_file: Path | None = Field(None, description="file (0600) with the client's secret")
    second_client_id: str = Field(
        "",
        description="a second client in IAM, allowed token exchange, that holds people's second grants. INDIGO IAM refuses "
        "`offline_access` in an exchange between a client and itself; empty: the same client, where IAM allows it",
        examples=["naas-gateway"],
    )
    second_client_secret_file: Path | None = Field(None, description="file (0600) with the second client's secret")
    cli_client_id: str = Field(
        "",
        description="a public client in IAM (no secret) with the device code grant, for `naas login` on people's own computers; "
        "empty: nobody signs in there",
        examples=["naas-cli"],
    )
    display_name: str = Field("INDIGO IAM", description="what the sign-in button and texts call it")
    scopes: list[str] = Field(
        ["openid", "profile", "email", "offline_access"],
        description="add `wlcg` and `wlcg.groups` for the WLCG token profile",
    )
    allowed_groups: list[str] = Field(
        ["users/naas", "admins"], description="members of any of these may use the service"
    )
    admin_groups: list[str] = Field(["admins"], description="members of any of these administer the hub")
    owners: list[str] = Field(
        default_factory=list, description="subjects (`sub`) that are always admitted as administrators"
    )
    auth_refresh_age: int = Field(
        300,
        ge=5,
        description="seconds after which claims are read again; the longest time that lost access still works",
    )

    def allows(self, groups: list[str], subject: str) -> bool:
        """Whether a person may use the service at all."""
        return subject in self.owners or not {*self.allowed_groups, *self.admin_groups}.isdisjoint(groups)

    def administers(self, groups: list[str], subject: str) -> bool:
        """Whether a person administers the hub."""
        return subject in self.owners or not set(self.admin_groups).isdisjoint(groups)


class LongLivedKeysSection(Section):
    """Keys for programs that cannot renew temporary credentials. Off until a group is named."""

    groups: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="members of any of these may make keys; empty: nobody",
        examples=[["users/s3-keys"]],
    )
    longest_days: int = Field(90, ge=1, le=366, description="longest life of a key, in days")
    most: int = Field(5, ge=1, le=50, description="keys that a person may have at a time")
    unverified_days: int = Field(
        7,
        ge=1,
        le=366,
        description="days after which the keys of somebody who has signed out end: IAM cannot be asked about them any more",
    )


class StorageSection(Section):
    """The object store and how people's credentials for it are made."""

    url: HttpAddress = Field(
        "http://127.0.0.1:8182", description="S3 endpoint as servers reach it", examples=["https://rgw.cloud.infn.it"]
    )
    endpoints: list[Annotated[HttpAddress, Field(min_length=1)]] = Field(
        default_factory=list,
        description="further sites with the same buckets, used in this order when `url` does not answer",
        examples=[["https://rgw.ba.example.org"]],
    )
    public_url: HttpAddress = Field("", description="S3 endpoint as browsers reach it; default: the same")
    sts_url: HttpAddress = Field("", description="STS endpoint; default: the same as `url`")
    region: str = "us-east-1"
    audience: str = Field("object", description="audience of the token that STS accepts")
    provisioner: Literal["embedded", "shared-role", "rgw"] = Field(
        "embedded",
        description="who makes buckets and rules. `embedded`: each person's own credentials, the store knows the rules; "
        "`shared-role`: the same on a store where one role serves all and the site's bucket policies or OPA decide; "
        "`rgw`: this service, with an admin key of Ceph RGW: a user with a quota and a role per person",
    )
    role_arn: str = Field(
        "arn:aws:iam:::role/IAMaccess",
        description="role assumed with the person's token; the provisioner `rgw` makes one per person instead",
    )
    admin_access_key_file: Path | None = Field(
        None,
        description="for `rgw`: file (0600) with the access key of an RGW user with the caps "
        "`users=*;buckets=*;roles=*` (and `user-policy=*` for `long_lived_keys`), made for this service alone",
    )
    admin_secret_key_file: Path | None = Field(
        None,
        description="for `rgw`: file (0600) with its secret key; for `embedded` with `long_lived_keys`: the store's `admin.key`",
    )
    session_seconds: int = Field(3600, ge=15, le=43200, description="life of temporary credentials")
    scratch_bucket: str = Field("scratch", description="readable by all, writable below one's own name; empty: none")
    quota: int = Field(
        200 * 2**30,
        ge=0,
        description="bytes per person; 0: none. The provisioner `rgw` sets it for new people and keeps what an operator changed "
        "with radosgw-admin; elsewhere it is for display",
    )
    folders: Annotated[list[GroupFolder], AfterValidator(different_names)] = Field(
        default_factory=list,
        max_length=500,
        description="buckets, or prefixes of them, that members of a group share. A name that is given here, of a folder or a "
        "bucket, is no new person's",
    )
    rclone: Path | None = Field(
        None, description="another rclone program for mounts and backups; default: the one that comes with this product"
    )
    long_lived_keys: LongLivedKeysSection = Field(
        default_factory=LongLivedKeysSection, description="keys for programs that cannot renew temporary credentials"
    )

    @model_validator(mode="after")
    def _keys_can_be_kept_apart(self) -> Self:
        if self.long_lived_keys.groups and self.provisioner == "shared-role":
            raise ValueError(
                "long_lived_keys.groups: with the provisioner shared-role nobody here can make keys that open one person's place "
                "only. Remove the groups, or use rgw"
            )
        return self

    @model_validator(mode="after")
    def _scratch_is_not_a_groups(self) -> StorageSection:
        for folder in self.folders:
            if self.scratch_bucket and folder.bucket == self.scratch_bucket:
                raise ValueError(
                    f"folders: {folder.name} names the bucket {folder.bucket}, which is storage.scratch_bucket and everybody's "
                    "already. Name another bucket"
                )
        return self

    @property
    def kept_names(self) -> frozenset[str]:
        """What no person is called: see `naas_client.folders.kept_names`."""
        return kept_names(self.folders)


class HealthchecksSection(Section):
    """The Healthchecks server whose checks people manage from their notebooks. Without ``url`` there is none."""

    url: HttpAddress = Field(
        "",
        description="the server as the gateway reaches it, without `/api/v3`; empty: the embedded one of `naas up`, elsewhere none",
        examples=["https://hc.cloud.infn.it"],
    )
    public_url: HttpAddress = Field("", description="the server as browsers reach it; default: the same")
    ping_url: HttpAddress = Field(
        "",
        description="what stands before the UUID in ping addresses, as servers and people's programs reach it; default: what the "
        "server itself says",
        examples=["https://hc.cloud.infn.it/ping"],
    )
    admin_key_file: Path | None = Field(
        None,
        description="file (0600) with the admin key of an embedded server: each person's own project is then made at first use. "
        "Healthchecks itself has no such key",
    )
    requests_per_minute: int = Field(
        90,
        ge=6,
        le=100_000,
        description="requests with one API key in any minute, by all replicas together; Healthchecks allows 100",
    )
    sign_in: SignInSection | None = Field(
        None, description="people sign in to the server's own pages through the hub; without it they do not"
    )


class GatewaySection(Section):
    """The platform's API service."""

    url: HttpAddress = Field(
        "http://127.0.0.1:8183", description="where the gateway listens, as hub and proxy reach it"
    )
    database_url: str = Field(
        "sqlite+aiosqlite:///naas-gateway.sqlite",
        description="SQLAlchemy address; `postgresql+asyncpg://…` for more than one replica",
    )
    keys_file: Path | None = Field(
        None, description="file (0600) with the encryption keys, newest first; generated when absent"
    )
    hub_token_file: Path | None = Field(None, description="file (0600) with the token that hub and gateway share")
    hub_api_url: HttpAddress = Field(
        "http://127.0.0.1:8081/hub/api", description="the hub's API as the gateway reaches it"
    )
    public_hub_url: HttpAddress = Field(
        "http://127.0.0.1:8000", description="the hub's public address, as browsers reach it"
    )
    allowed_audiences: list[str] = Field(["object"], description="audiences a person may ask tokens for")


def _some_group(groups: list[str]) -> list[str]:
    if not groups:
        raise ValueError("name a group, or leave the capability out: then it is open to everyone admitted")
    return groups


class SharedSettings(BaseModel):
    """The sections that hub and gateway both read; other top-level keys are left to `naas_hub`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    site: SiteSection = Field(default_factory=SiteSection)
    mail: MailSection = Field(default_factory=MailSection)
    iam: IamSection = Field(default_factory=IamSection)
    groups: dict[str, GroupSection] = Field(default_factory=dict, description="what to tell people about a group")
    capabilities: dict[str, Annotated[list[str], AfterValidator(_some_group)]] = Field(
        default_factory=lambda: {"storage": ["users/s3"]},
        description="which groups open a capability; a capability that is not named is open to everyone admitted",
    )
    collaborations: Collaborations = Field(
        default_factory=list,
        max_length=100,
        description="groups whose members edit the same notebooks at the same time",
    )
    storage: StorageSection = Field(default_factory=StorageSection)
    healthchecks: HealthchecksSection = Field(default_factory=HealthchecksSection)
    gateway: GatewaySection = Field(default_factory=GatewaySection)
    catalogue: CatalogueSection = Field(default_factory=CatalogueSection)
    registries: Registries = Field(
        default_factory=list,
        max_length=20,
        description="registries of container images, whose proxy caches and projects people use",
    )

    @model_validator(mode="after")
    def _sign_in_has_an_origin_of_its_own(self) -> Self:
        proxy = self.healthchecks.sign_in
        if proxy and urlsplit(self.gateway.public_hub_url)[:2] == urlsplit(proxy.public_url)[:2]:
            raise ValueError(
                "healthchecks.sign_in.public_url is the hub's own address, whose pages would be in the hands of another program. "
                "Give it a host of its own, for example https://checks.example.org"
            )
        return self


Model = TypeVar("Model", bound=BaseModel)


def load(path: Path | None, model: type[Model]) -> Model:
    """Read ``naas.yaml`` into a model; None gives the defaults.

    Raises InvalidInput with one line per mistake: path of the key, what is wrong, the remedy.
    """
    return validate({} if path is None else load_document(path), model, str(path or "defaults"))


def load_document(path: Path) -> dict[str, Any]:
    """The keys and values of a settings file, not yet checked. Raises InvalidInput when it cannot be read or is not YAML."""
    try:
        with path.open("rb") as stream:  # bytes: so that YAML names the file, and refuses what is no text
            document: Any = yaml.safe_load(stream)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}. Give the path of your naas.yaml.") from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not valid YAML: {error}. Correct that place.") from error
    if document is not None and not isinstance(document, dict):
        raise InvalidInput(f"{path}: the top of the file must be keys and values, not {type(document).__name__}.")
    return document or {}


def validate(document: dict[str, Any], model: type[Model], source: str) -> Model:
    """Check a document against a settings model; mistakes become one InvalidInput with a line each."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [_explain(source, mistake["loc"], mistake["type"], mistake["msg"]) for mistake in error.errors()]
        raise InvalidInput("\n".join(lines), code="bad-settings") from None


def _explain(source: str, location: tuple[int | str, ...], kind: str, message: str) -> str:
    path = ".".join(str(step) for step in location) or "(top)"
    remedy = {
        "extra_forbidden": "unknown key. Remove it, or see `naas config schema` for the keys there are",
        "missing": "missing. Add it; `naas config schema` describes it",
    }.get(kind, message.removeprefix("Value error, "))
    return f"{source}: {path}: {remedy}."


def read_secret(path: Path | None, key: str, *, shortest: int = SHORTEST_SECRET) -> str:
    """The secret in a file that a ``*_file`` key names.

    Parameters: ``shortest``, characters; less than the default only for what is an identifier rather than a secret.
    Raises InvalidInput when there is no file, when others may read it, or when the value is a well-known default or
    too short: this product never starts with such a secret.
    """
    if path is None:
        raise InvalidInput(f"{key}: missing. Name a file of mode 0600 that holds the secret.", code="missing-secret")
    try:
        mode, value = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInput(f"{key}: {path} cannot be read: {error.strerror}.", code="missing-secret") from error
    if mode & 0o077:
        raise InvalidInput(f"{key}: {path} is readable by others. Run `chmod 600 {path}`.", code="open-secret")
    if value.lower() in DEFAULT_SECRETS or len(value) < shortest:
        raise InvalidInput(
            f"{key}: {path} holds a default or too short secret. Put at least {shortest} random characters there, "
            "for example from `openssl rand -hex 32`.",
            code="default-secret",
        )
    return value
