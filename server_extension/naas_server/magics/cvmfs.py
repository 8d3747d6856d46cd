"""What the commands of ``%cvmfs`` do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from naas_client.cvmfs import MOUNT_DIR, Seen, look_at
from naas_client.errors import NotFound
from naas_client.images import DOCKER_HUB, ImageName

from naas_server.magics.parser import Parser
from naas_server.magics.views import View

UNPACKED = "unpacked."
"""Repositories of unpacked images are called so (https://cvmfs.readthedocs.io, "Container images and CVMFS")."""
DOCKER_HUB_FOLDER = "registry.hub.docker.com"
"""What such a repository calls Docker Hub."""
WORDS = {
    "there": "there",
    "missing": "not there",
    "empty": "not mounted",
    "silent": "does not answer",
    "refused": "cannot be read",
}


def _parser() -> Parser:
    parser = Parser("%cvmfs")
    parser.command("list")
    parser.command("image").add_argument("name")
    return parser


def run(line: str) -> View:
    """Do what a line says; the answer shows itself in the notebook. Raises NaasError."""
    wish = _parser().read(line, "list")
    return RepositoriesView(look_at(_asked())) if wish.command == "list" else _image(ImageName.parse(wish.name))


def _asked() -> list[Path]:
    """The repositories that were chosen at the start of this server."""
    root = Path(os.environ.get("CVMFS_MOUNT_DIR", MOUNT_DIR))
    return [root / name for name in os.environ.get("CVMFS_REPOSITORIES", "").split(",") if name]


def _image(name: ImageName) -> UnpackedView:
    repositories = [path for path in _asked() if path.name.startswith(UNPACKED)]
    if not repositories:
        raise NotFound(
            "No repository of unpacked images was chosen for this server. Choose one (unpacked.…) when you start it.",
            code="no-unpacked",
        )
    return UnpackedView(name, look_at(path / unpacked_path(name) for path in repositories))


def unpacked_path(name: ImageName) -> str:
    """Where an image is in a repository of unpacked images: ``<registry>/<repository>:<tag>``."""
    registry = DOCKER_HUB_FOLDER if name.registry == DOCKER_HUB else name.registry
    version = f"@{name.digest}" if name.digest else f":{name.tag or 'latest'}"
    return f"{registry}/{name.repository}{version}"


class RepositoriesView(View):
    """The ``repositories`` that this server was started with."""

    def __init__(self, repositories: Sequence[Seen]) -> None:
        self.repositories = repositories
        lines = (
            [] if repositories else ["No CVMFS repository was chosen for this server. Choose some when you start it."]
        )
        rows = [(one.path.name, WORDS[one.state], one.revision, str(one.path)) for one in repositories]
        super().__init__(
            [*lines, *(one.trouble for one in repositories if one.trouble)],
            ("repository", "state", "revision", "path"),
            rows,
        )


class UnpackedView(View):
    """An image as repositories of unpacked images have it: ``path`` (None while it is in none) and ``command``."""

    def __init__(self, name: ImageName, places: Sequence[Seen]) -> None:
        self.path = next((place.path for place in places if place.state == "there"), None)
        self.command = f"apptainer exec {self.path or places[0].path} COMMAND"
        if self.path:
            lines = [f"{name} is published.", self.command]
        elif all(place.state in ("missing", "empty") for place in places):
            lines = [
                f"{name} is not published yet: it is not at {' or '.join(str(place.path) for place in places)}. "
                "Publication takes some minutes after a push; run this again. When it is there:",
                self.command,
            ]
        else:
            unknown = next(place for place in places if place.state not in ("missing", "empty"))
            lines = [
                f"Whether {name} is published is not known: {unknown.path} {WORDS[unknown.state]}. "
                "`%cvmfs` shows how the repositories are."
            ]
        super().__init__(lines)
