"""What the spawner tells the mount agent: the document `servers/<key>/plan.json` (mode 0600, no secret in it)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from naas_client.models import Document, Folder
from naas_client.names import FOLDER_NAME
from pydantic import AfterValidator, Field, model_validator

SOCKET_NAME = "agent.sock"
PLAN_NAME = "plan.json"
ACCESS_NAME = "access.json"
"""The agent's cache of temporary credentials, in the form that `credential_process` answers with."""


def _folder_names(folders: list[Folder]) -> list[Folder]:
    for folder in folders:
        if not FOLDER_NAME.fullmatch(folder.name):
            raise ValueError(f"folder name {folder.name!r}: use lower-case letters, digits and hyphens")
    if len({folder.name for folder in folders}) != len(folders):
        raise ValueError("two folders have the same name")
    return folders


class Timings(Document):
    """How often the agent looks and how long it waits, in seconds."""

    poll: float = Field(default=1, gt=0, description="between two looks at the uploads and at whether a mount answers")
    hang_limit: float = Field(default=10, gt=0, description="a mount that does not answer for so long is made anew")
    check: float = Field(default=30, gt=0, description="between two checks that list and read a folder")
    check_limit: float = Field(default=15, gt=0, description="for one such check")
    start_limit: float = Field(default=20, gt=0, description="until a folder that is not there yet counts as degraded")
    retry_limit: float = Field(default=10, gt=0, description="longest pause between two tries of anything")
    settled: float = Field(default=10, gt=0, description="a mount that lived so long is started again without a pause")
    drain_limit: float = Field(default=20, ge=0, description="for pending uploads when the agent is told to end")
    lock_limit: float = Field(default=10, gt=0, description="for an agent before this one to let go of the cache")
    probe: float = Field(
        default=10, gt=0, description="between two looks at the store's sites, where there are several"
    )
    probe_limit: float = Field(default=5, gt=0, description="for the answer of a site")
    home_again: float = Field(
        default=300, gt=0, description="the first site must have answered so long before the folders go back to it"
    )
    usage: float = Field(default=300, gt=0, description="between two looks at how much of the bucket is used")
    renew_at: float = Field(
        default=0.25, gt=0, lt=1, description="share of a credential's life after which it is renewed"
    )


class AgentPlan(Document):
    """Everything a mount agent needs to know; the hub token comes in its environment (``JUPYTERHUB_API_TOKEN``).

    Without ``control_socket`` the agent mounts through ``fusermount3`` at ``run/mnt/<name>``, and the paths in ``view``
    are links that exist only while their mount answers.
    """

    key: str = Field(description="hub name, or <hub name>.<server name>")
    username: str
    folders: Annotated[list[Folder], AfterValidator(_folder_names)] = Field(default_factory=list)
    endpoint: str = Field(default="", description="S3 endpoint as servers reach it")
    endpoints: list[str] = Field(
        default_factory=list, description="further sites of the store, in the order to try them"
    )
    public_endpoint: str = Field(default="", description="S3 endpoint as browsers reach it, for links; empty: the same")
    region: str = "us-east-1"
    provider: str = Field(
        default="Rclone", description="rclone's name for the kind of store (`rclone help backend s3`)"
    )
    gateway_url: str = Field(description="base address of the gateway's API, as `naas_client.gateway` wants it")
    control_socket: Path | None = Field(default=None, description="the mount helper's socket for this server")
    view: Path = Field(description="folder in which the folders appear")
    link: Path | None = Field(default=None, description="link in the home that leads to the view")
    run: Path = Field(description="run folder of this server (0700, the user's)")
    cache: Path = Field(description="folder for what is not uploaded yet; must outlive server and agent")
    remote_controls: Path | None = Field(
        default=None,
        description="folder for the sockets by which the agent controls rclone, where the person's programs see `run`; default: `run`",
    )
    cache_bytes: int = Field(default=10 * 2**30, gt=0, description="size of the cache in each folder, in bytes")
    rclone: Path | None = Field(default=None, description="another rclone program; default: the one of our environment")
    quota_bytes: int | None = Field(
        default=None, description="of the person's own bucket; shown as the size of the disk"
    )
    degraded: str = Field(
        default="", description="why nothing is to be mounted, for people; the agent then only says so"
    )
    code: str = Field(default="", description="stable name of that cause")
    timings: Timings = Field(default_factory=Timings)

    @model_validator(mode="after")
    def _can_be_followed(self) -> AgentPlan:
        if self.folders and not self.endpoint and not self.degraded:
            raise ValueError("endpoint: folders need the address of the object store")
        for path in (
            *(self.view, self.run, self.cache),
            *(self.link, self.control_socket, self.remote_controls, self.rclone),
        ):
            if path is not None and not path.is_absolute():
                raise ValueError(f"{path}: give an absolute path")
        return self

    @property
    def socket(self) -> Path:
        """Where the agent serves its status."""
        return self.run / SOCKET_NAME

    @property
    def sites(self) -> list[str]:
        """Every endpoint of the store, the one to be used first; each once."""
        return list(dict.fromkeys(url for url in (self.endpoint, *self.endpoints) if url))

    @property
    def usable(self) -> list[Folder]:
        """The folders without those that are only shown with what is wrong."""
        return [folder for folder in self.folders if not folder.trouble]

    @property
    def own(self) -> Folder | None:
        """The person's own bucket, for which the quota holds."""
        return next((one for one in self.folders if not one.prefix and not one.read_only), None)

    def shown_path(self, name: str) -> Path:
        """The path of a folder as its owner knows it."""
        return (self.link or self.view) / name
