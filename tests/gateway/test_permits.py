"""Rights in the store follow the newest groups, whichever of two calls for a person ends last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from naas_client.folders import GroupFolder
from naas_client.models import Claims
from naas_client.settings import SharedSettings
from naas_gateway.clock import utcnow
from naas_gateway.db.tables import IdentityRow
from naas_gateway.services.credentials import Credentials
from naas_gateway.services.shared import GroupFolders

FOLDER = GroupFolder(name="cygno", bucket="cygno-data", groups=["cygno"])
ROW = IdentityRow(id=1, name="alice", subject="alice")


class Iam:
    """What the database knows of the person: it changes while the store is being told."""

    groups = ("cygno",)

    async def by_name(self, _name: str) -> IdentityRow:
        claims = Claims(issuer="https://iam", subject="alice", groups=list(self.groups), fetched_at=utcnow())
        return IdentityRow(id=1, name="alice", subject="alice", claims=claims.model_dump(mode="json"))

    async def taken(self, _names: set[str]) -> set[str]:
        return set()


class SlowStore:
    """A store that keeps the rules that were written last; each writing waits for ``go``."""

    def __init__(self) -> None:
        self.rules: list[str] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.writers = self.most = 0

    async def permit(self, _row: IdentityRow, shared: Sequence[GroupFolder]) -> None:
        self.writers += 1
        self.most = max(self.most, self.writers)
        self.begun.set()
        await self.go.wait()
        self.rules = [folder.name for folder in shared]
        self.writers -= 1


def credentials(iam: Iam, store: SlowStore) -> Credentials:
    settings = SharedSettings.model_validate({"storage": {"folders": [FOLDER.model_dump()]}})
    folders = GroupFolders(settings.storage, iam)  # type: ignore[arg-type]
    other = SimpleNamespace()
    return Credentials(settings, iam, other, other, other, other, store, folders, other)  # type: ignore[arg-type]


@pytest.mark.asyncio
@pytest.mark.parametrize("gateways", [1, 2])
async def test_a_group_that_is_lost_meanwhile_is_closed(gateways: int) -> None:
    iam, store = Iam(), SlowStore()
    first, *_, last = [credentials(iam, store) for _ in range(gateways)] * 2
    old = asyncio.create_task(first.permit(ROW))
    await asyncio.wait_for(store.begun.wait(), 5)
    iam.groups = ()
    new = asyncio.create_task(last.permit(ROW))
    await asyncio.sleep(0)
    store.go.set()
    await asyncio.wait_for(asyncio.gather(old, new), 5)
    assert store.rules == []
    if gateways == 1:
        assert store.most == 1, "one at a time"


@pytest.mark.asyncio
async def test_a_writing_that_other_gateways_overtake_is_mended() -> None:
    """Its own groups are old when the store takes them, and nobody writes after it."""
    iam, store = Iam(), SlowStore()
    old = asyncio.create_task(credentials(iam, store).permit(ROW))
    await asyncio.wait_for(store.begun.wait(), 5)
    iam.groups = ()
    store.go.set()
    await asyncio.wait_for(old, 5)
    assert store.rules == []
