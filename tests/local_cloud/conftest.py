"""A running embedded IAM and a running store for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from naas_local.iam import EmbeddedIam, embedded_iam
from naas_local.store import EmbeddedStore, embedded_store
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(tmp_path_factory.mktemp("iam")) as running:
        yield running


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    """Signs whatever it is told to, which the embedded IAM would not."""
    with TokenIssuer().running() as running:
        yield running


@pytest.fixture(scope="module")
def store(issuer: TokenIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with embedded_store(tmp_path_factory.mktemp("store"), issuer.url) as running:
        yield running


@pytest.fixture(scope="module")
def alice_session(store: EmbeddedStore, issuer: TokenIssuer) -> dict[str, Any]:
    """Alice's temporary credentials, as STS names them."""
    return assume_role(store.url, issuer.token("alice"), store.role_arn)


@pytest.fixture(scope="module")
def alice(store: EmbeddedStore, alice_session: dict[str, Any]) -> Any:
    """Alice's boto3 client; her bucket exists."""
    client = s3_client(store.url, alice_session)
    client.create_bucket(Bucket="alice")
    return client
