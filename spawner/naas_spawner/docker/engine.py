"""The Docker engine as spawner and side containers use it: calls that never block the hub, refusals in sentences for people.

Engine API: https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from docker.errors import APIError, DockerException
from docker.errors import NotFound as DockerNotFound
from docker.utils import parse_repository_tag
from naas_client.errors import InvalidInput, NaasError, NotFound, Unavailable
from requests.exceptions import RequestException

THREADS, STOPPING = 16, 32
"""Calls, and stops, that may wait for the engine at once. A stop waits for the container's end, so stops keep nobody else waiting."""

SILENCE_LIMIT = 180.0
"""Seconds that a download may say nothing; the layers of a slow registry are told several times a second."""

LONGEST_SAID = 400

LOCKED_DOWN: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "privileged": False,
    "cap_add": [],
    "devices": [],
    **dict.fromkeys(("pid_mode", "ipc_mode", "userns_mode", "uts_mode", "cgroupns", "volumes_from")),
    "init": True,  # reaps what people's programs leave behind, and passes signals on
    "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
}
"""Of every container that we start; nothing an operator adds takes it away. The engine's seccomp profile stays as it is."""

TMPFS = "rw,nosuid,nodev,mode=1777"


class EngineRefused(Unavailable):
    """The engine answered, and the answer is no. ``said``: its own words."""

    def __init__(self, said: str) -> None:
        self.said = said[:LONGEST_SAID]
        super().__init__(
            f"The container engine refused: {self.said}. Try again; if it stays so, write to support.", code="engine"
        )


class NoSuchObject(NotFound):
    """There is no such container or image."""

    def __init__(self, said: str) -> None:
        self.said = said[:LONGEST_SAID]
        super().__init__(f"The container engine does not know it: {self.said}.", code="engine")


class Engine:
    """One engine. Every call raises `NoSuchObject`, `EngineRefused`, or Unavailable (code ``engine``) when it is away.

    Parameters: ``connect``, makes the client (it may block; it runs in a thread).
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._threads = ThreadPoolExecutor(THREADS, "engine")
        self._stopping = ThreadPoolExecutor(STOPPING, "engine-stop")
        self._client: Any = None

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method of `docker.APIClient`."""
        threads = self._stopping if method == "stop" else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: self._call(method, args, kwargs))

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with _in_our_words():
            if self._client is None:
                self._client = self._connect()
            return getattr(self._client, method)(*args, **kwargs)

    async def create(self, host: dict[str, Any], **container: Any) -> str:
        """Create a container; its id. Parameters: ``host``, as `create_host_config` takes them, and below `LOCKED_DOWN`."""
        host_config = await self.call("create_host_config", **{**host, **LOCKED_DOWN})
        created = await self.call("create_container", host_config=host_config, **container)
        return str(created["Id"])

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """What the engine knows of a container; None when there is none."""
        try:
            found: dict[str, Any] = await self.call("inspect_container", container)
        except NoSuchObject:
            return None
        return found

    async def end(self, container: str, grace: float) -> None:
        """TERM, up to ``grace`` seconds, KILL, and away with it; no such container is no error."""
        try:
            await self.call("stop", container, timeout=int(grace))
        except NoSuchObject:
            return
        except EngineRefused:
            pass  # it is not running, or does not end: the removal kills it
        await self.remove(container)

    async def remove(self, container: str) -> None:
        """Take a container away, running or not; no such container is no error."""
        try:
            await self.call("remove_container", container, v=True, force=True)
        except NoSuchObject:
            return
        except EngineRefused as error:
            if "already in progress" not in error.said:
                raise

    async def log_tail(self, container: str, lines: int = 30) -> str:
        """The end of what a container has said; empty when that is not known."""
        try:
            said: bytes = await self.call("logs", container, tail=lines)
        except NaasError:
            return ""
        return said.decode(errors="replace")

    async def pull(
        self, reference: str, follow: Callable[[dict[str, Any]], None], login: Mapping[str, str] | None = None
    ) -> None:
        """Download an image. Parameters: ``follow``, given each of the engine's progress documents; ``login``, ``username`` and
        ``password`` for its registry (None: what the hub's own Docker configuration has, if anything).

        Raises EngineRefused also when the registry refuses, or says nothing for `SILENCE_LIMIT`.
        """
        repository, tag = parse_repository_tag(reference)
        secured = {"auth_config": dict(login)} if login else {}
        events = await self.call("pull", repository, tag or "latest", stream=True, decode=True, **secured)

        def step() -> dict[str, Any] | None:
            with _in_our_words():
                event: dict[str, Any] | None = next(events, None)
                return event

        loop = asyncio.get_running_loop()
        while True:
            try:
                event = await asyncio.wait_for(loop.run_in_executor(self._threads, step), SILENCE_LIMIT)
            except TimeoutError:
                raise EngineRefused(f"the registry has said nothing for {SILENCE_LIMIT:.0f} s") from None
            if event is None:
                return
            if "error" in event:
                raise EngineRefused(str(event["error"]))
            follow(event)


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn the errors of the client into ours."""
    try:
        yield
    except DockerNotFound as error:
        raise NoSuchObject(str(error.explanation or error)) from error
    except APIError as error:
        raise EngineRefused(str(error.explanation or error)) from error
    except (RequestException, DockerException, OSError) as error:
        raise Unavailable(
            "The container engine does not answer. Try again in a moment; operators see why with `docker info`.",
            code="engine",
        ) from error


def explain(error: EngineRefused | NoSuchObject, image: str) -> NaasError:
    """A refusal of the engine as an error for the person. Parameters: ``image``, what was to be started."""
    said = error.said
    if "no space left on device" in said:
        return Unavailable(
            "There is no room left on the disk of the machine. Tell the operators; nothing of yours is lost.",
            code="disk",
        )
    if "could not select device driver" in said:
        return Unavailable(
            f"The machine cannot give a GPU to a container: {said}. Choose a profile without one, or tell the operators.",
            code="gpu",
        )
    if "executable file not found" in said or "no such file or directory" in said or "exec format error" in said:
        return no_server(image)
    if "network" in said and "not found" in said:
        return Unavailable(
            f"The network of the servers is not there: {said}. Operators make it with "
            "`docker network create --opt com.docker.network.bridge.enable_icc=false NAME`.",
            code="network",
        )
    if "No such image" in said:
        return no_image(image, said)
    return error


def no_server(image: str) -> InvalidInput:
    """The image was not made for this."""
    return InvalidInput(
        f"The image {image} holds no notebook server that can be started here. Choose another image, "
        "or install jupyterhub and jupyterlab in it.",
        code="image",
    )


def no_image(image: str, said: str, remedy: str = "Choose another image.", *, asked: bool = False) -> InvalidInput:
    """Its registry does not give it: unknown, closed, or out of reach.

    Parameters: ``asked``, the registry had to be asked even if the image is here.
    """
    here = "" if asked else "is not on this machine and "
    return InvalidInput(f"The image {image} {here}cannot be downloaded: {said.rstrip('.')}. {remedy}", code="image")
