"""Which of the store's sites the folders use: the first in the plan that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import httpx

from naas_storage.plan import AgentPlan

FAILURES = 3
"""Probes in a row that must fail before the folders leave a site: open files do not survive the move."""
BROKEN = 500
"""HTTP status from which an answer counts as none."""

log = logging.getLogger(__name__)
Move = Callable[[str], Awaitable[None]]


class Sites:
    """Probes every site and has the folders moved. With one site it does nothing at all.

    Away: after three failed probes in a row, to the next site in order that answers; with none they stay. Back: when the first
    has answered every probe for `Timings.home_again` seconds and ``quiet`` says that nothing is on its way and no file is open.
    """

    def __init__(self, plan: AgentPlan, move: Move, quiet: Callable[[], Awaitable[bool]]) -> None:
        self.plan, self._move, self._quiet = plan, move, quiet
        self.urls = plan.sites
        self.current = self.urls[0] if self.urls else ""
        self.probed = asyncio.Event()
        self._failed = dict.fromkeys(self.urls, 0)
        self._well_since: float | None = None

    @property
    def notice(self) -> str:
        """For people, while it is not the first site that is used."""
        if not self.urls or self.current == self.urls[0]:
            return ""
        return "The object store's first site does not answer as it should, so your folders use another one."

    async def keep(self) -> None:
        """Look for ever."""
        if len(self.urls) < 2:
            self.probed.set()
            return
        limits = httpx.Timeout(self.plan.timings.probe_limit)
        async with httpx.AsyncClient(timeout=limits, follow_redirects=False) as http:
            await self._look(http)
            if self._failed[self.current]:
                await self._leave()  # nothing is mounted yet, so nobody need be patient
            self.probed.set()
            while True:
                await asyncio.sleep(self.plan.timings.probe)
                await self._look(http)
                if self._failed[self.current] >= FAILURES:
                    await self._leave()
                elif self.current != self.urls[0] and await self._may_return():
                    await self._go(self.urls[0])

    async def _look(self, http: httpx.AsyncClient) -> None:
        answered = await asyncio.gather(*(self._answers(http, url) for url in self.urls))
        for url, well in zip(self.urls, answered, strict=True):
            self._failed[url] = 0 if well else self._failed[url] + 1
        now = asyncio.get_running_loop().time()
        if not answered[0]:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now

    async def _answers(self, http: httpx.AsyncClient, url: str) -> bool:
        """Any answer that is not about the site's own trouble: nobody is signed in here, so a refusal is a good sign."""
        try:
            async with asyncio.timeout(self.plan.timings.probe_limit), http.stream("GET", url) as answer:
                return answer.status_code < BROKEN
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            log.info("the site %s does not answer: %s", url, type(error).__name__)
            return False

    async def _leave(self) -> None:
        if well := next((url for url in self.urls if not self._failed[url]), None):
            await self._go(well)

    async def _may_return(self) -> bool:
        well = self._well_since is not None and (
            asyncio.get_running_loop().time() - self._well_since >= self.plan.timings.home_again
        )
        return well and await self._quiet()

    async def _go(self, url: str) -> None:
        log.warning("the folders move from %s to %s", self.current, url)
        self.current = url
        await self._move(url)
