"""`%image` in a real kernel, against the real gateway, a real registry and a stand-in for Harbor's own calls."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_app import Gateway, HubStandIn, gateway_app
from harbor_stand_in import HarborStandIn
from kernels import LIMIT, Kernel, kernel
from naas_client.gateway import API_PATH
from naas_client.models import RegistryLogin
from naas_local.iam import embedded_iam
from naas_server.magics.image import _user
from registry import DockerRegistry, docker_registry

pytestmark = pytest.mark.server

SECRET = "the-secret-of-alice-0123456789"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry"), {"alice": SECRET}) as running:
        running.put("dev/analysis", "1", "2", login=("alice", SECRET))
        yield running


@pytest.fixture(scope="module")
def harbor() -> Iterator[HarborStandIn]:
    with HarborStandIn().serving() as running:
        running.projects = {"naas": []}
        running.descriptions = {"naas/lab": "<b>the lab</b>"}
        running.put("naas/lab", "2026.11", critical=2, high=5)
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, plain: DockerRegistry, harbor: HarborStandIn
) -> Iterator[tuple[Gateway, HubStandIn]]:
    registries: Any = [
        {"url": harbor.url, "name": "Harbor", "proxy_caches": {"docker.io": "hub-proxy"}},
        {"url": plain.url, "kind": "docker", "name": "Plain"},
    ]
    with (
        embedded_iam(tmp_path_factory.mktemp("iam")) as iam,
        HubStandIn().serving() as hub,
        gateway_app(
            tmp_path_factory.mktemp("gateway"), iam, gateway={"hub_api_url": hub.url}, registries=registries
        ) as gateway,
    ):
        gateway.sign_in("alice")
        yield gateway, hub


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory, site: tuple[Gateway, HubStandIn]) -> Iterator[Kernel]:
    gateway, hub = site
    run = str(tmp_path_factory.mktemp("run"))
    environment = {"NAAS_GATEWAY_URL": gateway.url + API_PATH, "JUPYTERHUB_API_TOKEN": hub.user_token("alice")}
    with kernel(tmp_path_factory.mktemp("home"), NAAS_STORAGE_RUN=run, **environment) as client:
        yield Kernel(client)


def typed(alice: Kernel, line: str, secret: str) -> tuple[str, str]:
    """What a line shows when the person types a secret, and what it asked."""
    asked: list[str] = []
    shown: list[str] = []

    def type_it(message: dict[str, Any]) -> None:
        assert message["content"]["password"]
        asked.append(message["content"]["prompt"])
        alice.client.input(secret)

    def listen(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] in ("execute_result", "display_data"):
            shown.append(content["data"]["text/plain"])
        elif message["msg_type"] in ("stream", "error"):
            shown.append(content.get("text") or "\n".join(content["traceback"]))

    alice.client.execute_interactive(line, timeout=LIMIT, allow_stdin=True, stdin_hook=type_it, output_hook=listen)
    return "\n".join(shown), "".join(asked)


def test_the_secret_is_asked_for_kept_and_forgotten(alice: Kernel, plain: DockerRegistry) -> None:
    assert re.search(r"Plain .* no login: only what is public", alice.run("%image")["text"])
    said, asked = typed(alice, f"%image login {plain.host}", "wrong")
    assert f"Password for {plain.url}:" in asked
    assert "Plain does not accept this login." in said
    assert "wrong" not in said
    said, _ = typed(alice, f"%image login {plain.host}", SECRET)
    assert "Plain knows you as alice." in said
    assert SECRET not in said
    assert re.search(r"Plain .* alice +signed in", alice.run("%image registries")["text"])
    assert "dev/analysis" in alice.run("%image list analysis")["text"]
    assert f"{plain.host}/dev/analysis:2" in alice.run(f"%image tags {plain.host}/dev/analysis")["text"]
    everywhere = alice.run("import os; print(dict(os.environ), In, Out)")["text"]
    assert SECRET not in everywhere
    assert "is forgotten" in alice.run(f"%image logout {plain.host}")["text"]
    assert "dev/analysis" not in alice.run("%image list analysis")["text"]


def test_tags_have_what_a_scan_found_and_markup_stays_text(alice: Kernel, harbor: HarborStandIn) -> None:
    shown = alice.run(f"%image tags {harbor.host}/naas/lab")
    assert re.search(r"naas/lab:2026.11 +3 GiB +2026-11-09 08:00 UTC +2 critical, 5 high", shown["text"])
    assert "<table>" in shown["html"]
    assert "&lt;b&gt;the lab&lt;/b&gt;" in alice.run("%image list lab")["html"]


def test_lines_for_push_and_pull(alice: Kernel, harbor: HarborStandIn, plain: DockerRegistry) -> None:
    pushed = alice.run(f"%image push {harbor.host}/dev/analysis:3")
    assert (
        f"docker tag analysis:3 {harbor.host}/dev/analysis:3\ndocker push {harbor.host}/dev/analysis:3"
        in pushed["text"]
    )
    assert "<pre>docker login" in pushed["html"]
    pulled = alice.run("lines = %image pull python:3.12\nprint('\\n'.join(lines.commands))")["text"]
    for line in (
        f"docker pull {harbor.host}/hub-proxy/library/python:3.12",
        f"podman pull {harbor.host}/hub-proxy/library/python:3.12",
        f"apptainer pull docker://{harbor.host}/hub-proxy/library/python:3.12",
    ):
        assert line in pulled
    assert "login" not in alice.run("%image pull quay.io/a/b:1")["text"]


def test_the_user_of_a_line_is_one_word_of_a_shell() -> None:
    login = RegistryLogin.model_construct(username="robot$dev+ci")
    assert shlex.split(f"docker login{_user(login)} host")[2:] == ["-u", "robot$dev+ci", "host"]
    assert _user(login) == " -u 'robot$dev+ci'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tags", "required: name"),
        ("tags lab", "Say which registry"),
        ("tags evil.example.org/x", "none of this site's registries"),
        ("tags HARBOR/naas/../x", "not the name of an image"),
        ("tags HARBOR/naas/nothing", "is not there, or not open to you"),
        ("login", "Say which registry"),
        ("login evil.example.org", "none of this site's registries"),
        ("push HARBOR/analysis", "PROJECT/NAME:TAG"),
        ("push quay.io/a/b:1", "none of this site's registries"),
        ("pull 'a b'", "not the name of an image"),
        (f"pull {'a' * 301}", "not the name of an image"),
        ("remove x", "invalid choice"),
    ],
)
def test_an_error_is_one_sentence(alice: Kernel, harbor: HarborStandIn, line: str, said: str) -> None:
    assert said in alice.refused(f"%image {line.replace('HARBOR', harbor.host)}")


def test_a_secret_is_not_asked_for_where_nobody_can_type(alice: Kernel, plain: DockerRegistry) -> None:
    refused: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("stream", "error"):
            refused.append(str(message["content"]))

    alice.client.execute_interactive(f"%image login {plain.host}", timeout=LIMIT, allow_stdin=False, output_hook=listen)
    assert "only where somebody can type it" in "".join(refused)


def test_outside_a_server_it_says_so(tmp_path: Any) -> None:
    with kernel(tmp_path, NAAS_STORAGE_RUN=str(tmp_path), NAAS_GATEWAY_URL="") as client:
        assert "does not run inside a server of the platform" in Kernel(client).refused("%image")
