"""What INDIGO IAM's two token profiles say, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from iam_login import SCOPE, claims_of, sign_in, userinfo
from naas_local.iam import EmbeddedIam, embedded_iam

pytestmark = pytest.mark.server

WLCG = "openid profile email offline_access wlcg wlcg.groups"
SLASHED = ["/users/naas", "/users/s3"]
PLAIN = ["users/naas", "users/s3"]
ABSENT = object()


def seen(claims: dict[str, Any]) -> tuple[Any, Any]:
    return claims.get("groups", ABSENT), claims.get("wlcg.groups", ABSENT)


@pytest.mark.parametrize(
    ("scope", "username", "in_userinfo", "in_access_token"),
    [
        (SCOPE, "bob", (PLAIN, ABSENT), (ABSENT, ABSENT)),
        (SCOPE, "carol", ([], ABSENT), (ABSENT, ABSENT)),
        ("openid email", "bob", (ABSENT, ABSENT), (ABSENT, ABSENT)),
        (WLCG, "bob", (ABSENT, SLASHED), (ABSENT, SLASHED)),
        (WLCG, "carol", (ABSENT, ABSENT), (ABSENT, ABSENT)),
        ("openid profile wlcg", "bob", (ABSENT, ABSENT), (ABSENT, ABSENT)),
    ],
    ids=["iam", "iam, no group", "iam, no profile scope", "wlcg", "wlcg, no group", "wlcg, no groups scope"],
)
def test_groups(iam: EmbeddedIam, scope: str, username: str, in_userinfo: object, in_access_token: object) -> None:
    tokens = sign_in(iam, username, scope=scope)
    assert seen(userinfo(iam, tokens.access_token).json()) == in_userinfo
    assert seen(claims_of(tokens.access_token)) == in_access_token


def test_the_iam_profile_keeps_the_access_token_small(iam: EmbeddedIam) -> None:
    claims = claims_of(sign_in(iam, "alice").access_token)
    assert set(claims) == {"iss", "sub", "client_id", "iat", "exp", "jti", "preferred_username"}
    assert claims["exp"] - claims["iat"] == 3600


def test_the_wlcg_profile_has_its_own_claims(iam: EmbeddedIam) -> None:
    tokens = sign_in(iam, "alice", scope=WLCG)
    claims = claims_of(tokens.access_token)
    assert claims["wlcg.ver"] == "1.0"
    assert claims["nbf"] == claims["iat"]
    assert claims["aud"] == "https://wlcg.cern.ch/jwt/v1/any"
    assert set(claims["scope"].split()) == set(WLCG.split())
    assert "organisation_name" not in userinfo(iam, tokens.access_token).json()


@pytest.fixture(scope="module")
def informative(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with embedded_iam(tmp_path_factory.mktemp("iam"), include_authn_info=True) as running:
        yield running


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (SCOPE, {"groups": PLAIN, "name": "Bob", "email": "bob@example.org", "organisation_name": "embedded"}),
        ("openid profile", {"groups": PLAIN, "name": "Bob", "organisation_name": "embedded"}),
        ("openid", {}),
        (WLCG, {"wlcg.groups": SLASHED}),
    ],
)
def test_include_authn_info_puts_groups_into_the_access_token(
    informative: EmbeddedIam, scope: str, expected: dict[str, Any]
) -> None:
    claims = claims_of(sign_in(informative, "bob", scope=scope, audience="object").access_token)
    assert (claims["preferred_username"], claims["aud"]) == ("bob", "object")
    optional = {"groups", "wlcg.groups", "name", "email", "organisation_name"}
    assert {name: claims[name] for name in optional & set(claims)} == expected


def test_wlcg_can_be_the_profile_of_everybody(tmp_path: Path) -> None:
    with embedded_iam(tmp_path, profile="wlcg") as iam:
        tokens = sign_in(iam, "bob", scope="openid profile wlcg.groups")
        assert seen(userinfo(iam, tokens.access_token).json()) == (ABSENT, SLASHED)


def test_groups_that_change_are_seen_at_once_by_userinfo(iam: EmbeddedIam) -> None:
    iam.add_user("moving", ["users/naas"])
    tokens = sign_in(iam, "moving")
    assert userinfo(iam, tokens.access_token).json()["groups"] == ["users/naas"]
    iam.set_groups("moving", ["visitors"])
    assert userinfo(iam, tokens.access_token).json()["groups"] == ["visitors"]
