"""The Docker engine as spawner and side containers use it: calls that never block the hub, refusals in sentences for people.

Engine API: https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from naas_client.errors import InvalidInput, NaasError, Unavailable
from requests.exceptions import RequestException

THREADS = 16
"""Calls that may wait for the engine at once; one that is busy with one container still answers for the others."""

LOCKED_DOWN: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "privileged": False,
    "init": True,  # reaps what people's programs leave behind, and passes signals on
    "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
}
"""Of every container that we start; nothing an operator adds takes it away. The engine's seccomp profile stays as it is."""

TMPFS = "rw,nosuid,nodev,mode=1777"


class Engine:
    """One engine. Parameters: ``connect``, makes the client (it may block; it runs in a thread)."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._threads = ThreadPoolExecutor(THREADS, "engine")
        self._client: Any = None

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method of `docker.APIClient`. Raises `docker.errors.APIError` on a refusal, Unavailable when the engine is away."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self._call(method, args, kwargs))

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            if self._client is None:
                self._client = self._connect()
            return getattr(self._client, method)(*args, **kwargs)
        except APIError:
            raise
        except (RequestException, DockerException, OSError) as error:
            raise Unavailable(
                "The container engine does not answer. Try again in a moment; operators see why with `docker info`.",
                code="engine",
            ) from error

    async def create(self, host: dict[str, Any], **container: Any) -> str:
        """Create a container; its id. Parameters: ``host``, as `create_host_config` takes them, and below `LOCKED_DOWN`."""
        host_config = await self.call("create_host_config", **{**host, **LOCKED_DOWN})
        created = await self.call("create_container", host_config=host_config, **container)
        return str(created["Id"])

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """What the engine knows of a container; None when there is none."""
        try:
            found: dict[str, Any] = await self.call("inspect_container", container)
        except NotFound:
            return None
        return found

    async def end(self, container: str, grace: float) -> None:
        """TERM, up to ``grace`` seconds, KILL, and away with it; no such container is no error."""
        try:
            await self.call("stop", container, timeout=int(grace))
        except NotFound:
            return
        await self.remove(container)

    async def remove(self, container: str) -> None:
        """Take a container away, running or not; no such container is no error."""
        try:
            await self.call("remove_container", container, v=True, force=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # somebody removes it already
                raise

    async def log_tail(self, container: str, lines: int = 30) -> str:
        """The end of what a container has said."""
        try:
            said: bytes = await self.call("logs", container, tail=lines)
        except NotFound:
            return ""
        return said.decode(errors="replace")


def explain(error: APIError, image: str) -> NaasError:
    """A refusal of the engine as an error for the person. Parameters: ``image``, what was to be started."""
    said = str(error.explanation or error)[:400]
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
    if "No such image" in said or "pull access denied" in said or "manifest" in said or "repository" in said:
        return InvalidInput(
            f"The image {image} is not on this machine and cannot be downloaded: {said}. Choose another image.",
            code="image",
        )
    if "executable file not found" in said or "no such file or directory" in said or "exec format error" in said:
        return no_server(image)
    if "network" in said and "not found" in said:
        return Unavailable(
            f"The network of the servers is not there: {said}. Operators make it with "
            "`docker network create --opt com.docker.network.bridge.enable_icc=false NAME`.",
            code="network",
        )
    return Unavailable(
        f"The container engine refused: {said}. Try again; if it stays so, write to support.", code="engine"
    )


def no_server(image: str) -> InvalidInput:
    """The image was not made for this."""
    return InvalidInput(
        f"The image {image} holds no notebook server that can be started here. Choose another image, "
        "or install jupyterhub and jupyterlab in it.",
        code="image",
    )
