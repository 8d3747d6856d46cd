"""People's own computers at the gateway: what anyone may ask, and which tokens of the device flow open what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from laptop import confirm
from naas_client.errors import NotFound
from naas_client.gateway import API_PATH
from naas_client.laptop.iam import LaptopIam, Tokens
from naas_client.models import ClientConfiguration
from naas_local.iam import CLI_CLIENT, EmbeddedIam, embedded_iam

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn) -> Iterator[Gateway]:
    sections = {
        "iam": {"cli_client_id": CLI_CLIENT},
        "gateway": {"hub_api_url": hub.url, "public_hub_url": "https://hub.example.org"},
    }
    with gateway_app(tmp_path_factory.mktemp("site"), iam, **sections) as gateway:
        for name in ("alice", "carol"):
            gateway.sign_in(name)
        yield gateway


Connect = Callable[..., Tokens]


@pytest.fixture(scope="module")
def connect(site: Gateway) -> Connect:
    """Somebody's tokens of the device flow, as a client with another audience or IAM may ask for them."""
    known: dict[tuple[str, str], Tokens] = {}

    def connect(username: str, audience: str = "naas", iam: EmbeddedIam = site.iam) -> Tokens:
        if (found := known.get((username, audience + iam.url))) is None:
            configuration = ClientConfiguration(
                issuer=iam.url, client_id=CLI_CLIENT, audience=audience, scopes=["openid", "profile", "offline_access"]
            )
            with LaptopIam(iam.url, configuration) as client:
                code = client.begin()
                found = client.wait(code, lambda _: confirm(code.complete_address, username))
            known[username, audience + iam.url] = found
        return found

    return connect


def ask(site: Gateway, token: str, method: str = "GET", path: str = "/me") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"audience": "object"} if method == "POST" else None
    answer = httpx.request(method, f"{site.url}{API_PATH}{path}", headers=headers, json=body, timeout=30)
    return answer.status_code, answer.text


def test_anyone_learns_where_to_sign_in(site: Gateway) -> None:
    found = site.client("").client_configuration()
    assert found == ClientConfiguration(
        issuer=site.iam.url, client_id=CLI_CLIENT, audience="naas", scopes=["openid", "offline_access"]
    )


def test_without_a_client_the_operator_is_named(gateway: Gateway) -> None:
    with pytest.raises(NotFound, match=r"the operators of this service must set iam\.cli_client_id") as refused:
        gateway.client("").client_configuration()
    assert refused.value.code == "no-client"


def test_a_laptops_token_is_its_owner_and_nobody_else(site: Gateway, connect: Connect) -> None:
    token = connect("alice").access_token
    assert site.client(token).me().name == "alice"
    assert site.client(token).token("object").audience == "object"
    for method, path in (
        ("GET", "/audit"),
        ("POST", "/hub/sign-ins"),
        ("GET", "/hub/users/alice/claims"),
        ("POST", "/hub/users/alice/storage"),
        ("POST", "/hub/users/carol/sign-out"),
    ):
        assert ask(site, token, method, path)[0] == 403, path


@pytest.mark.parametrize("audience", ["object", "naas-cli", "https://wlcg.cern.ch/jwt/v1/any"])
def test_a_token_for_another_audience_opens_nothing(site: Gateway, connect: Connect, audience: str) -> None:
    status, text = ask(site, connect("alice", audience).access_token)
    assert (status, "not for this service" in text) == (401, True)


def test_other_tokens_of_the_same_sign_in_open_nothing(site: Gateway, connect: Connect) -> None:
    refresh = connect("alice").refresh_token
    assert refresh
    assert ask(site, refresh)[0] in (401, 503), "the hub, which would know it, is a stand-in"


def test_another_iams_token_opens_nothing(site: Gateway, connect: Connect, tmp_path: Path) -> None:
    with embedded_iam(tmp_path) as other:
        assert ask(site, connect("alice", iam=other).access_token)[0] == 401


def test_who_never_signed_in_on_the_hub_learns_where(site: Gateway, connect: Connect) -> None:
    status, text = ask(site, connect("bob").access_token, "POST", "/tokens")
    assert status == 403
    assert "Sign in on the hub first. It is at https://hub.example.org." in text


def test_who_is_not_admitted_learns_which_group_helps(site: Gateway, connect: Connect) -> None:
    status, text = ask(site, connect("carol").access_token, "POST", "/s3-credentials")
    assert (status, "Ask to join users/naas or admins" in text) == (403, True)
