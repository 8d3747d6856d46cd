"""What every provisioner does: make a person's place in the object store, and say how full it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from naas_client.collaborations import Collaboration
from naas_client.errors import Forbidden, NotFound
from naas_client.folders import GroupFolder
from naas_client.models import S3Credentials, Usage

from naas_gateway.db.tables import IdentityRow


class BucketRefused(Forbidden):
    """The store does not let a person use their bucket."""

    default_code = "bucket-refused"


def refused(bucket: str, status: int) -> BucketRefused:
    """For a bucket that the person's own credentials do not open."""
    return BucketRefused(f"The object store does not let you use the bucket {bucket} (status {status}). Ask support.")


def no_keys(reason: str) -> NotFound:
    """For a site without long-lived keys. Parameters: ``reason``, why, as a sentence."""
    return NotFound(f"There are no keys for other programs here: {reason}", code="no-s3-keys")


@dataclass(frozen=True)
class KeyWish:
    """A long-lived key that the store is to make, or to end.

    Parameters: ``access_key_id``, chosen by us, so that a key whose making broke off can be ended.
    """

    access_key_id: str
    read_only: bool
    expires_at: dt.datetime


class Provisioner(Protocol):
    """Makes what is missing and changes nothing that is there, so that every start may call it and two may at once."""

    @property
    def trouble(self) -> str:
        """What keeps the store from being prepared at all, for `/health`; empty: nothing is known."""

    def role_arn(self, row: IdentityRow) -> str:
        """The role that STS gives to a person."""

    async def admit(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        """What has to be there before STS knows the person, and before they reach their groups' folders; opens none of these.

        Raises Unavailable, or BucketRefused for somebody else's bucket.
        """

    async def permit(self, row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        """Let the person into their own place and these folders of groups, and into no others; nothing else is made.

        `Credentials.permit` alone calls it, once at a time for each person. Raises Unavailable when a right that was lost may not have
        been taken away.
        """

    async def settle(self, row: IdentityRow, credentials: S3Credentials) -> bool:
        """Bucket and prefix, with the person's own credentials; whether there is scratch space. Raises BucketRefused or Unavailable."""

    async def reach(self, shared: Sequence[GroupFolder], credentials: S3Credentials) -> Mapping[str, str]:
        """What keeps the person from folders of their groups: name → sentence; nothing is changed."""

    async def usage(self, row: IdentityRow) -> Usage | None:
        """How much the person uses and may use, as the store counts it; None: this one does not tell. Raises Unavailable."""

    async def lend(self, to: Collaboration, shared: Sequence[GroupFolder]) -> S3Credentials:
        """Credentials for these folders of a group and nothing else, on nobody's behalf: those of the group's shared server.

        Makes what is missing of the folders' buckets; a folder that an earlier call opened and this one does not is closed. Raises
        NotFound (``no-folders``) where the gateway cannot do that, or Unavailable.
        """

    async def make_key(self, row: IdentityRow, wish: KeyWish) -> str:
        """Make a key for the person's own bucket and prefix, and nothing else; its secret.

        The store itself refuses it from its expiry on. Raises NotFound (``no-s3-keys``) where the store has no such keys, or Unavailable.
        """

    async def revoke_key(self, row: IdentityRow, access_key_id: str) -> None:
        """End a key at once; it may be gone already, or never have been made. Raises Unavailable."""
