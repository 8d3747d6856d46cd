"""Traits and claims → may the person come in, with which groups, as an administrator?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from iam_published import ISSUER
from jinja2 import Environment, FileSystemLoader
from naas_authenticator import IAMAuthenticator
from naas_authenticator.authenticator import OWNERS, TEMPLATES
from naas_authenticator.refusal import NotAdmitted, new_reference
from naas_client.files import write_private
from naas_client.models import Claims
from naas_client.names import hub_name
from naas_client.settings import InvalidInput
from traitlets import TraitError
from traitlets.config import Config


def claims(groups: list[str], subject: str = "sub-alice", **more: str) -> Claims:
    return Claims(issuer=ISSUER, subject=subject, groups=groups, fetched_at=dt.datetime.now(dt.UTC), **more)


TABLE: list[tuple[dict[str, Any], list[str], str, bool, bool, list[str]]] = [
    # traits, groups of the person, subject → allowed, admin, hub groups
    ({}, ["users/naas"], "s", True, False, ["users/naas"]),
    ({}, ["users/naas", "users/s3"], "s", True, False, ["users/naas", "users/s3"]),
    ({}, ["admins"], "s", True, True, ["admins"]),
    ({}, ["admins", "users/naas"], "s", True, True, ["admins", "users/naas"]),
    ({}, [], "s", False, False, []),
    ({}, ["users"], "s", False, False, ["users"]),
    ({}, ["users/naas2"], "s", False, False, ["users/naas2"]),
    ({}, ["Users/NaaS"], "s", False, False, ["Users/NaaS"]),
    ({}, ["users/naas/sub"], "s", False, False, ["users/naas/sub"]),
    ({"owners": {"s"}}, [], "s", True, True, [OWNERS]),
    ({"owners": {"s"}}, ["developers"], "s", True, True, ["developers", OWNERS]),
    ({"owners": {"s"}}, [], "another", False, False, []),
    ({"allowed_groups": set(), "admin_groups": {"admins"}}, ["users/naas"], "s", False, False, ["users/naas"]),
    ({"allowed_groups": set(), "admin_groups": {"admins"}}, ["admins"], "s", True, True, ["admins"]),
    ({"admin_groups": set()}, ["admins"], "s", False, False, ["admins"]),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("traits", "groups", "subject", "allowed", "admin", "hub_groups"), TABLE)
async def test_admission(
    make: Callable[..., IAMAuthenticator],
    traits: dict[str, Any],
    groups: list[str],
    subject: str,
    allowed: bool,
    admin: bool,
    hub_groups: list[str],
) -> None:
    authenticator = make(**traits)
    model = authenticator._auth_model("alice", claims(groups, subject))
    assert await authenticator.check_allowed("alice", model) is allowed
    assert (model["admin"], model["groups"]) == (admin, hub_groups)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "model", [None, {}, {"auth_state": None}, {"auth_state": {}, "admin": True, "groups": ["admins"]}]
)
async def test_nobody_is_admitted_without_claims(make: Callable[..., IAMAuthenticator], model: Any) -> None:
    assert await make().check_allowed("alice", model) is False


def test_auth_state_holds_claims_and_nothing_else(make: Callable[..., IAMAuthenticator]) -> None:
    model = make()._auth_model("alice", claims(["users/naas"]))
    assert set(model["auth_state"]) == set(Claims.model_fields)


NAMES = [
    "a/b",
    "..",
    "../../etc/passwd",
    "аlice",
    "ALICE",
    "x" * 300,
    "scratch",
    "",
    "a b",
    "alice\n",
    "%2e%2e",
    "user.name",
    "ß",
    "🚀",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_the_hub_never_takes_as_they_are_and_what_they_become(
    make: Callable[..., IAMAuthenticator], name: str
) -> None:
    authenticator, safe = make(), hub_name(name)
    assert not authenticator.validate_username(name)
    assert authenticator.validate_username(safe)
    assert authenticator.normalize_username(safe) == safe
    assert "---" in safe


@pytest.mark.parametrize("name", ["alice", "dana-2", "u-ab---0123456789"])
def test_names_that_the_hub_takes(make: Callable[..., IAMAuthenticator], name: str) -> None:
    assert make().validate_username(name)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": ""}, "issuer is missing"),
        ({"client_id": ""}, "client_id is missing"),
        ({"client_secret_file": ""}, "client_secret_file is missing"),
        ({"gateway_token_file": ""}, "gateway_token_file is missing"),
        ({"scope": ["profile"]}, "needs `openid`"),
        ({"allowed_groups": set(), "admin_groups": set()}, "Nobody could sign in"),
    ],
)
def test_a_bad_configuration_stops_the_start(
    make: Callable[..., IAMAuthenticator], changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(TraitError, match=why):
        make(**changes)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("allow_all", True, "allowed_groups"),
        ("allowed_users", {"alice"}, "allowed_groups"),
        ("admin_users", {"alice"}, "admin_groups"),
        ("username_claim", "email", "gateway fixes the name"),
        ("client_secret", "hunter2hunter2hunter2", "client_secret_file"),
        ("enable_pkce", False, "always on"),
        ("userdata_from_id_token", True, "both read"),
    ],
)
@pytest.mark.parametrize("owner", ["IAMAuthenticator", "GenericOAuthenticator", "OAuthenticator", "Authenticator"])
def test_an_inherited_setting_that_would_undo_a_rule_is_refused(
    make: Callable[..., IAMAuthenticator], owner: str, name: str, value: Any, remedy: str
) -> None:
    with pytest.raises(TraitError, match=remedy) as caught:
        make(config=Config({owner: {name: value}}))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "changeme", "test_token", "short"])
def test_a_default_secret_stops_the_start(make: Callable[..., IAMAuthenticator], tmp_path: Any, value: str) -> None:
    file = tmp_path / "weak"
    write_private(file, value)
    with pytest.raises(InvalidInput, match="default or too short"):
        make(client_secret_file=str(file))


def test_the_fallback_page_of_a_refusal_escapes_what_iam_says(make: Callable[..., IAMAuthenticator]) -> None:
    evil = '<img src=x onerror="alert(1)">'
    authenticator = make(allowed_groups={evil}, contact=evil, group_texts={evil: {"description": evil}})
    refusal = NotAdmitted(claims([evil], preferred_username=evil, email=evil))
    context = authenticator.refusal_page(refusal, "/hub/oauth_login")
    loader = FileSystemLoader(TEMPLATES)
    page = (
        Environment(loader=loader, autoescape=True).overlay(loader=_Pages(TEMPLATES)).get_template("naas_refused.html")
    )
    text = page.render(**context)
    assert evil not in text
    assert "&lt;img" in text
    assert refusal.reference in text


class _Pages(FileSystemLoader):
    """Our templates with the bare frame that JupyterHub's ``page.html`` gives."""

    def get_source(self, environment: Any, template: str) -> Any:
        if template == "page.html":
            return "{% block main %}{% endblock %}", None, None
        return super().get_source(environment, template)


def test_the_refusal_page_names_the_groups_that_are_worth_asking_for(make: Callable[..., IAMAuthenticator]) -> None:
    authenticator = make(
        allowed_groups={"users/naas", "admins"},
        group_texts={"users/naas": {"description": "Notebooks", "join_url": ""}},
    )
    context = authenticator.refusal_page(NotAdmitted(claims(["x"], "0123456789abcdef")), "/hub/oauth_login")
    assert context["open_groups"] == [{"name": "users/naas", "description": "Notebooks", "join_url": f"{ISSUER}/"}]
    assert context["subject"] == "01234567…"
    assert context["other_account_url"] == "/hub/oauth_login?account=other"


def test_references_can_be_read_out_on_the_phone() -> None:
    assert all(not set("01IO") & set(new_reference()[2:6]) for _ in range(200))
