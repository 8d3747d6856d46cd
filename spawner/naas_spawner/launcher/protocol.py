"""What may be asked of the launcher, checked before anything is done.

A start has two lines. The first names the process; the launcher forks at once and only the *child* reads the second line, which
holds the environment with the hub token. So the launcher never has a person's token in its memory, and a child (whose memory is
a copy of the launcher's) cannot find another person's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from naas_client.folders import LOWEST_GID
from naas_client.names import is_server_key
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

LONGEST_LINE = 1 << 20
"""Bytes of one request; a plan with a thousand folders is a tenth of this."""


def _server_key(value: str) -> str:
    if not is_server_key(value):
        raise ValueError("use a hub name, or <hub name>.<server name>")
    return value


Kind = Literal["server", "agent"]
Key = Annotated[str, AfterValidator(_server_key)]
NoNul = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$", max_length=4000)]
FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Request(BaseModel):
    """Base: an unknown key is an error, not something to guess about."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(Request):
    """First line: which process. The answer is ``{"send": true}``; then the `Task` follows on the same connection."""

    op: Literal["start"]
    key: Key
    kind: Kind
    uid: int | None = None


class Poll(Request):
    """How a process is."""

    op: Literal["poll"]
    key: Key
    kind: Kind


class Stop(Request):
    """End a process: TERM, up to ``grace`` seconds, then KILL of its whole tree."""

    op: Literal["stop"]
    key: Key
    kind: Kind
    grace: float = Field(10, ge=0, le=3600)


class Task(Request):
    """Second line of a start: who the process is and what it does.

    Parameters: ``home`` and ``cwd``, existing folders; ``log``, appended to, made with mode 0600; ``env``, the whole environment;
    ``argv``, without the program; ``files``, name → text, written into ``cwd`` with mode 0600 as the person; ``examples``,
    a folder whose new files are copied to ``home/examples``; ``first_folders``, made in ``home``; ``groups``, Unix groups besides
    ``gid``, none of the system's; ``links``, made in ``home`` where nothing has their name; ``withdrawn``, such links to take away.
    """

    gid: int | None = None
    home: AbsolutePath
    cwd: AbsolutePath
    log: AbsolutePath
    env: dict[Annotated[str, StringConstraints(pattern=r"^[^\x00=]+$")], NoNul]
    argv: list[NoNul] = Field(default_factory=list, max_length=200)
    files: dict[FileName, str] = Field(default_factory=dict, max_length=20)
    examples: AbsolutePath | None = None
    first_folders: list[FileName] = Field(default_factory=list, max_length=20)
    groups: list[Annotated[int, Field(ge=LOWEST_GID)]] = Field(default_factory=list, max_length=500)
    links: dict[FileName, AbsolutePath] = Field(default_factory=dict, max_length=500)
    withdrawn: dict[FileName, AbsolutePath] = Field(default_factory=dict, max_length=500)


AnyRequest = Annotated[Start | Poll | Stop, Field(discriminator="op")]
REQUEST: TypeAdapter[Any] = TypeAdapter(AnyRequest)


def explain(error: ValueError) -> str:
    """A validation error in one bounded line without the values (which may be tokens)."""
    mistakes = error.errors() if isinstance(error, ValidationError) else []
    lines = [f"{'.'.join(map(str, mistake['loc'])) or 'request'}: {mistake['msg']}" for mistake in mistakes[:3]]
    return ("; ".join(lines) or str(error))[:400]
