"""Images: whether one is here, its download with progress, and what it says of itself in its labels (docs/reference/images.md)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docker import APIClient
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from naas_client import labels
from naas_client.errors import InvalidInput, NaasError, Unavailable
from naas_client.registries import BUILT_HERE, RegistrySection, pulled_name
from naas_client.sizes import format_size

from naas_spawner.docker.engine import Engine, EngineRefused, NoSuchObject, explain, no_image

PLAIN_START = ("jupyterhub-singleuser",)
SAY_EVERY = 0.5
"""Seconds between two words about a download."""

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Right:
    """As whom a registry is asked. Parameters: ``login``, ``username`` and ``password``; ``remedy``, for when it refuses."""

    login: Mapping[str, str] | None = field(default=None, repr=False)
    remedy: str = "Choose another image."


@dataclass(frozen=True)
class Wish:
    """An image that somebody wants to start.

    Parameters: ``reference``, its name; ``source``, the name under which a registry is asked for it; ``right``, gives the person's
    right there, and is asked only when the registry is; ``each_time``, whether the registry must allow it at each start, so that nobody
    starts what only somebody else could download.
    """

    reference: str
    source: str = ""
    right: Callable[[], Awaitable[Right]] | None = None
    each_time: bool = False

    @property
    def pulled(self) -> str:
        """The name that is pulled."""
        return self.source or self.reference

    def __str__(self) -> str:
        return self.reference if self.pulled == self.reference else f"{self.reference} (from {self.pulled})"


@dataclass(frozen=True)
class Image:
    """An image that is here. ``name``: for people."""

    reference: str
    name: str
    command: tuple[str, ...]
    read_only_root: bool


class Images:
    """The images of one engine. Several starts that need the same one, with the same rights, wait for one download."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pulls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._said: dict[tuple[str, str], str] = {}

    async def ready(self, wish: Wish, say: Say, limit: float) -> Image:
        """The image, downloaded if need be. Parameters: ``say``, told how far the download is; ``limit``, seconds to wait for it.

        Raises InvalidInput when it cannot be had, Unavailable when the engine is away, its disk is full, or the download takes
        longer (it goes on).
        """
        for name in [] if wish.each_time else dict.fromkeys((wish.reference, wish.pulled)):
            with contextlib.suppress(NoSuchObject):
                return await self._inspect(wish, name)
        if wish.reference.startswith(BUILT_HERE):
            raise InvalidInput(
                f"The image {wish} is not built yet. Operators build it with `make images`; choose another image until then.",
                code="image",
            )
        await self._pull(wish, say, limit)
        return await self._inspect(wish, wish.pulled)

    async def _inspect(self, wish: Wish, name: str) -> Image:
        try:
            found = await self._engine.call("inspect_image", name)
        except EngineRefused as error:
            raise no_image(str(wish), error.said) from error
        said = found["Config"].get("Labels") or {}
        try:
            command = tuple(shlex.split(said.get(labels.START, "")))
        except ValueError as error:
            raise InvalidInput(
                f"The label {labels.START} of the image {wish} is no command: {error}. Correct it, or choose another image.",
                code="image",
            ) from error
        return Image(name, str(wish), command or PLAIN_START, said.get(labels.READ_ONLY_ROOT) == "true")

    async def _pull(self, wish: Wish, say: Say, limit: float) -> None:
        right = await wish.right() if wish.right else Right()
        key = (wish.pulled, repr(sorted((right.login or {}).items())))
        task = self._pulls.get(key)
        if task is None:
            task = self._pulls[key] = asyncio.create_task(self._download(wish, right, key))
            task.add_done_callback(lambda _: self._pulls.pop(key, None))
        loop = asyncio.get_running_loop()
        end, said = loop.time() + limit, ""
        if wish.pulled != wish.reference:
            say(wish.pulled)
        while not task.done():
            if loop.time() > end:
                raise Unavailable(
                    f"The image {wish} is still being downloaded{f' ({said})' if said else ''}. That goes on: "
                    "start your server again in a few minutes.",
                    code="image",
                )
            await asyncio.wait({task}, timeout=SAY_EVERY)
            if (now := self._said.get(key, "")) != said:
                said = now
                say(said if wish.pulled == wish.reference else f"{said}, {wish.pulled}")
        await task

    async def _download(self, wish: Wish, right: Right, key: tuple[str, str]) -> None:
        layers: dict[str, tuple[int, int]] = {}
        try:
            await self._engine.pull(wish.pulled, lambda event: self._follow(key, layers, event), right.login)
        except (EngineRefused, NoSuchObject) as error:
            known = explain(error, str(wish))
            refused = no_image(str(wish), error.said, right.remedy, asked=wish.each_time)
            raise (refused if known is error else known) from error
        finally:
            self._said.pop(key, None)

    def _follow(self, key: tuple[str, str], layers: dict[str, tuple[int, int]], event: Mapping[str, Any]) -> None:
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[event["id"]] = (detail.get("current", 0), detail["total"])
        if layers:
            done, total = (sum(column) for column in zip(*layers.values(), strict=True))
            self._said[key] = f"{format_size(done)} of {format_size(total)}"


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


async def pull_all(
    references: Iterable[str], registries: Sequence[RegistrySection] = (), limit: float = 24 * 3600
) -> None:
    """Have images here before somebody needs them, one after the other; what cannot be had is said in the log.

    Parameters: ``registries``, of whose proxy caches they may come; ``limit``, seconds for each.
    """
    images = shared({}, {})[1]
    for reference in sorted(set(references)):
        try:
            wish = Wish(reference, pulled_name(reference, registries))
            await images.ready(wish, lambda _: None, limit)
        except NaasError as error:
            log.warning("%s", error.message)
