"""Registries of images in the gateway's API: logins that are kept and told to nobody, images by a person's own rights.

Against Debian's real `docker-registry`, and for what only Harbor has against a stand-in of its few calls.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from gateway_app import Gateway, HubStandIn, gateway_app
from gateway_calls import call, error_of
from harbor_stand_in import HarborStandIn
from naas_client.errors import Forbidden, InvalidInput, NotFound, Unavailable
from naas_client.gateway import SyncGatewayClient
from naas_client.models import NewRegistryLogin
from naas_local.iam import EmbeddedIam
from pydantic import SecretStr
from registry import DockerRegistry, docker_registry

pytestmark = pytest.mark.server

SECRET = "cli-secret-of-alice-0123456789"
GIVEN = NewRegistryLogin(secret=SecretStr(SECRET))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry"), {"alice": SECRET}) as running:
        running.put("dev/analysis", "2026.5", "2026.11", "latest", login=("alice", SECRET))
        running.put("dev/deep/er/tool", "1", login=("alice", SECRET))
        yield running


@pytest.fixture(scope="module")
def harbor() -> Iterator[HarborStandIn]:
    with HarborStandIn().serving() as running:
        running.secrets = {"alice": SECRET}
        running.projects = {"naas": [], "dev": ["alice"], "ml": [], "secret": []}
        running.descriptions["naas/lab"] = "<img src=x onerror=alert(1)> the lab"
        running.put("naas/lab", "2026.11", "latest", critical=2, high=5)
        running.put("naas/lab", "2026.05", pushed="2026-05-02T08:00:00.000Z", high=0)
        running.put("naas/lab")  # an artifact without a tag
        running.put("naas/lab/with-r", "1", "<b>bold</b>", "x" * 200)
        for number in range(130):
            running.put(f"naas/many-{number:03}", "1")
        running.put("dev/analysis", "7")
        running.put("ml/torch", "2")
        running.put("secret/plans", "1")
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    iam: EmbeddedIam,
    hub: HubStandIn,
    plain: DockerRegistry,
    harbor: HarborStandIn,
) -> Iterator[Gateway]:
    registries: Any = [
        {"url": plain.url, "kind": "docker", "name": "Plain"},
        {"url": harbor.url, "name": "Harbor", "projects": {"naas": [], "dev": [], "ml": ["users/ml-infn"]}},
        {"url": "http://127.0.0.1:9", "name": "Away"},
    ]
    capabilities = {"storage": ["users/s3"], "images": ["users/naas", "admins"]}
    folder = tmp_path_factory.mktemp("gateway")
    with gateway_app(
        folder, iam, gateway={"hub_api_url": hub.url}, registries=registries, capabilities=capabilities
    ) as running:
        hub.service_token = running.hub_token
        for name in ("alice", "bob"):
            running.sign_in(name)
        yield running


@pytest.fixture
def alice(site: Gateway, hub: HubStandIn) -> Iterator[SyncGatewayClient]:
    client = site.client(hub.user_token("alice"))
    yield client
    for login in client.registry_logins().items:
        client.forget_registry_login(login.registry)


@pytest.fixture
def bob(site: Gateway, hub: HubStandIn) -> SyncGatewayClient:
    return site.client(hub.user_token("bob"))


def names(client: SyncGatewayClient, **wanted: Any) -> list[str]:
    return [one.image.partition("/")[2] for one in client.images(**wanted).items]


def test_a_login_is_tried_kept_used_and_forgotten(
    site: Gateway, alice: SyncGatewayClient, bob: SyncGatewayClient, plain: DockerRegistry, harbor: HarborStandIn
) -> None:
    assert [(one.title, one.state) for one in alice.registry_logins().items] == [
        ("Plain", "none"),
        ("Harbor", "none"),
        ("Away", "none"),
    ]
    for host in (plain.host, harbor.host):
        made = alice.set_registry_login(host, GIVEN)
        assert (made.username, made.state) == ("alice", "good")
        kept = site.hub.registry_credentials("alice", host)
        assert (kept.username, kept.secret.get_secret_value()) == ("alice", SECRET)
        with pytest.raises(NotFound) as caught:
            site.hub.registry_credentials("bob", host)
        assert caught.value.code == "no-registry-login"
    assert names(alice, registry=plain.host) == ["dev/analysis", "dev/deep/er/tool"]
    assert names(bob, registry=plain.host) == []
    assert names(alice, registry=harbor.host, project="dev") == ["dev/analysis"]
    assert names(bob, registry=harbor.host, project="dev") == []
    alice.forget_registry_login(plain.host)
    alice.forget_registry_login(plain.host)
    assert names(alice, registry=plain.host) == []


def test_the_secret_is_nowhere_to_be_read(
    site: Gateway, hub: HubStandIn, alice: SyncGatewayClient, plain: DockerRegistry
) -> None:
    alice.set_registry_login(plain.host, GIVEN)
    names(alice)
    for path in ("/registry-logins", "/images", f"/images/tags?image={plain.host}/dev/analysis", "/me"):
        assert SECRET not in call(site, "GET", path, hub.user_token("alice")).text
    assert (
        SECRET
        not in call(
            site, "PUT", f"/registry-logins/{plain.host}", hub.user_token("alice"), json={"secret": SECRET}
        ).text
    )
    kept = [path for path in site.log.parent.iterdir() if path.is_file()]
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
    with sqlite3.connect(site.log.parent / "gateway.sqlite") as rows:
        ((stored,),) = rows.execute("SELECT secret FROM registry_logins").fetchall()
        actions = rows.execute("SELECT actor, object FROM audit WHERE action = 'registry-login.set'").fetchall()
    assert SECRET.encode() not in stored
    assert ("alice", plain.host) in actions


def test_a_new_key_takes_over_the_secrets(site: Gateway, alice: SyncGatewayClient, plain: DockerRegistry) -> None:
    alice.set_registry_login(plain.host, GIVEN)
    folder = site.log.parent

    def stored() -> tuple[str, bytes]:
        with sqlite3.connect(folder / "gateway.sqlite", timeout=10) as rows:
            found: tuple[str, bytes] = rows.execute("SELECT key_id, secret FROM registry_logins").fetchone()
        return found

    before = stored()
    site.stop()
    keys = folder / "keys"
    keys.write_bytes(Fernet.generate_key() + b"\n" + keys.read_bytes())
    site.start()
    assert stored() != before
    assert stored()[0] != before[0]
    assert site.hub.registry_credentials("alice", plain.host).secret.get_secret_value() == SECRET


def test_only_the_hub_gets_a_secret(
    site: Gateway, hub: HubStandIn, alice: SyncGatewayClient, plain: DockerRegistry
) -> None:
    alice.set_registry_login(plain.host, GIVEN)
    path = f"/hub/users/alice/registry-logins/{plain.host}"
    for token in (hub.user_token("alice"), hub.user_token("dana", "custom:naas:admin")):
        assert error_of(call(site, "GET", path, token)) == (403, "hub-only")
    assert call(site, "GET", path, site.hub_token).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["plain", "harbor"])
def test_a_wrong_secret_is_not_kept(alice: SyncGatewayClient, kind: str, request: pytest.FixtureRequest) -> None:
    host = request.getfixturevalue(kind).host
    for wrong in ({"secret": "wrong"}, {"secret": SECRET, "username": "bob"}):
        with pytest.raises(InvalidInput, match="does not accept this login") as caught:
            alice.set_registry_login(host, NewRegistryLogin.model_validate(wrong))
        assert caught.value.code == "wrong-login"
        assert "wrong" not in caught.value.message
    assert {one.state for one in alice.registry_logins().items} == {"none"}


def test_a_wrong_secret_does_not_replace_a_good_one(
    site: Gateway, alice: SyncGatewayClient, plain: DockerRegistry
) -> None:
    alice.set_registry_login(plain.host, GIVEN)
    with pytest.raises(InvalidInput):
        alice.set_registry_login(plain.host, NewRegistryLogin(secret=SecretStr("wrong")))
    assert site.hub.registry_credentials("alice", plain.host).secret.get_secret_value() == SECRET


def test_a_revoked_secret_is_noticed_said_and_used_no_more(
    site: Gateway, alice: SyncGatewayClient, harbor: HarborStandIn
) -> None:
    alice.set_registry_login(harbor.host, GIVEN)
    assert names(alice, registry=harbor.host, project="dev") == ["dev/analysis"]
    harbor.secrets = {"alice": "another"}
    try:
        _forget_checks(site)
        page = alice.images(registry=harbor.host, project="dev")
        assert page.items == []
        assert "Harbor does not accept your login any more. Sign in at" in page.troubles[0]
        assert {one.title: one.state for one in alice.registry_logins().items}["Harbor"] == "refused"
        with pytest.raises(NotFound, match="does not accept your login any more"):
            site.hub.registry_credentials("alice", harbor.host)
        with pytest.raises(NotFound, match="does not accept your login any more"):
            alice.image_tags(f"{harbor.host}/dev/analysis")
    finally:
        harbor.secrets = {"alice": SECRET}
    _forget_checks(site)  # a new sign-in at Harbor makes the same secret good again
    assert site.hub.registry_credentials("alice", harbor.host).username == "alice"


def _forget_checks(site: Gateway) -> None:
    """Make all logins look as if they had not been tried for a day."""
    with sqlite3.connect(site.log.parent / "gateway.sqlite", timeout=10) as rows:
        rows.execute("UPDATE registry_logins SET checked_at = datetime('now', '-1 day')")


def test_a_registry_that_is_away_hides_no_other(alice: SyncGatewayClient, harbor: HarborStandIn) -> None:
    page = alice.images(search="lab")
    assert [one.image for one in page.items] == [f"{harbor.host}/naas/lab", f"{harbor.host}/naas/lab/with-r"]
    assert page.troubles == ["Away does not answer. Try again in a minute."]
    with pytest.raises(Unavailable, match="Away does not answer"):
        alice.set_registry_login("127.0.0.1:9", GIVEN)
    with pytest.raises(Unavailable, match="Away does not answer"):
        alice.image_tags("127.0.0.1:9/naas/lab")


def test_images_are_paged_searched_and_shown_by_group(alice: SyncGatewayClient, harbor: HarborStandIn) -> None:
    found, cursor = [], None
    while True:
        page = alice.images(registry=harbor.host, limit=50, cursor=cursor)
        found += [one.image.partition("/")[2] for one in page.items]
        if (cursor := page.next) is None:
            break
    assert len(found) == page.total == 132
    assert found == sorted(found)
    assert not [
        name for name in found if not name.startswith("naas/")
    ]  # dev is not alice's yet, ml not her groups', secret nobody's
    assert names(alice, search="MANY-12") == [f"naas/many-12{digit}" for digit in range(10)]
    assert names(alice, project="ml") == []
    assert names(alice, project="secret") == []
    with pytest.raises(NotFound, match="not offered to your groups"):
        alice.image_tags(f"{harbor.host}/ml/torch")
    with pytest.raises(NotFound, match="not offered to your groups"):
        alice.image_tags(f"{harbor.host}/secret/plans")


def test_tags_have_size_date_and_scan(alice: SyncGatewayClient, harbor: HarborStandIn, plain: DockerRegistry) -> None:
    page = alice.image_tags(f"{harbor.host}/naas/lab")
    new, latest, old = page.items
    assert [new.tag, latest.tag, old.tag] == ["2026.11", "latest", "2026.05"]
    assert new.reference == f"{harbor.host}/naas/lab:2026.11"
    assert new.size == 3 * 2**30
    assert new.scan is not None
    assert (new.scan.severity, new.scan.critical, new.scan.high) == ("Critical", 2, 5)
    assert old.pushed_at is not None
    assert old.pushed_at.year == 2026
    assert [tag.tag for tag in alice.image_tags(f"{harbor.host}/naas/lab/with-r").items] == ["1"]
    assert "/api/v2.0/projects/naas/repositories/lab%252Fwith-r/artifacts" in harbor.asked
    first = alice.image_tags(f"{harbor.host}/naas/lab", limit=1)
    assert first.next == "1"
    assert [tag.tag for tag in alice.image_tags(f"{harbor.host}/naas/lab", limit=1, cursor="1").items] == ["2026.05"]
    assert [one.tag for one in alice.image_tags(f"{harbor.host}/naas/lab", tag="latest").items] == ["latest"]
    alice.set_registry_login(plain.host, GIVEN)
    assert [one.tag for one in alice.image_tags(f"{plain.host}/dev/analysis", tag="latest").items] == ["latest"]
    tags = alice.image_tags(f"{plain.host}/dev/analysis").items
    assert [tag.tag for tag in tags] == ["latest", "2026.11", "2026.5"]
    assert all(tag.size and tag.pushed_at and tag.scan is None for tag in tags)


def test_markup_stays_text_and_odd_tags_are_left_out(alice: SyncGatewayClient, harbor: HarborStandIn) -> None:
    (lab,) = alice.images(search="the lab").items
    assert lab.description == "<img src=x onerror=alert(1)> the lab"  # the browser's text, never its markup
    assert [tag.tag for tag in alice.image_tags(f"{harbor.host}/naas/lab/with-r").items] == ["1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/images?search=" + "x" * 101, None, (400, "invalid-input")),
        ("GET", "/images?limit=0", None, (400, "invalid-input")),
        ("GET", "/images?cursor=-1", None, (400, "invalid-input")),
        ("GET", "/images?registry=evil.example.org", None, (404, "no-such-registry")),
        ("GET", "/images/tags", None, (400, "invalid-input")),
        ("GET", "/images/tags?image=" + "a" * 301, None, (400, "invalid-input")),
        ("GET", "/images/tags?image=HOST/naas/../secret", None, (400, "image")),
        ("GET", "/images/tags?image=HOST/naas/lab@sha256:x", None, (400, "image")),
        ("GET", "/images/tags?image=evil.example.org/x", None, (404, "no-such-registry")),
        ("GET", "/images/tags?image=python", None, (404, "no-such-registry")),
        ("GET", "/images/tags?image=HOST/naas/nothing", None, (404, "no-such-image")),
        ("PUT", "/registry-logins/evil.example.org", {"secret": "x"}, (404, "no-such-registry")),
        ("PUT", "/registry-logins/HOST", {}, (400, "invalid-input")),
        ("PUT", "/registry-logins/HOST", {"secret": ""}, (400, "invalid-input")),
        ("PUT", "/registry-logins/HOST", {"secret": "x" * 1001}, (400, "invalid-input")),
        ("PUT", "/registry-logins/HOST", {"secret": "a\nb"}, (400, "invalid-input")),
        ("PUT", "/registry-logins/HOST", {"secret": "x", "username": "a:b"}, (400, "invalid-input")),
    ],
)
def test_bad_input_is_explained(
    site: Gateway, hub: HubStandIn, harbor: HarborStandIn, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    options = {"json": body} if body is not None else {}
    answer = call(site, method, path.replace("HOST", harbor.host), hub.user_token("alice"), **options)
    assert error_of(answer) == expected


def test_a_registry_for_everybody_needs_no_login(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn
) -> None:
    with docker_registry(tmp_path_factory.mktemp("open")) as registry:
        registry.put("library/thing", "1")
        sections: Any = {"registries": [{"url": registry.url, "kind": "docker"}], "gateway": {"hub_api_url": hub.url}}
        with gateway_app(tmp_path_factory.mktemp("gateway"), iam, **sections) as site:
            site.sign_in("alice")
            alice = site.client(hub.user_token("alice"))
            with pytest.raises(InvalidInput, match="open to everybody"):
                alice.set_registry_login(registry.host, GIVEN)
            assert names(alice) == ["library/thing"]


def test_a_secret_is_not_sent_to_another_host(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn
) -> None:
    with HarborStandIn().serving() as harbor, HarborStandIn().serving() as thief:
        harbor.realm = f"{thief.url}/service/token"
        sections: Any = {"registries": [{"url": harbor.url}], "gateway": {"hub_api_url": hub.url}}
        with gateway_app(tmp_path_factory.mktemp("gateway"), iam, **sections) as site:
            site.sign_in("alice")
            with pytest.raises(Unavailable, match="wants people's secrets to be sent to"):
                site.client(hub.user_token("alice")).set_registry_login(harbor.host, GIVEN)
        assert thief.asked == []


def test_somebody_without_the_capability_is_told_where_to_ask(
    tmp_path_factory: pytest.TempPathFactory, iam: EmbeddedIam, hub: HubStandIn, harbor: HarborStandIn
) -> None:
    sections: Any = {
        "registries": [{"url": harbor.url}],
        "gateway": {"hub_api_url": hub.url},
        "capabilities": {"images": ["developers"]},
    }
    with gateway_app(tmp_path_factory.mktemp("gateway"), iam, **sections) as site:
        site.sign_in("bob")
        bob = site.client(hub.user_token("bob"))
        for refused in (bob.registry_logins, bob.images, lambda: bob.image_tags(f"{harbor.host}/naas/lab")):
            with pytest.raises(Forbidden, match="members of developers") as caught:
                refused()
            assert caught.value.code == "no-capability"
