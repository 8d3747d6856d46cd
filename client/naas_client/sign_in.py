"""Settings of the sign-in proxy: a web application that believes a header, behind the hub's sign-in (``naas_gateway.sign_in_proxy``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from naas_client.addresses import is_loopback, safe_address
from naas_client.errors import InvalidInput
from naas_client.section import Section

SERVICE = "healthchecks"
"""Name of the proxy as a service of the hub."""

OWN_PATHS = "/naas-sign-in/"
"""What the proxy answers itself; everything else is the application's."""

CALLBACK = f"{OWN_PATHS}callback"
"""Where the hub sends a browser back to after a sign-in."""

HEALTH = f"{OWN_PATHS}health"
SOCKET = "unix:"


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError("give scheme, host and port only, for example https://checks.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _public(value: str) -> str:
    try:
        return _origin(safe_address(value, "public_url"))
    except InvalidInput as error:
        raise ValueError(error.message.removeprefix("public_url: ")) from None


def _listening(value: str) -> str:
    if urlsplit(value).scheme != "http":
        raise ValueError("this proxy speaks http; give http://127.0.0.1:PORT, and https to the server before it")
    return _origin(value)


def _upstream(value: str) -> str:
    if value.startswith(SOCKET):
        if not Path(value.removeprefix(SOCKET)).is_absolute():
            raise ValueError("name the socket by its whole path, for example unix:/run/healthchecks/web.sock")
        return value
    if urlsplit(value).scheme != "http" or not is_loopback(value):
        raise ValueError(
            "whoever reaches the application can be anyone there, so it must listen where only this machine reaches it: "
            "give unix:/path/of/its/socket or http://127.0.0.1:PORT, and have it listen there"
        )
    return _origin(value)


def _paths(values: list[str]) -> list[str]:
    for value in values:
        if not value.startswith("/") or len(value) < 2 or not value.endswith("/"):
            raise ValueError(
                f"{value!r}: a path begins and ends with /, and is not / itself, which would open everything"
            )
        if value.startswith(OWN_PATHS):
            raise ValueError(f"{value!r} belongs to the proxy itself. Remove it")
    return values


class SignInSection(Section):
    """Sign-in to a Healthchecks server through the hub. The server runs with `REMOTE_USER_HEADER`."""

    listen: Annotated[str, AfterValidator(_listening)] = Field(
        "http://127.0.0.1:8186",
        description="where the proxy listens; browsers reach it through the site's https server",
    )
    public_url: Annotated[str, AfterValidator(_public)] = Field(
        description="its address as browsers know it, which is also the server's `SITE_ROOT`; a host (or at least a port) of "
        "its own, apart from the hub's",
        examples=["https://checks.example.org"],
    )
    upstream: Annotated[str, AfterValidator(_upstream)] = Field(
        description="where the server itself listens: a Unix socket, or a port on loopback",
        examples=["unix:/run/healthchecks/web.sock", "http://127.0.0.1:8187"],
    )
    header: str = Field(
        "X-Remote-Email",
        pattern=r"^(X|Remote)(-[A-Za-z0-9]+)+$",
        description="header with the person's e-mail; the server's `REMOTE_USER_HEADER` is then `HTTP_X_REMOTE_EMAIL`",
    )
    groups: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="members of any of these may sign in there; empty: all who have the capability `healthchecks`",
        examples=[["users/monitoring"]],
    )
    open_paths: Annotated[list[str], AfterValidator(_paths)] = Field(
        ["/ping/", "/api/", "/badge/", "/b/", "/static/"],
        description="what is passed on without a sign-in, and without a person: it has keys of its own, or is for everybody",
    )
    cookies: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]] = Field(
        ["csrftoken", "sessionid", "messages"],
        description="the server's own cookies; no other passes in either direction",
    )
    sign_out_path: Annotated[str, Field(pattern=r"^/[!-~]+$")] = Field(
        "/accounts/logout/", description="the server's own sign-out; it ends the session here and at the hub as well"
    )
    token_file: Path | None = Field(
        None, description="file (0600) with the token that hub and proxy share; another value signs everybody out there"
    )

    @model_validator(mode="after")
    def _is_not_its_own_upstream(self) -> Self:
        if self.listen == self.upstream:
            raise ValueError("listen and upstream are the same address. Give each a port of its own")
        return self

    @property
    def redirect_uri(self) -> str:
        """Where the hub sends browsers back to."""
        return f"{self.public_url}{CALLBACK}"

    @property
    def socket(self) -> Path | None:
        """The upstream's Unix socket; None for a port."""
        return Path(self.upstream.removeprefix(SOCKET)) if self.upstream.startswith(SOCKET) else None
