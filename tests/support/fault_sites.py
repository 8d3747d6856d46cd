"""The stores on which the fault table is run: what may be done to them, and alice's way in."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
from ceph import personal_role
from fault_clock import Clock
from naas_client.models import S3Credentials
from naas_local.ceph import CephStore
from naas_local.parts import RestartablePart
from naas_local.store import EmbeddedStore
from s3_people import own_client
from storage_world import Gateway, sts_session
from token_issuer import TokenIssuer

BUCKET = "alice"


class Site(Protocol):
    """A store with a bucket for alice. `stop` is the crash of what serves S3, `start` its return on the same address."""

    url: str
    provider: str
    """rclone's name for the kind of store."""

    def session(self, url: str, seconds: int) -> dict[str, str]:
        """Credentials for alice from the STS at an address (the store's own, or a proxy's)."""

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def clock(self, folder: Path) -> contextlib.AbstractContextManager[Clock]:
        """For a block, the store and whoever signs its tokens have a clock of their own, which begins right."""


@contextlib.contextmanager
def environment(part: RestartablePart, more: Mapping[str, str]) -> Iterator[None]:
    """A part with other variables, for a block."""
    usual = part.spec
    part.stop()
    try:
        part.spec = dataclasses.replace(usual, environment={**usual.environment, **more})
        part.start()
        yield
    finally:
        part.stop()
        part.spec = usual
        part.start()


def token(issuer: TokenIssuer, clock: Clock | None) -> str:
    """Alice's, by the platform's clock."""
    if clock is None:
        return issuer.token("alice")
    now = clock.now()
    return issuer.token("alice", iat=now, nbf=now, exp=now + 600)


class EmbeddedSite:
    """The embedded store."""

    _clock: Clock | None = None

    provider = "Rclone"

    def __init__(self, store: EmbeddedStore, issuer: TokenIssuer) -> None:
        self.store, self.issuer, self.url = store, issuer, store.url
        as_alice(self).create_bucket(Bucket=BUCKET)

    def session(self, url: str, seconds: int) -> dict[str, str]:
        return sts_session(url, self.store.role_arn, token(self.issuer, self._clock), seconds)

    def stop(self) -> None:
        self.store.kill()

    def start(self) -> None:
        self.store.start()

    @contextlib.contextmanager
    def clock(self, folder: Path) -> Iterator[Clock]:
        self._clock = Clock(folder / "clock")
        try:
            with environment(self.store, self._clock.environment()):
                yield self._clock
        finally:
            self._clock = None


class CephSite:
    """Ceph; its gateway is what stops."""

    provider = "Ceph"
    _clock: Clock | None = None

    def __init__(self, store: CephStore, issuer: TokenIssuer) -> None:
        self.store, self.issuer, self.url = store, issuer, store.url
        store.client().create_bucket(Bucket=BUCKET)
        self.role = personal_role(store, f"{issuer.url}/", "alice")

    def session(self, url: str, seconds: int) -> dict[str, str]:
        return sts_session(url, self.role, token(self.issuer, self._clock), seconds)

    def stop(self) -> None:
        self.store.rgw.stop()

    def start(self) -> None:
        self.store.rgw.start()

    @contextlib.contextmanager
    def clock(self, folder: Path) -> Iterator[Clock]:
        """Of the gateway: signatures, sessions and tokens are its work."""
        self._clock = Clock(folder / "clock")
        try:
            with environment(self.store.rgw, {"PATH": self._clock.wrapper("radosgw", folder / "bin")}):
                yield self._clock
        finally:
            self._clock = None


def as_alice(site: Site) -> Any:
    """boto3 as alice, straight to the store."""
    given = S3Credentials.model_validate({**site.session(site.url, 3600), "endpoint": site.url})
    return own_client(given, retries={"max_attempts": 5, "mode": "standard"})


class SessionGateway(Gateway):
    """Gives a store's sessions of ``seconds``, and says as our gateway does that STS does not answer."""

    def __init__(self, site: Site, endpoint: str, sts: str) -> None:
        self.seconds = 3600
        super().__init__(endpoint, lambda: site.session(sts, self.seconds))

    def answer(self) -> tuple[int, dict[str, Any]]:
        try:
            return super().answer()
        except httpx.HTTPError:
            return 503, {"error": {"code": "sts-down", "message": "The object store gives no credentials just now."}}
