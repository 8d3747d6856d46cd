"""The stores on which the fault table is run: what may be done to them, and alice's way in."""

from __future__ import annotations

from typing import Any, Protocol

import httpx
from ceph import personal_role
from naas_client.models import S3Credentials
from naas_local.ceph import CephStore
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


class EmbeddedSite:
    """The embedded store."""

    provider = "Rclone"

    def __init__(self, store: EmbeddedStore, issuer: TokenIssuer) -> None:
        self.store, self.issuer, self.url = store, issuer, store.url
        as_alice(self).create_bucket(Bucket=BUCKET)

    def session(self, url: str, seconds: int) -> dict[str, str]:
        return sts_session(url, self.store.role_arn, self.issuer.token("alice"), seconds)

    def stop(self) -> None:
        self.store.kill()

    def start(self) -> None:
        self.store.start()


class CephSite:
    """Ceph; its gateway is what stops."""

    provider = "Ceph"

    def __init__(self, store: CephStore, issuer: TokenIssuer) -> None:
        self.store, self.issuer, self.url = store, issuer, store.url
        store.client().create_bucket(Bucket=BUCKET)
        self.role = personal_role(store, f"{issuer.url}/", "alice")

    def session(self, url: str, seconds: int) -> dict[str, str]:
        return sts_session(url, self.role, self.issuer.token("alice"), seconds)

    def stop(self) -> None:
        self.store.rgw.stop()

    def start(self) -> None:
        self.store.rgw.start()


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
