"""The token broker: the only owner of refresh tokens.

IAM rotates a refresh token each time it is used, and an old one that is used again ends the whole grant (RFC 9700 §4.14.2). So:

1. One renewal at a time per person: one task in this process, and across processes a lease in the grant's row.
2. Write-ahead: "sent" is committed before a token leaves for IAM, the new token with the answer. A token that was sent without an
   answer (time-out, ``kill -9`` between the answer and the commit) is lost and never sent again, whoever finds it.
3. A person has up to `TOKENS_KEPT` independent refresh tokens; the others come from token exchange (RFC 8693), which uses nothing
   up. While the access token lives, a lost one is replaced by exchange; after that, the next one is used.
4. No token is risked blindly: after a loss, IAM must first have shown that it works. While it does not, the access token serves until it
   expires.
5. ``invalid_grant`` is IAM's word that access has ended (RFC 6749 §5.2): then the others are revoked too.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from dataclasses import dataclass

from naas_client.errors import AccessEnded, NaasError, Unavailable

from naas_gateway.clients.http import NeverSent, NoAnswer
from naas_gateway.clients.iam import SENDING_LIMIT, Iam, Refused, Tokens
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.tables import GrantRow
from naas_gateway.metrics import EXCHANGES, REFRESHES
from naas_gateway.services.flights import Flights
from naas_gateway.services.grants import ENDED, SIGN_IN_AGAIN, SIGNED_OUT, TOKENS_KEPT, Grants, Lease, Stored

log = logging.getLogger(__name__)

LEASE = SENDING_LIMIT + 1.0
"""Seconds a renewal may hold the row: longer than a request to IAM can take, short enough to wait for after a crash.

Two that think they hold it would waste a token, never replay one: what is sent is decided by the mark alone.
"""

WAIT = LEASE + 3.0
"""Seconds a caller waits for somebody else's renewal."""

LOOK = 0.1
"""Seconds between two looks at a grant that somebody else renews."""

MARGIN = 5.0
"""Seconds an access token must still live to be of use."""

AT_ONCE = 8
"""Renewals this process makes at the same time; IAM serves others too."""

PAUSE_AFTER_LOSS = 5.0
"""Seconds per lost token before the next one is risked, unless IAM surely used the lost one up."""

EXCHANGE_PAUSE = 300.0
"""Seconds without further tries after IAM refused to make a second grant."""

TOUCH = 60.0
"""Seconds between two notes that a grant is in use."""

BATCH = 64
REVOKE_LIMIT = 5.0
"""Seconds that a sign-out waits for IAM."""
REVOKE_AGAIN = 60.0
GIVE_UP_REVOKING = 86400.0


@dataclass(frozen=True)
class Access:
    """A usable access token. ``serial`` names the sign-in that it comes from, ``client`` the client it was issued to."""

    token: str
    serial: str
    client: str
    scope: str


class Broker:
    """Gives out access tokens, renews grants, ends them."""

    def __init__(self, grants: Grants, iam: Iam) -> None:
        self._grants, self._iam = grants, iam
        self._flights: Flights[int, None] = Flights()
        self._background: Flights[int, bool] = Flights()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._no_exchange_before = utcnow()
        self.second_grants = ""
        """Why there are no second grants, for `/health`; empty when there are."""
        self.wake, self.wake_revoking = asyncio.Event(), asyncio.Event()

    async def access(self, user_id: int, *, renew: bool = False) -> Access:
        """The person's access token, renewed when it is due.

        Parameters: ``renew``, renew it in any case (IAM did not like the present one). Raises AccessEnded when IAM says so,
        Unavailable when IAM does not answer and the last token has expired.
        """
        grant = await self._grants.active(user_id)
        if renew:
            await self._grants.make_due(user_id, grant.serial)
        elif utcnow() < grant.renew_at:
            await self._touch(grant)
            return self._access(grant)
        await self._touch(grant)
        try:
            await self._flights.run(user_id, lambda: self._wait_renewed(user_id, urgent=renew))
        except Unavailable:
            if renew or not _alive(grant):
                raise
        return self._access(await self._grants.active(user_id))

    async def _touch(self, grant: GrantRow) -> None:
        if grant.used_at < utcnow() - seconds(TOUCH):
            await self._grants.touch(grant.user_id)

    def _access(self, grant: GrantRow) -> Access:
        return Access(self._grants.access_token(grant), grant.serial, grant.access_client, grant.scope)

    async def _wait_renewed(self, user_id: int, *, urgent: bool) -> None:
        """Renew, or wait until somebody else has; unless urgent, only while the present token is of no use.

        Raises Unavailable when neither comes about in time.
        """
        end = utcnow() + seconds(WAIT)
        while not await self._try_renew(user_id):
            await asyncio.sleep(LOOK)
            grant = await self._grants.active(user_id)
            if utcnow() < grant.renew_at or (_alive(grant) and not urgent):
                return
            if utcnow() > end:
                raise Unavailable("Your access is being renewed and it takes long. Try again in a minute.")

    async def _try_renew(self, user_id: int) -> bool:
        """Renew what is due under the lease; False when somebody else holds it."""
        async with self._slots:
            lease = await self._grants.lease(user_id, LEASE)
            if lease is None:
                await self._grants.active(user_id)
                return False
            given_back = False
            try:
                given_back = await self._under(lease)
            finally:
                if not given_back:
                    await self._grants.release(lease)
        return True

    async def _under(self, lease: Lease) -> bool:
        """What is to do for one person; whether the lease was given back with it."""
        grant = await self._grants.active(lease.user_id)
        ready, lost = await self._grants.tokens(grant)
        short = bool(ready or lost) and len(ready) < TOKENS_KEPT
        if utcnow() < grant.renew_at:
            if short:
                await self._top_up(lease, grant, TOKENS_KEPT - len(ready))
            return False
        if lost and _alive(grant):
            # Making a new token by exchange both proves that IAM works and replaces the lost one.
            if not await self._top_up(lease, grant, TOKENS_KEPT - len(ready)):
                await self._prove_works(lost, last=len(ready) <= 1)
            ready, lost = await self._grants.tokens(grant)
        elif lost and ready:
            await self._prove_works(lost, last=len(ready) <= 1)
        if ready:
            return await self._renew(lease, grant, ready[0])
        if not _alive(grant):
            await self.end(lease.user_id, grant.serial)
            raise AccessEnded(SIGN_IN_AGAIN)
        return False

    async def _prove_works(self, lost: list[Stored], *, last: bool) -> None:
        """Return when the next refresh token may be risked. Raises Unavailable."""
        latest = max(lost, key=lambda stored: stored.row.sent_at or utcnow())
        consumed = await self._iam.was_consumed(latest.token, latest.row.client)
        if consumed and (len(lost) == 1 or not last):
            return
        if utcnow() < (latest.row.sent_at or utcnow()) + seconds(PAUSE_AFTER_LOSS * len(lost)):
            raise Unavailable(f"{self._iam.title} did not answer just now. Try again in a minute.", code="iam-down")

    async def _renew(self, lease: Lease, grant: GrantRow, stored: Stored) -> bool:
        await self._iam.ready_to_send()
        if not await self._grants.mark_sent(lease, stored):
            raise Unavailable("Your access is being renewed elsewhere. Try again.")
        try:
            tokens = await self._iam.refresh(stored.token, stored.row.client)
        except NeverSent:
            REFRESHES.labels("never-sent").inc()
            await self._grants.unmark_sent(lease, stored)
            raise
        except NoAnswer:
            REFRESHES.labels("unknown").inc()
            log.warning("no answer to a refresh for user %d; this token will not be sent again", lease.user_id)
            raise
        except Refused as refused:
            raise await self._refused(lease, grant, stored, refused) from refused
        return await self._keep(lease, stored, tokens)

    async def _refused(self, lease: Lease, grant: GrantRow, stored: Stored, refused: Refused) -> NaasError:
        """Record IAM's no; the error for the caller."""
        if refused.ended:
            REFRESHES.labels("ended").inc()
            log.info("%s ended the grant of user %d", self._iam.title, lease.user_id)
            await self.end(lease.user_id, grant.serial)
            return AccessEnded(SIGN_IN_AGAIN)
        REFRESHES.labels("refused").inc()
        log.error("%s refused a refresh with %s: check iam.client_id and its secret", self._iam.title, refused.error)
        self._iam.service.circuit.failed(refused.error)  # so that it shows in /health, and is not asked each second
        await self._grants.unmark_sent(lease, stored)
        return Unavailable(f"{self._iam.title} does not accept this service. Ask its operators.", code="iam-refused")

    async def _keep(self, lease: Lease, stored: Stored, tokens: Tokens) -> bool:
        if await self._grants.renewed(lease, stored, tokens):
            REFRESHES.labels("ok").inc()
            return True
        REFRESHES.labels("fenced").inc()
        await self._grants.discard(lease.user_id, tokens)
        return False

    async def _top_up(self, lease: Lease, grant: GrantRow, missing: int) -> bool:
        """Get independent refresh tokens by token exchange; whether at least one came."""
        if utcnow() < self._no_exchange_before or not _alive(grant):
            return False
        client = self._iam.exchanger(grant.access_client)
        added = 0
        try:
            for _ in range(missing):
                tokens = await self._iam.exchange(self._grants.access_token(grant), client, scope=_offline(grant.scope))
                if not await self._grants.add_token(lease, grant.serial, tokens):
                    await self._grants.discard(lease.user_id, tokens)
                    break
                added += 1
        except Refused as refused:
            EXCHANGES.labels("spare", "refused").inc()
            if refused.ended:  # about this access token, which IAM holds for expired or revoked
                await self._grants.make_due(lease.user_id, grant.serial)
            else:
                self._second_grants_refused(refused.error)
        except Unavailable:
            EXCHANGES.labels("spare", "failed").inc()
            self._no_exchange_before = utcnow() + seconds(PAUSE_AFTER_LOSS)
        if added:
            EXCHANGES.labels("spare", "ok").inc(added)
            self.second_grants = ""
        return added > 0

    def _second_grants_refused(self, error: str) -> None:
        self._no_exchange_before = utcnow() + seconds(EXCHANGE_PAUSE)
        self.second_grants = f"no second grants: token exchange answered {error}; see iam.second_client_id"
        log.warning("%s; people may have to sign in again after a crash", self.second_grants)

    async def maintain(self) -> None:
        """One pass of the background: renew what is due and in use, complete what is short."""
        users = await self._grants.due(BATCH, short_too=utcnow() >= self._no_exchange_before)
        work = (self._background.run(user, functools.partial(self._try_renew, user)) for user in users)
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, NaasError):
                log.error("a renewal failed", exc_info=result)

    async def sign_out(self, user_id: int) -> None:
        """End a person's grant and have it revoked (RFC 7009); does nothing when there is none."""
        try:
            grant = await self._grants.active(user_id)
        except AccessEnded:
            return
        await self._grants.end(user_id, grant.serial, SIGNED_OUT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_LIMIT):  # the rest is done by `revoke`
                await self.revoke(user_id)

    async def end(self, user_id: int, serial: str) -> None:
        """End a grant that IAM does not honour any more."""
        await self._grants.end(user_id, serial, ENDED)
        self.wake_revoking.set()

    async def revoke(self, user_id: int | None = None) -> None:
        """Revoke what waits for it (one person's, or anybody's); what IAM does not answer is tried again later."""
        for stored in await self._grants.to_revoke(BATCH, user_id):
            try:
                await self._iam.revoke(stored.token, stored.row.client)
            except Unavailable:
                if stored.row.obtained_at > utcnow() - seconds(GIVE_UP_REVOKING):
                    await self._grants.revoke_later(stored, REVOKE_AGAIN)
                    continue
            await self._grants.revoked(stored)

    async def drain(self) -> None:
        """Let running renewals end before the process does."""
        await asyncio.gather(self._flights.drain(SENDING_LIMIT), self._background.drain(SENDING_LIMIT))


def _alive(grant: GrantRow) -> bool:
    """Whether a grant's access token is still of use."""
    return grant.expires_at > utcnow() + seconds(MARGIN)


def _offline(scope: str) -> str:
    return scope if "offline_access" in scope.split() else f"{scope} offline_access".strip()
