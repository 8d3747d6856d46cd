"""Images: whether one is here, its download with progress, and what it says of itself in its labels (docs/reference/images.md)."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from naas_client import labels
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.sizes import format_size

from naas_spawner.docker.engine import Engine, EngineRefused, NoSuchObject, explain, no_image

BUILT_HERE = "naas/"
"""Images of `make images`. No registry is asked for them: whoever has this name there could send people anything."""

PLAIN_START = ("jupyterhub-singleuser",)
SAY_EVERY = 0.5
"""Seconds between two words about a download."""

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """An image that is here."""

    reference: str
    command: tuple[str, ...]
    read_only_root: bool


class Images:
    """The images of one engine. Several starts that need the same one wait for one download."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}

    async def ready(self, reference: str, say: Say, limit: float) -> Image:
        """The image, downloaded if need be. Parameters: ``say``, told how far the download is; ``limit``, seconds to wait for it.

        Raises InvalidInput when it cannot be had, Unavailable when the engine is away, its disk is full, or the download takes
        longer (it goes on).
        """
        try:
            return await self._inspect(reference)
        except NoSuchObject:
            pass
        if reference.startswith(BUILT_HERE):
            raise InvalidInput(
                f"The image {reference} is not built yet. Operators build it with `make images`; choose another image until then.",
                code="image",
            )
        await self._pull(reference, say, limit)
        return await self._inspect(reference)

    async def _inspect(self, reference: str) -> Image:
        try:
            found = await self._engine.call("inspect_image", reference)
        except EngineRefused as error:
            raise no_image(reference, error.said) from error
        said = found["Config"].get("Labels") or {}
        try:
            command = tuple(shlex.split(said.get(labels.START, "")))
        except ValueError as error:
            raise InvalidInput(
                f"The label {labels.START} of the image {reference} is no command: {error}. Correct it, or choose another image.",
                code="image",
            ) from error
        return Image(reference, command or PLAIN_START, said.get(labels.READ_ONLY_ROOT) == "true")

    async def _pull(self, reference: str, say: Say, limit: float) -> None:
        task = self._pulls.get(reference)
        if task is None:
            task = self._pulls[reference] = asyncio.create_task(self._download(reference))
            task.add_done_callback(lambda _: self._pulls.pop(reference, None))
        loop = asyncio.get_running_loop()
        end, said = loop.time() + limit, ""
        while not task.done():
            if loop.time() > end:
                raise Unavailable(
                    f"The image {reference} is still being downloaded{f' ({said})' if said else ''}. That goes on: "
                    "start your server again in a few minutes.",
                    code="image",
                )
            await asyncio.wait({task}, timeout=SAY_EVERY)
            if (now := self._said.get(reference, "")) != said:
                said = now
                say(said)
        await task

    async def _download(self, reference: str) -> None:
        layers: dict[str, tuple[int, int]] = {}
        try:
            await self._engine.pull(reference, lambda event: self._follow(reference, layers, event))
        except (EngineRefused, NoSuchObject) as error:
            known = explain(error, reference)
            raise (no_image(reference, error.said) if known is error else known) from error
        finally:
            self._said.pop(reference, None)

    def _follow(self, reference: str, layers: dict[str, tuple[int, int]], event: Mapping[str, Any]) -> None:
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[event["id"]] = (detail.get("current", 0), detail["total"])
        if layers:
            done, total = (sum(column) for column in zip(*layers.values(), strict=True))
            self._said[reference] = f"{format_size(done)} of {format_size(total)}"


_shared: dict[str, tuple[Engine, Images]] = {}


def shared(tls: Mapping[str, Any], client: Mapping[str, Any]) -> tuple[Engine, Images]:
    """The engine that a client's settings lead to, and its images: one for all who use the same.

    Parameters: those of `docker.tls.TLSConfig` and of `docker.APIClient`, above what the environment says (``DOCKER_HOST`` and its
    like).
    """

    def connect() -> APIClient:
        secured = {"tls": TLSConfig(**tls)} if tls else {}
        return APIClient(**{"version": "auto", **kwargs_from_env(), **secured, **client})

    key = repr((sorted(tls.items()), sorted(client.items())))
    if key not in _shared:
        engine = Engine(connect)
        _shared[key] = engine, Images(engine)
    return _shared[key]


async def pull_all(references: Iterable[str], limit: float = 24 * 3600) -> None:
    """Have images here before somebody needs them, one after the other; what cannot be had is said in the log.

    Parameters: ``limit``, seconds for each.
    """
    images = shared({}, {})[1]
    for reference in sorted(set(references)):
        try:
            await images.ready(reference, lambda _: None, limit)
        except NaasError as error:
            log.warning("%s", error.message)
