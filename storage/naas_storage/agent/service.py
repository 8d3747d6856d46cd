"""The agent as a whole: start, status, drain, end."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import secrets

from naas_client.errors import NaasError, Unavailable
from naas_client.models import FolderState, StorageStatus

from naas_storage.agent.access import Access, Fetch
from naas_storage.agent.engine import Engine, check_rclone, write_configuration
from naas_storage.agent.folder import FolderKeeper
from naas_storage.agent.overall import Overall, overall
from naas_storage.agent.probe import in_thread, open_files
from naas_storage.agent.server import StatusServer
from naas_storage.agent.sites import Sites
from naas_storage.agent.usage import Ask, UsageKeeper
from naas_storage.agent.ways import way_for
from naas_storage.plan import AgentPlan

MOST_SHOWN = 100
"""Uploads in a status; `uploads_total` and `bytes_pending` count all of them."""
DRAIN_POLL = 0.1
"""Seconds between two looks while uploads are waited for."""
QUIET_LOOKS = 2
"""Looks in a row without uploads that make a drain: a file that was just closed needs 100 ms to get into the queue."""

LOOK_LIMIT = 10.0
"""Seconds for a look through the programs' open files."""

log = logging.getLogger(__name__)


class Agent:
    """The mount agent of one server. Parameters: ``fetch``, `GatewayClient.s3_credentials`; ``ask``, `GatewayClient.storage_usage`."""

    def __init__(self, plan: AgentPlan, fetch: Fetch, ask: Ask) -> None:
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
        self.keepers = [
            FolderKeeper(plan, folder, self._way, self.access, self._changed, self._objects) for folder in folders
        ]
        self.sites = Sites(plan, self._move, self._quiet)
        self.usage = UsageKeeper(plan, ask, self._own_engine, self._changed)

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
            await check_rclone(self.plan)
            self._make_link()
        except Unavailable as error:
            self._refused = error
        await self._way.clean()
        jobs = [self._note_lateness()]
        if self.plan.endpoint:
            write_configuration(self.plan, self.sites.current)
            jobs += [self.access.keep(), self.sites.keep()]
            if self._refused is None or self._refused.code != "no-rclone":  # credentials are of use without folders too
                jobs += [self._mounts(), self.usage.keep()]
        await asyncio.gather(*jobs)

    async def _mounts(self) -> None:
        await self.sites.probed.wait()
        await asyncio.gather(*(keeper.keep() for keeper in self.keepers))

    async def _move(self, site: str) -> None:
        """Use another site: the remotes keep their name, so what is not sent yet is found in the cache and sent there."""
        write_configuration(self.plan, site)
        self.access.move(site)
        for keeper in self.keepers:
            keeper.again("The folder moves to another site of the object store.", "moving")
        self._changed()

    async def _quiet(self) -> bool:
        """Whether a move would disturb nobody."""
        if any(keeper.uploads.items for keeper in self.keepers):
            return False
        places = [self._way.place(keeper.folder.name) for keeper in self.keepers]
        return not await in_thread(lambda: any(map(open_files, places)), LOOK_LIMIT)

    def _own_engine(self) -> Engine | None:
        """The rclone that serves the person's own bucket, when it answers."""
        own = next((keeper for keeper in self.keepers if keeper.folder == self.plan.own), None)
        return own.engine if own and own.status.state is FolderState.OK else None

    def _objects(self) -> int | None:
        return self.usage.current.objects if self.usage.current else None

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

    async def retry(self) -> None:
        """Send what waits for its next try now, and look at the usage anew: somebody may have made room."""
        await asyncio.gather(*(keeper.look_at_uploads(hurry=True) for keeper in self.keepers))
        self.usage.again()
        self._changed()

    def reconnect(self, name: str) -> None:
        """Mount a folder anew; another name changes nothing."""
        for keeper in self.keepers:
            if keeper.folder.name == name:
                keeper.again("The folder is connected anew, as you asked; nothing is lost.", "restarting")

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
            usage=self.usage.current,
            endpoint=self.sites.current,
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
        return overall(self.plan, self.keepers, asyncio.get_running_loop().time() - self._began, self._notice())

    def _notice(self) -> Overall:
        if self.usage.code != "quota-critical" and (moved := self.sites.notice):
            return Overall("mounted", moved, "other-site")
        return Overall("mounted", self.usage.reason, self.usage.code)

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
                pending = any(keeper.pending for keeper in self.keepers)
                quiet, first = 0 if pending else quiet + 1, False
                if asyncio.get_running_loop().time() >= end and pending:
                    return
                await asyncio.sleep(DRAIN_POLL)
        finally:
            self._drains -= 1
            self._changed()


def _essence(status: StorageStatus) -> str:
    """What makes a change: everything but the times of the last looks."""
    return status.model_dump_json(exclude={"updated_at": True, "usage": {"at"}, "folders": {"__all__": {"checked_at"}}})
