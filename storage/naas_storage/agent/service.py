"""The agent as a whole: start, status, drain, end."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import secrets

from naas_client.errors import NaasError, Unavailable
from naas_client.models import StorageStatus

from naas_storage.agent.access import Access, Fetch
from naas_storage.agent.engine import find_rclone, write_configuration
from naas_storage.agent.folder import FolderKeeper
from naas_storage.agent.overall import Overall, overall
from naas_storage.agent.server import StatusServer
from naas_storage.agent.ways import way_for
from naas_storage.plan import AgentPlan

MOST_SHOWN = 100
"""Uploads in a status; `uploads_total` and `bytes_pending` count all of them."""
DRAIN_POLL = 0.1
"""Seconds between two looks while uploads are waited for."""
QUIET_LOOKS = 2
"""Looks in a row without uploads that make a drain: a file that was just closed needs 100 ms to get into the queue."""

log = logging.getLogger(__name__)


class Agent:
    """The mount agent of one server. ``fetch`` gives new credentials, e.g. `GatewayClient.s3_credentials`."""

    def __init__(self, plan: AgentPlan, fetch: Fetch) -> None:
        self.plan = plan
        self.ended = asyncio.Event()
        self._change = asyncio.Event()
        self._stop = asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        self._drains = 0
        self._refused: NaasError | None = None
        self._told: StorageStatus | None = None
        self._way = way_for(plan)
        self.access = Access(plan, fetch, self._changed)
        folders = [] if plan.degraded else plan.folders
        self.keepers = [FolderKeeper(plan, folder, self._way, self.access, self._changed) for folder in folders]

    async def run(self) -> None:
        """Serve until `stop`, then wait for uploads within the plan's limit, take the mounts away and end."""
        async with StatusServer(self.plan, self).listening():
            work, stop = asyncio.create_task(self._work()), asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()  # it never ends by itself: raises what went wrong
                await self.drain(self.plan.timings.drain_limit)
            finally:
                stop.cancel()
                await self._end(work)

    async def _work(self) -> None:
        try:
            find_rclone()
            self._make_link()
        except Unavailable as error:
            self._refused = error
        write_configuration(self.plan)
        jobs = [self.access.keep(), *(keeper.keep() for keeper in self.keepers)] if self.plan.endpoint else []
        if self._refused is not None and self._refused.code == "no-rclone":
            jobs = jobs[:1]  # credentials are of use without folders too
        await asyncio.gather(*jobs, self._note_lateness())

    async def _note_lateness(self) -> None:
        """`starting` ends with the limit even when nothing else happens then."""
        while True:
            await asyncio.sleep(self.plan.timings.start_limit)
            self._changed()

    def _make_link(self) -> None:
        """The link in the home; it stays when the agent ends, so that nobody writes into a folder of that name by mistake."""
        if (link := self.plan.link) is None:
            return
        if not link.is_symlink() and link.exists():
            try:
                link.rmdir()
            except OSError as error:
                raise Unavailable(
                    f"{link} is an ordinary file or folder. Rename it and start the server again.", code="link-taken"
                ) from error
        temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        temporary.symlink_to(self.plan.view)
        temporary.replace(link)

    def stop(self) -> None:
        """Begin to end."""
        self._stop.set()

    async def _end(self, work: asyncio.Task[None]) -> None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await asyncio.gather(*(self._way.release(keeper.folder.name) for keeper in self.keepers))
        for keeper in self.keepers:
            keeper.uploads.look_on_disk()
            keeper.off()
        if left := sum(len(keeper.uploads.items) for keeper in self.keepers):
            log.warning("%d files are not in the store yet; they are kept and sent at the next start", left)
        self.ended.set()
        self._changed()

    # -- status --

    def status(self) -> StorageStatus:
        """The document as it is now."""
        now = self._overall()
        uploads = [upload for keeper in self.keepers for upload in keeper.uploads.items]
        return StorageStatus(
            state=now.state,
            reason=now.reason,
            code=now.code,
            mode=self._way.mode if self.keepers else "none",
            engine=next((keeper.version for keeper in self.keepers if keeper.version), ""),
            folders=[keeper.status.model_copy() for keeper in self.keepers],
            uploads=sorted(uploads, key=lambda upload: upload.state)[:MOST_SHOWN],
            uploads_total=len(uploads),
            bytes_pending=sum(upload.size for upload in uploads),
            credentials_expire_at=self.access.current.expires_at if self.access.current else None,
            updated_at=dt.datetime.now(dt.UTC),
        )

    def _overall(self) -> Overall:
        if self.ended.is_set():
            return Overall("stopped")
        if self._drains or self._stop.is_set():
            return Overall("draining")
        if self._refused is not None:
            return Overall("degraded", self._refused.message, self._refused.code)
        return overall(self.plan, self.keepers, asyncio.get_running_loop().time() - self._began)

    def _changed(self) -> None:
        now = self.status()
        if self._told is None or _essence(now) != _essence(self._told):
            self._told = now
            self._change.set()
            self._change = asyncio.Event()

    async def next_change(self) -> None:
        """Return when there is something new to tell."""
        await self._change.wait()

    async def drain(self, seconds: float) -> None:
        """Wait until every upload is done, at most so long; uploads that wait for their next try are tried now."""
        end, quiet, first = asyncio.get_running_loop().time() + seconds, 0, True
        self._drains += 1
        self._changed()
        try:
            while quiet < QUIET_LOOKS:
                await asyncio.gather(*(keeper.look_at_uploads(hurry=first) for keeper in self.keepers))
                self._changed()
                pending = any(keeper.uploads.items for keeper in self.keepers)
                quiet, first = 0 if pending else quiet + 1, False
                if asyncio.get_running_loop().time() >= end and pending:
                    return
                await asyncio.sleep(DRAIN_POLL)
        finally:
            self._drains -= 1
            self._changed()


def _essence(status: StorageStatus) -> str:
    """What makes a change: everything but the times of the last looks."""
    return status.model_dump_json(exclude={"updated_at": True, "folders": {"__all__": {"checked_at"}}})
