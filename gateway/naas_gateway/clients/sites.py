"""The object store's sites: the same buckets behind several addresses, and the one in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from naas_client.errors import Unavailable

from naas_gateway.clients.http import Answer, Service

TITLE = "The object store"

AVOIDED = 30.0
"""Seconds for which a site that did not answer is asked only when no other one answers."""

Signer = Callable[[str], Mapping[str, str]]
"""Makes the headers for an address: a signature holds for one site only."""


class Sites:
    """Sends each request to the first site that answers.

    Parameters: ``urls``, in order of preference; the store has to accept one site's credentials at all of them.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = list(urls)
        self.services = [
            Service("store" if n == 0 else f"store-{n + 1}", TITLE, url) for n, url in enumerate(self.urls)
        ]
        self._failed_at = [-AVOIDED] * len(self.urls)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(service.close() for service in self.services))

    @property
    def url(self) -> str:
        """The site that the next request goes to."""
        return self.urls[self._order()[0]]

    def _order(self) -> list[int]:
        now = monotonic()
        return sorted(range(len(self.urls)), key=lambda n: now - self._failed_at[n] < AVOIDED)

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Signer | None = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One request, which has to be harmless when it is made twice.

        Parameters: ``path``, percent-encoded and with its query; ``headers``, makes them for the full address.
        Raises Unavailable (code ``store-down``) when no site answers.
        """
        failed: Unavailable | None = None
        for n in self._order():
            url = f"{self.urls[n]}{path}"
            try:
                answer = await self.services[n].request(
                    method, url, headers=headers(url) if headers else None, data=data, content=content
                )
            except Unavailable as error:
                self._failed_at[n] = monotonic()
                failed = error
            else:
                self._failed_at[n] = -AVOIDED
                return answer
        raise Unavailable(failed.message if failed else f"{TITLE} has no address.", code="store-down") from failed

    @property
    def trouble(self) -> str:
        """The sites that did not answer when last asked, and the one in use, in a sentence; empty: all is well."""
        now = monotonic()
        silent = [url for url, failed in zip(self.urls, self._failed_at, strict=True) if now - failed < AVOIDED]
        if not silent:
            return ""
        used = "" if self.url in silent else f"; {self.url} is used"
        return f"{', '.join(silent)} does not answer{used}."

    async def check(self) -> None:
        """Ask every site. Raises Unavailable when none answers."""
        found = await asyncio.gather(*(self._look(n) for n in range(len(self.urls))))
        failed = [error for error in found if error is not None]
        if len(failed) == len(found):
            raise failed[0]

    async def _look(self, n: int) -> Unavailable | None:
        try:
            await self.services[n].request("GET", self.urls[n], repeatable=False, checked=True)
        except Unavailable as error:
            self._failed_at[n] = monotonic()
            return error
        self._failed_at[n] = -AVOIDED
        return None
