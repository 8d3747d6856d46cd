"""What may be published, and to whom: every value is checked here, before the core sees it."""

from __future__ import annotations

from naas_client.names import FOLDER_NAME, MOST_FOLDERS, is_server_key
from pydantic import BaseModel, ConfigDict, Field, field_validator

LOWEST_UID = 1000
"""Below are the system's users: they get no mount, whatever is published."""
HIGHEST_ID = 2**32 - 2


class Refused(Exception):
    """The caller asked for something that this helper does not do; the text is for the caller."""


class Name(BaseModel):
    """A folder to publish."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    read_only: bool = False

    @field_validator("name")
    @classmethod
    def _checked(cls, value: str) -> str:
        if not FOLDER_NAME.fullmatch(value):
            raise ValueError("use lower-case letters, digits and hyphens")
        return value


class Server(BaseModel):
    """A published server: whose it is, which folders it has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    key: str
    names: list[Name] = Field(max_length=MOST_FOLDERS)
    uid: int = Field(ge=LOWEST_UID, le=HIGHEST_ID)
    gid: int = Field(ge=1, le=HIGHEST_ID)

    @field_validator("key")
    @classmethod
    def _checked(cls, value: str) -> str:
        if not is_server_key(value):
            raise ValueError("use a hub name, or <hub name>.<server name>")
        return value

    @field_validator("names")
    @classmethod
    def _different(cls, value: list[Name]) -> list[Name]:
        if len({one.name for one in value}) != len(value):
            raise ValueError("two folders have the same name")
        return value

    def succeeds(self, other: Server | None) -> bool:
        """Whether this is for the same person as the other: then the folders that both have stay as they are."""
        return other is not None and (self.uid, self.gid) == (other.uid, other.gid)
