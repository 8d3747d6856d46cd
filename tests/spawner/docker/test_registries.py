"""Images from a registry that knows people: by one's own rights, through a proxy cache, and when it is away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from hub_session import HubSession
from registry import DockerRegistry
from served import SECRET, Served

pytestmark = [pytest.mark.server, pytest.mark.root, pytest.mark.fuse, pytest.mark.docker]

PULLED = "holds no notebook server"
"""What is said of these images, which have one text file, once they are here."""


@pytest.fixture(scope="module")
def registry(docker_product: Served) -> Iterator[DockerRegistry]:
    registry = docker_product.registry
    assert registry is not None
    for repository in ("alice/private", "cache/tools/hello"):
        registry.put(repository, "1", login=("alice", SECRET))
    yield registry
    registry.start()
    registry.admit({"alice": SECRET})
    names = [f"{registry.host}/{name}:1" for name in ("alice/private", "cache/tools/hello")]
    subprocess.run(["docker", "rmi", "--force", *names], capture_output=True, check=False)


def said(session: HubSession, image: str) -> str:
    """Everything that is said of a start, which these images never bring to its end."""
    options = {"profile": "registry", "custom_image": image}
    answer = session.hub("POST", f"/users/{session.name}/server", json={"user_options": options})
    if answer.status_code in (201, 202):
        return session.http.get(f"/hub/api/users/{session.name}/server/progress", timeout=120).text
    return str(answer.json()["message"])


def signed_in_there(served: Served, name: str, secret: str) -> HubSession:
    """Somebody whose login at the registry is kept, given from within a server."""
    session = served.sign_in(name)
    session.start_server(profile="small")
    assert served.registry is not None
    answer = session.server("PUT", f"naas/api/registry-logins/{served.registry.host}", json={"secret": secret})
    assert answer.status_code == 200, answer.text
    assert secret not in answer.text
    with session.kernel() as kernel:
        assert secret not in kernel.run("import os; print(dict(os.environ))")
    session.stop_server()
    return session


def test_a_private_image_is_for_those_whom_the_registry_lets_in(containers: Served, registry: DockerRegistry) -> None:
    private = f"{registry.host}/alice/private:1"
    alice = containers.sign_in("alice")
    refused = said(alice, private)
    assert f"{private} cannot be downloaded" in refused
    assert "give your login at Plain with `%image login`" in refused
    alice = signed_in_there(containers, "alice", SECRET)
    assert PULLED in said(alice, private)
    bob = containers.sign_in("bob")  # the image is on the machine now, and still not his
    assert f"{private} cannot be downloaded" in said(bob, private)
    logs = "".join(path.read_text() for path in (containers.product.data / "logs").iterdir())
    assert SECRET not in logs
    registry.admit({"alice": "another secret"})
    try:
        assert f"{private} cannot be downloaded" in said(alice, private)
    finally:
        registry.admit({"alice": SECRET})


def test_an_image_comes_through_the_proxy_cache(containers: Served, registry: DockerRegistry) -> None:
    alice = signed_in_there(containers, "alice", SECRET)
    told = said(alice, "proxied.example.org/tools/hello:1")
    assert PULLED in told
    assert f"proxied.example.org/tools/hello:1 (from {registry.host}/cache/tools/hello:1)" in told


def test_a_registry_that_is_away_is_said(containers: Served, registry: DockerRegistry) -> None:
    alice = containers.sign_in("alice")
    registry.stop()
    try:
        told = said(alice, f"{registry.host}/alice/private:1")
    finally:
        registry.start()
    assert "cannot be downloaded" in told
    assert containers.world.leftovers("alice") == []


@pytest.mark.parametrize(
    "image",
    [
        "HOST/alice/private@sha256:abc",
        "HOST/alice/../private:1",
        "HOST:1/alice/private:1",
        "HOST/a//b:1",
        "evil.example.org/x:1",
    ],
)
def test_names_that_are_none_start_nothing(containers: Served, registry: DockerRegistry, image: str) -> None:
    alice = containers.sign_in("alice")
    assert "not one that your groups may start" in said(alice, image.replace("HOST", registry.host))
