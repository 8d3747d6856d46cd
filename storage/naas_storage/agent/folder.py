"""One folder: mounted, watched, made again on the same path when its rclone dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
from collections.abc import Callable
from functools import partial

from naas_client.errors import Unavailable
from naas_client.models import Folder, FolderState, FolderStatus

from naas_storage.agent.access import Access
from naas_storage.agent.engine import Engine, remote_name
from naas_storage.agent.probe import answers, in_thread, list_and_read, open_for_change, waited_for_a_cpu
from naas_storage.agent.rc import RcError
from naas_storage.agent.reasons import CACHE_FULL, StoreError, disk_is_full, store_error
from naas_storage.agent.uploads import Uploads
from naas_storage.agent.ways import Target, Way
from naas_storage.plan import AgentPlan

SERVING_POLL = 0.01
"""Seconds between two looks at whether a mount that is being made answers."""
BACK_OFF = 0.2
"""Seconds, doubled with each death in a row after the second."""
HELPER_PAUSE = 0.5
SHARE_OF_CHECKS = 0.1
"""Of the time may be spent on checks: a bucket whose top has a million names is listed less often."""

STARVED_SHARE, MOST_PATIENCE = 0.1, 6
"""A mount program that waited for a processor for so much of the hang limit is not hung but starved: up to six limits it is let be."""
LEAST_DISK = 64 * 2**20
"""Bytes (at most a fiftieth of a small disk) below which the cache's disk counts as full."""
ADOPTION_LIMIT = 600.0
"""Seconds for one file to open: longer than rclone tries to list a folder whose store is away."""
MISSING_LIMIT, LINK_SUFFIX = 5, ".rclonelink"
"""Looks for a file that is not there before it counts as removed; how rclone names symbolic links in its cache."""
FULL_FOR = 5.0
"""Seconds after the last write that failed on a full disk until it may count as well again."""

FOLDERS_ONLY = {"dirsOnly": True, "noModTime": True, "noMimeType": True}
"""Options of rclone's ``operations/list``: the store is asked all the same, and the answer stays small."""

NOT_SHARED = "not-shared"
"""Code of a folder that the gateway found unusable when it made the plan."""

log = logging.getLogger(__name__)


class FolderKeeper:
    """Keeps one folder served until it is told to end.

    Parameters: ``changed``, called when there may be something new to tell; ``objects``, tells how many objects the person's own
    bucket has, None when nobody knows.
    """

    def __init__(
        self,
        plan: AgentPlan,
        folder: Folder,
        way: Way,
        access: Access,
        changed: Callable[[], None],
        objects: Callable[[], int | None],
    ) -> None:
        self.plan, self.folder, self.way, self.access = plan, folder, way, access
        self._changed, self._objects = changed, objects
        self.status = FolderStatus(
            name=folder.name,
            path=str(plan.shown_path(folder.name)),
            state=FolderState.CONNECTING,
            read_only=folder.read_only,
            bucket=folder.bucket,
            prefix=folder.prefix,
        )
        self.code = ""
        self.version = ""
        self.uploads = Uploads(folder.name, plan.cache / folder.name)
        self.engine: Engine | None = None
        self._lives = 0
        self._again = asyncio.Event()
        self._full_at: float | None = None

    async def keep(self) -> None:
        """Serve the folder, again and again: the first time anew at once, then with growing pauses.

        Returns at once for a folder that cannot be connected at all.
        """
        if self.folder.trouble:
            self._tell(FolderState.DOWN, self.folder.trouble, NOT_SHARED)
            return
        deaths, timings = 0, self.plan.timings
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._one_life()
            except Unavailable as error:
                state = FolderState.OFF if error.code == "no-fuse" else self._broken_state()
                self._tell(state, error.message, error.code)
            except OSError as error:
                self._tell(
                    self._broken_state(),
                    f"The folder could not be mounted: {error}. It is tried again.",
                    "mount-failed",
                )
            if self._again.is_set():
                self._again.clear()
                deaths = 0
                continue
            lived = asyncio.get_running_loop().time() - began
            deaths = 0 if lived > timings.settled else deaths + 1
            if self.code == "no-helper":  # on this machine, and back soon
                await self._pause(HELPER_PAUSE)
            elif deaths > 1:
                await self._pause(min(BACK_OFF * 2 ** min(deaths - 1, 16), timings.retry_limit))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), seconds)

    def again(self, reason: str, code: str) -> None:
        """End the mount as it is and make it anew at once; what is not sent stays in the cache."""
        if self.folder.trouble:
            return
        self._tell(self._broken_state(), reason, code)
        self._again.set()

    def _broken_state(self) -> FolderState:
        return FolderState.RECONNECTING if self._lives else FolderState.CONNECTING

    async def _one_life(self) -> None:
        """From a fresh mount to the end of its rclone. Raises Unavailable when there is no mount to be had."""
        await self._credentials()
        target = await self.way.take(self.folder.name)
        self._again.clear()
        self.uploads.look_on_disk()
        self.uploads.orphans = {upload.name for upload in self.uploads.items}
        unsent = bool(self.uploads.orphans)
        engine = self.engine = await Engine.start(
            self.plan, self.folder, target.mount_point, target.descriptor, self._take_error, self._objects(), unsent
        )
        work = asyncio.create_task(self._serve(engine, target, unsent))
        death = asyncio.create_task(engine.wait())
        again = asyncio.create_task(self._again.wait())
        try:
            await asyncio.wait({work, death, again}, return_when=asyncio.FIRST_COMPLETED)
            if again.done():
                engine.kill()
            elif work.done():
                work.result()
            else:
                self._died(engine, death.result())
        finally:
            for task in (work, death, again):
                task.cancel()
            self.way.lost(self.folder.name)
            await engine.end()
            self.engine = None

    async def _credentials(self) -> None:
        """Wait for credentials: rclone would hide their absence behind a misleading message."""
        while not self.access.ready.is_set():
            if problem := self.access.problem:
                state = FolderState.REFUSED if problem.status in (401, 403) else self._broken_state()
                self._tell(state, problem.message, problem.code)
            try:
                await asyncio.wait_for(self.access.ready.wait(), self.plan.timings.poll)
            except TimeoutError:
                continue

    def _died(self, engine: Engine, code: int) -> None:
        error = store_error(engine.last_error)
        reason = error.reason if error.code else "Its mount program ended and is started again; nothing is lost."
        if not error.code and not self._lives:
            reason = f"The folder could not be mounted: {engine.last_error.strip()[:200]}. It is tried again."
        log.warning("%s: rclone ended with %s: %s", self.folder.name, code, engine.last_error or "no error")
        self._tell(self._broken_state(), reason, error.code or "restarting")
        self.uploads.look_on_disk()

    def _take_error(self, subject: str, message: str) -> None:
        self.uploads.failed(subject, message)
        if disk_is_full(message):
            self._full_at = asyncio.get_running_loop().time()
            self._say_full()

    async def _serve(self, engine: Engine, target: Target, unsent: bool) -> None:
        """Wait until the mount answers, then look after it; returns when it hangs."""
        await self._until_serving(target)
        await self.way.serving(self.folder.name)
        if self._lives:
            self.status.restarts += 1
        self._lives += 1
        if not self.version:
            self.version = await _version(engine)
        looks = (
            self._watch(engine, target),
            self._check_again_and_again(engine, target),
            self._follow_uploads(engine, unsent),
        )
        tasks = [asyncio.create_task(look) for look in looks]
        adopting = asyncio.create_task(self._adopt(engine, target))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, adopting):
                task.cancel()
        log.warning("%s: no answer for %g s; made anew", self.folder.name, self.plan.timings.hang_limit)
        engine.kill()
        self._tell(FolderState.RECONNECTING, "The folder hung and is connected again; nothing is lost.", "restarting")

    async def _until_serving(self, target: Target) -> None:
        end = asyncio.get_running_loop().time() + self.plan.timings.start_limit
        while asyncio.get_running_loop().time() < end:
            if self.way.mounted(self.folder.name):
                try:
                    if await in_thread(partial(answers, target.path), self.plan.timings.start_limit):
                        return
                except TimeoutError:
                    break
            await asyncio.sleep(SERVING_POLL)
        reason = f"The folder did not answer within {self.plan.timings.start_limit:g} s. It is tried again."
        raise Unavailable(reason, code="mount-timeout")

    async def _adopt(self, engine: Engine, target: Target) -> None:
        """Open what an rclone before this one left unsent, once each; only then is it sent.

        rclone would send such files, but not know them as files of the folder (`Item.reload` has no way to tell it): once sent,
        they would read as empty until its listing expires, and an append would replace the whole object.
        """
        for name in sorted(self.uploads.orphans):
            missing = 0
            while name in self.uploads.orphans:
                try:
                    await self.uploads.put_off(engine, name)
                    await in_thread(partial(open_for_change, target.path / name), ADOPTION_LIMIT)
                except FileNotFoundError:  # a symbolic link, which is no file of rclone's, or removed meanwhile
                    missing += 1
                    if missing < MISSING_LIMIT and not name.endswith(LINK_SUFFIX):
                        await asyncio.sleep(self.plan.timings.poll)
                        continue
                    with contextlib.suppress(RcError, TimeoutError):
                        await self.uploads.put_off(engine, name, 0)
                except (RcError, TimeoutError, OSError) as error:  # the store is away, so the folder cannot be listed
                    log.info("%s: %s is not open yet: %s", self.folder.name, name, error)
                    await asyncio.sleep(self.plan.timings.poll)
                    continue
                self.uploads.orphans.discard(name)

    async def _watch(self, engine: Engine, target: Target) -> None:
        """Return when the mount has not answered for the limit; asks nothing that needs the store."""
        patience, limit = MOST_PATIENCE, self.plan.timings.hang_limit
        while True:
            waited = waited_for_a_cpu(engine.process.pid)
            try:
                await in_thread(partial(answers, target.path), limit)
                patience = MOST_PATIENCE
            except TimeoutError:
                patience -= 1
                starved = waited_for_a_cpu(engine.process.pid) - waited > STARVED_SHARE * limit
                if not starved or not patience:
                    return
                log.warning("%s: no answer for %g s on a machine that is too busy; waiting on", self.folder.name, limit)
            await asyncio.sleep(self.plan.timings.poll)

    async def _check_again_and_again(self, engine: Engine, target: Target) -> None:
        while True:
            began = asyncio.get_running_loop().time()
            await self._check(engine, target)
            took = asyncio.get_running_loop().time() - began
            # A folder that is not well is looked at more often, so that people see soon when it is.
            well = self.status.state is FolderState.OK
            pause = max(self.plan.timings.check, took / SHARE_OF_CHECKS) if well else min(self.plan.timings.check, 2)
            await asyncio.sleep(pause)

    async def _check(self, engine: Engine, target: Target) -> None:
        """List it in the store (through rclone's remote control, which names the error), then list and read it as a program would."""
        limit = self.plan.timings.check_limit
        try:
            # Not vfs/refresh: its listing, begun before an upload and applied after it, brings back the old file for a while.
            await engine.rc("operations/list", limit, fs=remote_name(self.folder), remote="", opt=FOLDERS_ONLY)
            await in_thread(partial(list_and_read, target.path), limit)
        except TimeoutError:
            self._tell(FolderState.DOWN, f"The object store did not answer within {limit:g} s.", "store-silent")
        except (RcError, OSError) as error:
            found = self._cause(str(error) if isinstance(error, RcError) else engine.last_error)
            self._tell(found.state, found.reason, found.code or "store-error")
        else:
            self.status.checked_at = dt.datetime.now(dt.UTC)
            if not self._say_full():
                self._tell(FolderState.OK, "", "")

    def _cause(self, text: str) -> StoreError:
        """Without valid credentials it is the gateway's sentence that helps, not the store's refusal."""
        if problem := self.access.ended:
            return StoreError(problem.code, FolderState.REFUSED, problem.message, False)
        return store_error(text)

    def _say_full(self) -> bool:
        """Whether writing fails because the cache's disk is full; if so, it is told."""
        if self.folder.read_only:
            return False
        now = asyncio.get_running_loop().time()
        if self._full_at is None or now - self._full_at > FULL_FOR:
            disk = os.statvfs(self.plan.cache)
            if disk.f_bavail * disk.f_frsize > min(LEAST_DISK, disk.f_blocks * disk.f_frsize // 50):
                self._full_at = None
                return False
        self._tell(FolderState.DOWN, CACHE_FULL, "cache-full")
        return True

    async def _follow_uploads(self, engine: Engine, unsent: bool) -> None:
        loop = asyncio.get_running_loop()
        tried_at = loop.time()
        while True:
            try:
                await self.uploads.look(engine)
                if unsent and self.uploads.items:  # nothing goes by itself in this life: see UNSENT_WRITE_BACK
                    again = loop.time() - tried_at >= self.plan.timings.retry_limit
                    tried_at = loop.time() if again else tried_at
                    await self.uploads.hurry(engine, again)
            except (RcError, TimeoutError) as error:
                log.info("%s: uploads are not known just now: %s", self.folder.name, error)
            if self.status.state is FolderState.OK:
                self._say_full()
            self._changed()
            await asyncio.sleep(self.plan.timings.poll)

    async def look_at_uploads(self, hurry: bool) -> None:
        """Bring `uploads` up to date for a drain; ``hurry`` also shortens the pauses before the next tries."""
        if self.engine is None:
            self.uploads.look_on_disk()
            return
        try:
            if hurry:
                await self.uploads.hurry(self.engine)
            await self.uploads.look(self.engine)
        except (RcError, TimeoutError):
            self.uploads.look_on_disk()

    def off(self) -> None:
        """Say that the folder was taken away on purpose."""
        self._tell(FolderState.OFF, "", "")

    def _tell(self, state: FolderState, reason: str, code: str) -> None:
        if (state, reason) != (self.status.state, self.status.reason):
            log.info("%s: %s %s", self.folder.name, state, reason)
        self.status.state, self.status.reason, self.code = state, reason, code
        self._changed()


async def _version(engine: Engine) -> str:
    try:
        return "rclone " + str((await engine.rc("core/version", 2)).get("version", ""))
    except (RcError, TimeoutError):
        return ""
