"""Images: whether one is here, its download with progress, and what it says of itself in its labels (docs/reference/images.md)."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound
from docker.utils import parse_repository_tag
from naas_client.errors import InvalidInput
from naas_client.sizes import format_size

from naas_spawner.docker.engine import NO_SPACE, Engine, explain, no_image

START_LABEL = "io.infn.naas.start"
"""The command that starts a notebook server in this image; an image without it is started by `jupyterhub-singleuser`."""

READ_ONLY_LABEL = "io.infn.naas.read-only-root"
"""``true``: the image needs to write nowhere but in the home and in /tmp."""

PLAIN_START = ("jupyterhub-singleuser",)
SAY_EVERY = 0.5
"""Seconds between two words about a download."""

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

    async def ready(self, reference: str, say: Say) -> Image:
        """The image, downloaded if need be. Parameters: ``say``, told how far the download is.

        Raises InvalidInput when it cannot be had, Unavailable when the engine is away or its disk is full.
        """
        try:
            return await self._inspect(reference)
        except NotFound:
            await self._pull(reference, say)
        try:
            return await self._inspect(reference)
        except NotFound as error:
            raise explain(error, reference) from error

    async def _inspect(self, reference: str) -> Image:
        found = await self._engine.call("inspect_image", reference)
        labels = found["Config"].get("Labels") or {}
        try:
            command = tuple(shlex.split(labels.get(START_LABEL, "")))
        except ValueError as error:
            raise InvalidInput(
                f"The label {START_LABEL} of the image {reference} is no command: {error}. Correct it, or choose another image.",
                code="image",
            ) from error
        return Image(reference, command or PLAIN_START, labels.get(READ_ONLY_LABEL) == "true")

    async def _pull(self, reference: str, say: Say) -> None:
        task = self._pulls.get(reference)
        if task is None:
            task = self._pulls[reference] = asyncio.create_task(self._download(reference))
            task.add_done_callback(lambda _: self._pulls.pop(reference, None))
        said = ""
        while not task.done():
            await asyncio.wait({task}, timeout=SAY_EVERY)
            if (now := self._said.get(reference, "")) != said:
                said = now
                say(said)
        try:
            await asyncio.shield(task)  # a start that is given up does not end what others wait for
        except APIError as error:
            said = str(error.explanation or error)[:400]
            raise (explain(error, reference) if NO_SPACE in said else no_image(reference, said)) from error

    async def _download(self, reference: str) -> None:
        loop = asyncio.get_running_loop()
        repository, tag = parse_repository_tag(reference)
        events = await self._engine.call("pull", repository, tag or "latest", stream=True, decode=True)
        layers: dict[str, tuple[int, int]] = {}
        try:
            # each step of the iterator waits for the engine, so it is taken in a thread
            while (event := await loop.run_in_executor(None, next, events, None)) is not None:
                self._follow(reference, layers, event)
        finally:
            self._said.pop(reference, None)

    def _follow(self, reference: str, layers: dict[str, tuple[int, int]], event: dict[str, Any]) -> None:
        if "error" in event:
            raise APIError(str(event["error"]), explanation=str(event["error"]))
        detail = event.get("progressDetail") or {}
        if event.get("status") == "Downloading" and detail.get("total"):
            layers[event["id"]] = (detail.get("current", 0), detail["total"])
        done, total = (sum(column) for column in zip(*layers.values(), strict=True)) if layers else (0, 0)
        if total:
            self._said[reference] = f"{format_size(done)} of {format_size(total)}"
