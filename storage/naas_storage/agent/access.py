"""Temporary credentials of the store: renewed at a quarter of their life, kept while the gateway is away."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import random
from collections.abc import Awaitable, Callable

from naas_client.errors import NaasError, Unavailable
from naas_client.files import write_private_json
from naas_client.models import S3Credentials

from naas_storage.agent.reasons import CLOCK
from naas_storage.plan import ACCESS_NAME, AgentPlan

FIRST_PAUSE = 0.5
"""Seconds before the second try; doubled up to `Timings.retry_limit`."""
SLACK = 5
"""Seconds after the next renewal at which readers of the file look again."""

log = logging.getLogger(__name__)
Fetch = Callable[[], Awaitable[S3Credentials]]


class Access:
    """Keeps ``<run>/access.json`` valid: what `credential_process` gives to rclone, and notebooks read.

    The file's ``Expiration`` is early on purpose, so that readers take the renewed credentials long before the old ones end;
    ``ExpiresAt`` is the true one. A gateway that is away for less than three quarters of a credential's life is not noticed.

    ``Expiration`` is never later than the store's own word. Where this machine's clock is ahead of that, rclone asks for credentials
    with each request (aws-sdk-go-v2, ``CredentialsCache``), and holds none that seem good for long once the clock is set back.
    """

    def __init__(self, plan: AgentPlan, fetch: Fetch, changed: Callable[[], None]) -> None:
        self.plan, self._fetch, self._changed = plan, fetch, changed
        self.path = plan.run / ACCESS_NAME
        self.site = plan.endpoint
        self.current: S3Credentials | None = None
        self._ends: dt.datetime | None = None
        """When the current ones end by the store's clock."""
        self._life = 0.0
        """Seconds that credentials have lived which came while the clock was right."""
        self.problem: NaasError | None = None
        self.ready = asyncio.Event()

    async def keep(self) -> None:
        """Renew for ever."""
        self._take_over()
        failures = 0
        while True:
            failures = 0 if await self._renew() else failures + 1
            pause = self._pause(failures)
            self._write(pause)
            await asyncio.sleep(pause)

    def _take_over(self) -> None:
        """Use what an agent before this one left, so that folders are there at once and without the gateway."""
        try:
            left = json.loads(self.path.read_text())
            credentials = S3Credentials(
                access_key_id=left["AccessKeyId"],
                secret_access_key=left["SecretAccessKey"],
                session_token=left["SessionToken"],
                expires_at=left["ExpiresAt"],
                endpoint=left["Endpoint"],
                region=left["Region"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return
        if credentials.endpoint in self.plan.sites and _left(credentials) > SLACK:
            self._use(credentials, credentials.expires_at)

    def move(self, site: str) -> None:
        """Tell notebooks of another site of the store; the credentials are good at each."""
        self.site = site
        self._write(SLACK)

    @property
    def ended(self) -> NaasError | None:
        """Why there are no valid credentials now; None when there are some, or nobody knows yet."""
        return self.problem if self.current is None or _left(self.current) <= 0 else None

    def _use(self, credentials: S3Credentials, ends: dt.datetime) -> None:
        self.current, self._ends, self.problem = credentials, ends, None
        self._write(SLACK)
        self.ready.set()
        self._changed()

    async def _renew(self) -> bool:
        try:
            given = await self._fetch()
            credentials = self._by_our_clock(given)
        except NaasError as error:
            log.warning("credentials were not renewed: %s (%s)", error.message, error.code)
            self.problem = error
            if self.current is not None and _left(self.current) <= 0:
                self.current = None
                self.ready.clear()
            self._changed()
            return False
        self._use(credentials, given.expires_at)
        return True

    def _by_our_clock(self, credentials: S3Credentials) -> S3Credentials:
        """Credentials that have just been made, with an end that this machine's clock can be asked about.

        Where the clock is ahead by more than a session lives, each has ended when it comes. Then they live as long as those before:
        whoever has folders keeps them. Raises Unavailable (``clock-wrong``) where there were none before.
        """
        if (left := _left(credentials)) > 0:
            self._life = left
            return credentials
        if not self._life:
            raise Unavailable(CLOCK, code="clock-wrong")
        log.warning("the clock of this machine is ahead of the store's by more than %.0f s", self._life)
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self._life)
        return credentials.model_copy(update={"expires_at": ends})

    def _pause(self, failures: int) -> float:
        if failures:
            longest = self.plan.timings.retry_limit
            return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), longest) * random.uniform(0.75, 1)  # noqa: S311 - jitter
        left = _left(self.current) if self.current else 0
        return max(1.0, left * self.plan.timings.renew_at)

    def _write(self, pause: float) -> None:
        if (now := self.current) is None or self._ends is None:
            return
        looks_again = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=pause + SLACK)
        document = {
            "Version": 1,
            "AccessKeyId": now.access_key_id,
            "SecretAccessKey": now.secret_access_key,
            "SessionToken": now.session_token,
            "Expiration": _stamp(min(looks_again, self._ends)),
            "ExpiresAt": _stamp(now.expires_at),
            "Endpoint": self.site or now.endpoint,
            "Region": self.plan.region or now.region,
        }
        try:
            write_private_json(self.path, document)
        except OSError as error:  # a full disk must not end the agent
            log.error("%s cannot be written: %s", self.path, error.strerror)


def _left(credentials: S3Credentials) -> float:
    return (credentials.expires_at - dt.datetime.now(dt.UTC)).total_seconds()


def _stamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
