"""What the commands of ``%image`` do."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Sequence
from getpass import getpass
from html import escape

from naas_client.errors import InvalidInput, NotFound, Unavailable
from naas_client.gateway import SyncGatewayClient
from naas_client.images import ImageName
from naas_client.models import ImagePage, ImageTag, NewRegistryLogin, RegistryLogin, TagPage
from naas_client.registries import RegistrySection, pulled_name
from naas_client.sizes import format_size
from naas_storage.buckets.errors import shown
from pydantic import ValidationError

from naas_server.magics.parser import Parser
from naas_server.magics.views import View, when

LIMIT = 20.0
"""Seconds for an answer of the gateway, which asks a registry."""
STATES = {"none": "no login: only what is public", "good": "signed in", "refused": "does not accept the login any more"}


def _parser() -> Parser:
    parser = Parser("%image")
    parser.command("registries")
    parser.command("list").add_argument("text", nargs="?", default="")
    for name in ("tags", "push", "pull"):
        parser.command(name).add_argument("name")
    login = parser.command("login")
    login.add_argument("registry", nargs="?", default="")
    login.add_argument("--user", default="")
    parser.command("logout").add_argument("registry", nargs="?", default="")
    return parser


def run(line: str) -> View:
    """Do what a line says; the answer shows itself in the notebook. Raises NaasError."""
    wish = _parser().read(line, "registries")
    commands: dict[str, Callable[[SyncGatewayClient, argparse.Namespace], View]] = {
        "registries": lambda gateway, _: RegistriesView(gateway.registry_logins().items),
        "list": lambda gateway, wish: ImagesView(gateway.images(search=wish.text)),
        "tags": lambda gateway, wish: TagsView(gateway.image_tags(_at_home(gateway, wish.name), limit=50)),
        "login": lambda gateway, wish: _login(gateway, wish.registry, wish.user),
        "logout": lambda gateway, wish: _logout(gateway, wish.registry),
        "push": lambda gateway, wish: _push(gateway, wish.name),
        "pull": lambda gateway, wish: _pull(gateway, wish.name),
    }
    with _gateway() as gateway:
        return commands[wish.command](gateway, wish)


def _gateway() -> SyncGatewayClient:
    url, token = os.environ.get("NAAS_GATEWAY_URL", ""), os.environ.get("JUPYTERHUB_API_TOKEN", "")
    if not url or not token:
        raise Unavailable(
            "This notebook does not run inside a server of the platform. Start one from the hub.", code="no-gateway"
        )
    return SyncGatewayClient(url, token, timeout=LIMIT)


def _registry(gateway: SyncGatewayClient, host: str) -> RegistryLogin:
    """The registry that is meant: the only one, if none is named."""
    registries = gateway.registry_logins().items
    known = ", ".join(one.registry for one in registries)
    if not registries:
        raise NotFound("This site has no registry of images.", code="no-registry")
    if not host and len(registries) > 1:
        raise InvalidInput(f"Say which registry: {known}.")
    if found := next((one for one in registries if host in ("", one.registry)), None):
        return found
    raise NotFound(f"That is none of this site's registries. There are: {known}.", code="no-such-registry")


def _at_home(gateway: SyncGatewayClient, name: str) -> str:
    """A name with a registry of the site: the only one, where the name has none."""
    first = name.partition("/")[0]
    if "." in first or ":" in first or first == "localhost":
        return name
    return f"{_registry(gateway, '').registry}/{name}"


def _login(gateway: SyncGatewayClient, host: str, username: str) -> View:
    registry = _registry(gateway, host)
    what = "CLI secret (it is in your user profile there)" if registry.kind == "harbor" else "Password"
    try:
        given = {"username": username, "secret": getpass(f"{what} for {registry.url}: ")}
        new = NewRegistryLogin.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(f"{error.errors(include_input=False)[0]['msg']}. Nothing was kept.") from None
    except NotImplementedError:
        raise InvalidInput(
            "A secret can be asked for only where somebody can type it: in a notebook or console."
        ) from None
    kept = gateway.set_registry_login(registry.registry, new)
    return View(
        [f"{registry.title} knows you as {kept.username}. The secret is kept by the platform, and in no file of yours."]
    )


def _logout(gateway: SyncGatewayClient, host: str) -> View:
    registry = _registry(gateway, host)
    gateway.forget_registry_login(registry.registry)
    return View([f"Your login at {registry.title} is forgotten."])


def _push(gateway: SyncGatewayClient, name: str) -> CommandsView:
    image = ImageName.parse(_at_home(gateway, name))
    registry = _registry(gateway, image.registry)
    if image.digest or (registry.kind == "harbor" and "/" not in image.repository):
        raise InvalidInput("Name it as PROJECT/NAME:TAG, for example dev/analysis:1.")
    target = f"{image.registry}/{image.repository}:{image.tag or 'latest'}"
    local = f"{image.repository.rpartition('/')[2]}:{image.tag or 'latest'}"
    user = _user(registry)
    return CommandsView(
        "On the computer that has the image; podman takes the same words. The password is the CLI secret.",
        [f"docker login{user} {image.registry}", f"docker tag {local} {target}", f"docker push {target}"],
    )


def _pull(gateway: SyncGatewayClient, name: str) -> CommandsView:
    registries = gateway.registry_logins().items
    sections = [RegistrySection(url=one.url, kind=one.kind, proxy_caches=one.proxy_caches) for one in registries]
    image = ImageName.parse(pulled_name(str(ImageName.parse(name)), sections))
    login = next((one for one in registries if one.registry == image.registry), None)
    user = _user(login) if login else ""
    host = image.registry
    return CommandsView(
        "A private image needs the first line of each; the password is the CLI secret." if login else "",
        [
            *([f"docker login{user} {host}"] if login else []),
            f"docker pull {image}",
            *([f"podman login{user} {host}"] if login else []),
            f"podman pull {image}",
            *([f"apptainer registry login{user} docker://{host}"] if login else []),
            f"apptainer pull docker://{image}",
        ],
    )


def _user(login: RegistryLogin) -> str:
    """The option of a login for a shell; robots of Harbor have a ``$`` in their names."""
    return f" -u {shlex.quote(login.username)}" if login.username else ""


class RegistriesView(View):
    """The site's ``registries``, and how the person is known there."""

    def __init__(self, registries: Sequence[RegistryLogin]) -> None:
        self.registries = registries
        rows = [(one.title, one.url, one.username, STATES[one.state]) for one in registries]
        lines = [] if registries else ["This site has no registry of images."]
        super().__init__(lines, ("registry", "address", "user", ""), rows)


class ImagesView(View):
    """Images that were found; ``page`` is the document."""

    def __init__(self, page: ImagePage) -> None:
        self.page = page
        more = [f"The first {len(page.items)} of {page.total}; say more of the name."] if page.next else []
        nothing = [] if page.items or page.troubles else ["No image has this in its name."]
        rows = [(one.image, one.description, when(one.updated_at)) for one in page.items]
        super().__init__([*page.troubles, *nothing, *more], ("image", "", "changed"), rows)


class TagsView(View):
    """Tags of an image; ``page`` is the document."""

    def __init__(self, page: TagPage) -> None:
        self.page = page
        nothing = [] if page.items else ["This image has no tag."]
        rows = [
            (one.reference, format_size(one.size) if one.size else "", when(one.pushed_at), _scan(one))
            for one in page.items
        ]
        super().__init__([*page.troubles, *nothing], ("tag", "size", "pushed", "scan"), rows)


def _scan(tag: ImageTag) -> str:
    if tag.scan is None:
        return "not scanned"
    counts = ((tag.scan.critical, "critical"), (tag.scan.high, "high"))
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing serious"


class CommandsView(View):
    """Lines for a terminal: ``commands``."""

    def __init__(self, remark: str, commands: Sequence[str]) -> None:
        self.commands = [shown(command) for command in commands]
        super().__init__([remark] if remark else [])

    def __repr__(self) -> str:
        return "\n".join([*([super().__repr__()] if self._lines else []), *self.commands])

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}<pre>{escape(chr(10).join(self.commands))}</pre>"
