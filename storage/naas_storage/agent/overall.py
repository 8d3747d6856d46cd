"""One state for all folders together: what the spawner waits for and the panel shows first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from naas_client.models import FolderState

from naas_storage.agent.folder import NOT_SHARED, FolderKeeper
from naas_storage.plan import AgentPlan

State = Literal["starting", "mounted", "degraded", "draining", "stopped"]

FINAL_CODES = frozenset(
    {"no-fuse", "no-rclone", "helper-refused", "access-ended", "forbidden", "not-signed-in", "clock-wrong"}
)
"""Causes that no patience cures: nobody need wait for the start limit."""


@dataclass(frozen=True)
class Overall:
    """A state, with its cause for people and for programs."""

    state: State
    reason: str = ""
    code: str = ""


def overall(plan: AgentPlan, keepers: Sequence[FolderKeeper], age: float, notice: Overall) -> Overall:
    """The state of an agent that is ``age`` seconds old and is not ending; ``notice``: what to say while all is well."""
    if plan.degraded or not keepers:
        nothing = plan.degraded or "There are no folders for you in the object store. Ask whoever runs this service."
        return Overall("degraded", nothing, plan.code or "no-folders")
    refused = next((keeper for keeper in keepers if keeper.folder.trouble), None)
    broken = [keeper for keeper in keepers if keeper.status.state is not FolderState.OK and not keeper.folder.trouble]
    if not broken:
        if refused is None or notice.code:
            return notice
        return Overall("mounted", f"{refused.folder.name}: {refused.folder.trouble}", NOT_SHARED)
    told = next((keeper for keeper in broken if keeper.status.reason), None)
    if age < plan.timings.start_limit and _may_come_yet(told):
        return Overall("starting", told.status.reason if told else "", told.code if told else "")
    if told is None:
        return Overall("degraded", "The folders did not answer in time. They are tried again.", "mount-timeout")
    return Overall("degraded", f"{told.folder.name}: {told.status.reason}", told.code)


def _may_come_yet(told: FolderKeeper | None) -> bool:
    return told is None or (told.status.state is FolderState.CONNECTING and told.code not in FINAL_CODES)
