"""What IAM publishes about itself, and what happens while it does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from iam_published import ISSUER, Published
from naas_authenticator import provider as module
from naas_authenticator.provider import Provider
from naas_client.errors import Unavailable


@pytest.mark.asyncio
async def test_the_slash_at_the_end_of_the_issuer_does_not_matter(published: Published) -> None:
    for given in (ISSUER, f"{ISSUER}/"):
        assert (await Provider(given, "IAM", published.fetch).metadata()).token_endpoint == f"{ISSUER}/token"


@pytest.mark.asyncio
async def test_the_document_is_read_once(provider: Provider, published: Published) -> None:
    for _ in range(3):
        await provider.metadata()
    assert len(published.reads) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "https://iam.example.com/"}, "calls itself 'https://iam.example.com/'"),
        ({"token_endpoint": "http://iam.example.org/token"}, "without https"),
        ({"jwks_uri": "file:///etc/passwd"}, "not with a discovery document"),
        ({"userinfo_endpoint": None}, "not with a discovery document"),
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted(
    provider: Provider, published: Published, changes: dict[str, Any], why: str
) -> None:
    published.metadata |= changes
    with pytest.raises(Unavailable, match=why):
        await provider.metadata()
    assert provider.problem


@pytest.mark.asyncio
@pytest.mark.parametrize("document", [None, [], "hello", 7])
async def test_something_else_at_the_address(provider: Provider, published: Published, document: Any) -> None:
    published.metadata = document
    with pytest.raises(Unavailable, match="not with a discovery document"):
        await provider.metadata()


@pytest.mark.asyncio
async def test_iam_is_left_alone_for_a_while_after_a_failure_and_then_asked_again(
    provider: Provider, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: clock)
    published.down = True
    pauses = []
    for _ in range(6):
        with pytest.raises(Unavailable):
            await provider.metadata()
        reads = len(published.reads)
        with pytest.raises(Unavailable):
            await provider.metadata()
        assert len(published.reads) == reads, "asked again at once"
        pauses.append(provider.pause)
        clock += provider.pause
    assert pauses == [1, 2, 4, 8, 15, 15]
    published.down = False
    assert await provider.metadata()
    assert provider.problem == ""


@pytest.mark.asyncio
async def test_known_endpoints_stay_good_while_iam_is_away(
    provider: Provider, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: clock)
    await provider.metadata()
    published.down, clock = True, clock + 60
    with pytest.raises(Unavailable):
        await provider.metadata(max_age=15)
    assert await provider.metadata()
