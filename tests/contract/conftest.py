"""The stores that must keep people apart, each as a factory of clients for alice and bob."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from naas_local.store import embedded_store
from s3_people import assume_role, s3_client
from token_issuer import TokenIssuer


@dataclass
class IsolatedStore:
    """What the contract needs of an implementation. The buckets ``alice``, ``bob`` and ``scratch`` exist."""

    url: str
    alice: Any
    bob: Any
    as_alice_named_bob: Any
    """A client with alice's token, whose session alice herself named ``bob``."""


@contextmanager
def embedded(folder: Path) -> Iterator[IsolatedStore]:
    with TokenIssuer().running() as issuer, embedded_store(folder, issuer.url) as store:

        def client(user: str, session_name: str) -> Any:
            return s3_client(store.url, assume_role(store.url, issuer.token(user), store.role_arn, session_name))

        found = IsolatedStore(store.url, client("alice", "alice"), client("bob", "bob"), client("alice", "bob"))
        found.alice.create_bucket(Bucket="alice")
        found.bob.create_bucket(Bucket="bob")
        yield found


IMPLEMENTATIONS: dict[str, Callable[[Path], AbstractContextManager[IsolatedStore]]] = {"embedded": embedded}


@pytest.fixture(scope="module", params=sorted(IMPLEMENTATIONS))
def isolated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IsolatedStore]:
    with IMPLEMENTATIONS[request.param](tmp_path_factory.mktemp(request.param)) as store:
        for client, name in ((store.alice, "alice"), (store.bob, "bob")):
            client.put_object(Bucket=name, Key="private", Body=f"{name}'s own".encode())
            client.put_object(Bucket="scratch", Key=f"{name}/shared", Body=f"{name}'s for all".encode())
        yield store
