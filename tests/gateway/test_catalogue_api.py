"""The catalogue through the gateway: by group, searched, paged; forms and checks; problems for administrators alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from catalogue_files import KEY, METADATA, TEMPLATE, dashboard, write
from gateway_app import Gateway, HubStandIn, gateway_app
from naas_client.catalogue import LARGEST_CHECK, LARGEST_INPUTS
from naas_client.errors import Forbidden, InvalidInput, NotFound, Unavailable
from naas_client.gateway import API_PATH
from naas_client.gateway import SyncGatewayClient as Client
from naas_client.models import CheckInputs
from naas_local.iam import EmbeddedIam

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = dashboard(tmp_path_factory.mktemp("source"))
    return write(folder, {"tosca-metadata/metadata.yml": METADATA.replace("users/naas", "developers")})


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    source: Path,
    iam: EmbeddedIam,
    hub: HubStandIn,
    eventually: Callable[..., Any],
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("site")
    sections: dict[str, Any] = {
        "gateway": {"hub_api_url": hub.url},
        "catalogue": {
            "sources": [{"kind": "folder", "name": "infn", "path": str(source)}],
            "reload_interval": 5,
            "cache": str(folder / "catalogue"),
        },
    }
    with gateway_app(folder, iam, **sections) as gateway:
        for name in ("alice", "bob"):
            gateway.sign_in(name)
        alice = gateway.client(hub.user_token("alice"))
        eventually(lambda: answers(alice), 30)
        yield gateway


def answers(client: Client) -> bool:
    try:
        return client.catalogue().total > 0
    except Unavailable:
        return False


@pytest.fixture
def alice(site: Gateway, hub: HubStandIn) -> Client:
    """In users/naas, users/s3 and developers."""
    return site.client(hub.user_token("alice"))


@pytest.fixture
def bob(site: Gateway, hub: HubStandIn) -> Client:
    """Not in developers."""
    return site.client(hub.user_token("bob"))


def test_services_by_group(alice: Client, bob: Client) -> None:
    hers = {entry.name: entry for entry in alice.catalogue(limit=200).items}
    assert len(hers) == 19
    assert not hers["docker-engine"].locked
    his = {entry.name: entry for entry in bob.catalogue(limit=200).items}
    assert his["docker-engine"].locked
    assert his["docker-engine"].reason == "Open to members of developers, ml-infn."
    assert alice.service("docker-engine", group="users/naas").locked
    assert not alice.service("docker-engine", group="developers").locked
    with pytest.raises(Forbidden, match="not in the group"):
        bob.service("docker-engine", group="developers")
    with pytest.raises(Forbidden, match="Open to members of"):
        bob.service_form("docker-engine")
    with pytest.raises(Forbidden, match="Open to members of"):
        bob.check_inputs("docker-engine", CheckInputs())


def test_a_hidden_service_is_not_there(
    site: Gateway, bob: Client, source: Path, eventually: Callable[..., Any]
) -> None:
    before = (source / "tosca-metadata/metadata.yml").read_text()
    (source / "tosca-metadata/metadata.yml").write_text(before.replace('locked_regex: "users/.*"', "locked: []"))
    try:
        eventually(lambda: bob.catalogue(search="engine and files").total == 0, 30)
        with pytest.raises(NotFound, match="no service"):
            bob.service("docker-engine")
        with pytest.raises(NotFound):
            bob.service_form("docker-engine")
    finally:
        (source / "tosca-metadata/metadata.yml").write_text(before)
    eventually(lambda: bob.catalogue(search="engine and files").total == 1, 30)


def test_search_category_and_pages(alice: Client) -> None:
    assert [entry.name for entry in alice.catalogue(search="JUPYTER matlab").items] == ["jupyter-with-matlab"]
    assert {entry.category for entry in alice.catalogue(category="ml", limit=200).items} == {"ML"}
    assert alice.catalogue(search="nothing like it").items == []
    first = alice.catalogue(limit=10)
    second = alice.catalogue(limit=10, cursor=first.next)
    assert (len(first.items), len(second.items), first.total, second.next) == (10, 9, 19, None)
    assert [e.title.casefold() for e in first.items + second.items] == sorted(
        e.title.casefold() for e in first.items + second.items
    )
    with pytest.raises(InvalidInput, match="begin with the first page"):
        alice.catalogue(cursor="x")


def test_a_form_and_a_check(alice: Client) -> None:
    form = alice.service_form("run-docker", template="docker/run_docker_with_volume", group="users/naas")
    assert form.json_schema["properties"]["docker_storage_size"]["naas-size"] == {
        "minimum": "1 GB",
        "maximum": "100 GB",
    }
    assert alice.service_form("run-docker").name == "docker/run_docker"
    good = alice.check_inputs("run-docker", CheckInputs(inputs={"flavor": "large"}, ssh_public_key=KEY))
    assert good.valid
    assert (good.inputs["num_cpus"], good.inputs["mem_size"]) == (4, "8 GB")
    assert good.inputs["users"][0]["os_user_name"] == "alice"
    bad = alice.check_inputs("run-docker", CheckInputs(inputs={"service_ports": {"a": 0}, "x": 1}))
    assert {problem.field for problem in bad.problems} == {"service_ports", "x", "users"}
    with pytest.raises(NotFound, match="has no template"):
        alice.service_form("run-docker", template="jupyter/jupyter_vm")
    with pytest.raises(Forbidden, match="cannot be read"):
        alice.service_form("docker-engine", template="docker/missing")


def test_a_secret_never_comes_back(alice: Client) -> None:
    inputs = {"flavor": "small", "admin_password": "correct horse"}
    answer = alice.check_inputs("docker-engine", CheckInputs(inputs=inputs, ssh_public_key=KEY))
    assert answer.valid
    assert {"admin_password", "generated"} <= set(answer.secrets)
    assert not {"admin_password", "generated"} & set(answer.inputs)
    assert "correct horse" not in answer.model_dump_json()


def test_an_icon_does_nothing(site: Gateway, hub: HubStandIn) -> None:
    headers = {"Authorization": f"Bearer {hub.user_token('alice')}"}
    with httpx.Client(base_url=site.url + API_PATH, headers=headers, trust_env=False) as client:
        icon = client.get("/catalogue/run-docker/icon")
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
        assert "sandbox" in icon.headers["content-security-policy"]
        assert client.get("/catalogue/docker-engine/icon").json()["error"]["code"] == "no-icon"
        assert client.get("/catalogue/..%2fme/icon").status_code in (400, 404, 422)
        assert client.get("/catalogue/Run%20Docker").status_code == 400


def test_inputs_may_be_large(site: Gateway, hub: HubStandIn) -> None:
    headers = {"Authorization": f"Bearer {hub.user_token('alice')}"}
    with httpx.Client(base_url=site.url + API_PATH, headers=headers, trust_env=False) as client:

        def sent(length: int) -> httpx.Response:
            return client.post("/catalogue/run-docker/validate", json={"inputs": {"x": "y" * length}})

        [problem] = [item for item in sent(LARGEST_INPUTS - 100).json()["problems"] if item["field"] == "x"]
        assert "no such input" in problem["message"]
        assert "larger than 512 KiB" in sent(LARGEST_INPUTS).json()["problems"][0]["message"]
        assert sent(LARGEST_CHECK).status_code == 413
        assert client.post("/tokens", json={"audience": "y" * 70_000}).status_code == 413


def test_problems_are_for_administrators(
    site: Gateway, hub: HubStandIn, alice: Client, source: Path, eventually: Callable[..., Any]
) -> None:
    admin = site.client(hub.user_token("alice", "custom:naas:use", "custom:naas:admin"))
    with pytest.raises(Forbidden):
        alice.catalogue_problems()
    [missing] = admin.catalogue_problems().items
    assert (missing.source, missing.file, missing.line) == ("infn", "tosca-metadata/metadata.yml", 12)
    assert admin.catalogue_problems(source="naas").total == 0
    write(source, {"tosca-templates/docker/missing.yaml": TEMPLATE})
    eventually(lambda: admin.catalogue_problems().total == 0, 30)
    assert alice.service("docker-engine").variants[1].usable
