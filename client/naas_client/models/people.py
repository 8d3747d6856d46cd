"""Who somebody is, what they may do, and the tokens that come of it."""

from __future__ import annotations

import datetime as dt

from pydantic import Field, SecretStr, field_serializer

from naas_client.models.base import Document


class Claims(Document):
    """What IAM says about a person, after verification. Groups have no leading slash, in either token profile."""

    issuer: str
    subject: str
    preferred_username: str = ""
    name: str = ""
    email: str = ""
    email_verified: bool = Field(default=False, description="IAM has made sure that the address is the person's")
    groups: list[str] = Field(default_factory=list)
    fetched_at: dt.datetime


class SignIn(Document):
    """What the hub hands to the gateway after a sign-in: from here on, the gateway alone owns the tokens."""

    claims: Claims
    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_in: int = Field(default=3600, ge=1, description="life of the access token in seconds")
    scope: str = ""

    @field_serializer("access_token", "refresh_token", when_used="json")
    def _reveal(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value is not None else None


class Identity(Document):
    """The fixed link between an IAM subject and a hub name."""

    name: str = Field(description="hub name")
    issuer: str
    subject: str
    preferred_username: str = ""


class Capability(Document):
    """Whether a person may use one of the platform's services, and if not, why."""

    allowed: bool
    groups: list[str] = Field(default_factory=list, description="groups that open it")
    reason: str = Field(default="", description="for people; empty when allowed")


class Me(Document):
    """The signed-in person as the panel, the magics and the CLI see them."""

    name: str
    groups: list[str]
    admin: bool = False
    email: str = Field(default="", description="e-mail address that IAM has verified; empty when there is none")
    capabilities: dict[str, Capability] = Field(default_factory=dict)


class AccessToken(Document):
    """A short-lived token for one audience."""

    access_token: str
    audience: str
    expires_at: dt.datetime


class ClientConfiguration(Document):
    """What a program on somebody's own computer must know to sign in."""

    issuer: str
    client_id: str
    audience: str = Field(description="audience of tokens for this API")
    scopes: list[str]
