"""Images that cannot be started: each gets a sentence with the remedy, and leaves nothing; the hub and the others do not notice."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from hub_session import HubSession
from served import Served

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse, pytest.mark.docker]

RECIPES = {
    "no-server": "ENTRYPOINT []",
    "ends": "LABEL io.infn.naas.start=\"sh -c 'echo the licence is missing >&2; exit 3'\"\nENTRYPOINT []",
    "silent": 'LABEL io.infn.naas.start="sleep 3600"\nENTRYPOINT []',
    "unreadable": 'LABEL io.infn.naas.start="sh -c \'unclosed"\nENTRYPOINT []',
}


@pytest.fixture(scope="module", autouse=True)
def images(docker_product: Served) -> Iterator[None]:
    """Small images with something wrong, and one of somebody else: a plain JupyterHub image without our labels."""
    client = docker.from_env()
    agent, lab = (docker_product.product.site()["hub"]["docker"].get(key) for key in ("agent_image", "image"))
    base, lab = agent or _image("agent"), lab or _image("lab")
    recipes = {name: f"FROM {base}\n{recipe}\n" for name, recipe in RECIPES.items()}
    recipes["plain"] = f'FROM {lab}\nLABEL io.infn.naas.start="" io.infn.naas.read-only-root=""\n'
    for name, recipe in recipes.items():
        client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=f"naas-tests/{name}:1", rm=True)
    yield
    for name in recipes:
        client.images.remove(f"naas-tests/{name}:1", force=True)


def _image(name: str) -> str:
    listed = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", f"naas/{name}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()[0]


def refusal(session: HubSession, **options: Any) -> str:
    """What a start that must fail says."""
    answer = session.hub("POST", f"/users/{session.name}/server", json={"user_options": options})
    if answer.status_code in (201, 202):
        return session.http.get(f"/hub/api/users/{session.name}/server/progress", timeout=120).text
    return str(answer.json()["message"])


SAID = {
    "nothing": ("naas-tests/not-there:1 is not on this machine and cannot be downloaded", "Choose another image"),
    "no server": ("naas-tests/no-server:1 holds no notebook server", "install jupyterhub"),
    "ends": ("the server ended before it answered", "the licence is missing"),
    "silent": ("did not answer within", "Choose another image"),
    "unreadable": ("The label io.infn.naas.start of the image naas-tests/unreadable:1 is no command", "Correct it"),
}


@pytest.mark.parametrize("name", SAID)
def test_an_image_that_gives_no_server_is_explained(containers: Served, name: str) -> None:
    alice = containers.sign_in("alice")
    said = refusal(alice, profile="images", image=name, memory="1G")
    for words in SAID[name]:
        assert words in said, said
    assert containers.world.leftovers("alice") == []
    assert containers.sign_in("bob").hub("GET", "/user").status_code == 200


def test_an_image_of_somebody_else_works_with_its_own_folders(containers: Served) -> None:
    """No label: the plain command, and a root that can be written."""
    alice = containers.sign_in("alice")
    alice.start_server(profile="images", image="plain", memory="1G")
    with alice.kernel() as kernel:
        assert kernel.run("import os; print(os.path.isdir('cloud-storage/alice'))") == "True\n"


FORGED: list[tuple[dict[str, Any], str]] = [
    ({"profile": "images", "custom_image": "naas-tests/plain@sha256:abc"}, "not one that your groups may start"),
    ({"profile": "images", "custom_image": "naas-tests/../plain:1"}, "not one that your groups may start"),
    ({"profile": "images", "custom_image": "registry.evil.example:5000/x:1"}, "not one that your groups may start"),
    ({"profile": "images", "custom_image": "a" * 301}, "longer than 300 characters"),
    ({"profile": "images", "custom_image": "naas-tests/plain:1 --privileged"}, "not one that your groups may start"),
    ({"profile": "images", "image": "plain", "memory": "1024T"}, "This machine has"),
    ({"profile": "images", "privileged": True}, "is not known"),
    ({"profile": "wide", "memory": "512M"}, "does not have this size of memory"),
]


@pytest.mark.parametrize(("options", "words"), FORGED)
def test_a_forged_choice_starts_nothing(containers: Served, options: dict[str, Any], words: str) -> None:
    alice = containers.sign_in("alice")
    assert words in refusal(alice, **options)
    assert containers.world.leftovers("alice") == []


def test_groups_without_a_pattern_have_no_images_of_their_own(containers: Served) -> None:
    bob = containers.sign_in("bob")
    assert "may not start images of their own" in refusal(bob, profile="images", custom_image="naas-tests/plain:1")


def test_the_hub_looks_for_its_images_when_it_starts(docker_product: Served) -> None:
    """Those that cannot be had are named in its log; the others are here."""
    log = (docker_product.product.data / "logs" / "hub.log").read_text()
    assert "naas-tests/not-there:1 is not on this machine and cannot be downloaded" in log
