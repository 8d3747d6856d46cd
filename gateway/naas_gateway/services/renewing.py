"""Short-lived credentials kept in memory and renewed after a share of their life."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from naas_client.errors import Unavailable

from naas_gateway.clock import seconds, utcnow
from naas_gateway.services.flights import Flights

Key = TypeVar("Key", bound=tuple[Any, ...])
Value = TypeVar("Value")

USABLE = 30.0
"""Seconds that a credential must still live to be handed out when its renewal fails."""

MOST_ENTRIES = 20_000


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    value: Value
    renew_at: dt.datetime
    expires_at: dt.datetime


class RenewingCache(Generic[Key, Value]):
    """Parameters: ``share``, the part of a value's life (0 to 1) after which a new one is made.

    A key holds everything the value depends on, the serial of the grant above all: an older sign-in's value is never found.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._kept: dict[Key, _Kept[Value]] = {}
        self._flights: Flights[Key, Value] = Flights()

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, tuple[Value, dt.datetime]]]) -> Value:
        """The value for a key; ``make`` gives a new one and its expiry. While making fails, the old one while it lives."""
        kept, now = self._kept.get(key), utcnow()
        if kept and now < kept.renew_at:
            return kept.value
        try:
            return await self._flights.run(key, lambda: self._make(key, make))
        except Unavailable:
            if kept and now + seconds(USABLE) < kept.expires_at:
                return kept.value
            raise

    async def _make(self, key: Key, make: Callable[[], Coroutine[Any, Any, tuple[Value, dt.datetime]]]) -> Value:
        started = utcnow()
        value, expires_at = await make()
        self._forget_expired(started)
        self._kept[key] = _Kept(value, started + (expires_at - started) * self._share, expires_at)
        return value

    def _forget_expired(self, now: dt.datetime) -> None:
        if len(self._kept) >= MOST_ENTRIES:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.expires_at > now}
