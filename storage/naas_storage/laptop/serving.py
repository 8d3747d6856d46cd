"""The process behind `naas mount`: an agent whose credentials are the person's own, and a terminal that tells how it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from typing import TypeVar

from naas_client.errors import NaasError, NotFound, Unavailable
from naas_client.laptop.person import LaptopPerson
from naas_client.logs import JsonFormatter
from naas_client.models import FolderState, S3Credentials, StorageStatus, Usage
from naas_client.terminal import say

from naas_storage.agent.app import alone
from naas_storage.agent.guard import Guard
from naas_storage.agent.probe import in_thread
from naas_storage.agent.service import Agent
from naas_storage.laptop.places import Place
from naas_storage.laptop.words import Narrator, left_behind
from naas_storage.plan import ACCESS_NAME

GATEWAY_LIMIT = 150.0
"""Seconds for an answer of the service; another `naas` may have to be waited for."""
REFUSED, LEFT = 2, 3
"""Exit status: nothing could be mounted; ended with files that are not in the store."""
Answer = TypeVar("Answer")
HOPELESS = frozenset({"no-rclone", "no-fuse", "NoSuchBucket"})
"""Causes that waiting does not cure; so is a refusal."""


def serve(place: Place, person: LaptopPerson) -> int:
    """Keep a place mounted until somebody ends it; the exit status. A child does the work, and is started again when it is killed."""
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # the terminal was closed
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # for the child alone
    os.umask(0o077)
    return Guard(lambda: _child(place, person)).run()


def _child(place: Place, person: LaptopPerson) -> int:
    try:
        with alone(place.plan):
            _log_into(place)
            place.write()
            place.show()
            try:
                return asyncio.run(Serving(place, person).run())
            finally:
                place.hide()
                (place.plan.run / ACCESS_NAME).unlink(missing_ok=True)
    except NaasError as error:
        _say(error.message, problem=True)
        return REFUSED


def _log_into(place: Place) -> None:
    handler = logging.FileHandler(place.plan.run / "agent.log", mode="w")
    handler.setFormatter(JsonFormatter("mount"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _say(line: str, *, problem: bool = False) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone; the folder is not
        say(line, err=problem)


class Serving:
    """One agent and its end."""

    def __init__(self, place: Place, person: LaptopPerson) -> None:
        self.place, self.person = place, person
        self._narrator = Narrator(place)
        self._was_mounted = False
        self._interrupted = False

    async def run(self) -> int:
        """Serve until told to end; the exit status."""
        agent = Agent(self.place.plan, self._credentials, self._usage)
        work = asyncio.create_task(agent.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, agent.stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupt, agent, work)
        loop.add_signal_handler(signal.SIGQUIT, work.cancel)
        telling = asyncio.create_task(self._tell(agent, work))
        with contextlib.suppress(asyncio.CancelledError):
            await work
        telling.cancel()
        return self._farewell()

    async def _credentials(self) -> S3Credentials:
        return await self._from_gateway(self.person.s3_credentials)

    async def _usage(self) -> Usage:
        if str(self.place.source) != self.place.plan.username:
            raise NotFound("The service knows the usage of one's own bucket alone.")
        return await self._from_gateway(self.person.storage_usage)

    async def _from_gateway(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return await in_thread(ask, GATEWAY_LIMIT)
        except TimeoutError as error:
            raise Unavailable("The service does not answer in time. It is asked again.", code="gateway-slow") from error

    def _interrupt(self, agent: Agent, work: asyncio.Task[None]) -> None:
        """Ctrl-C: the first ends when everything is sent, the second at once."""
        if self._interrupted:
            work.cancel()
            return
        self._interrupted = True
        agent.stop()
        if agent.status().uploads_total:
            _say("Ends when everything is sent. Ctrl-C again ends now and keeps the rest for the next time.")

    async def _tell(self, agent: Agent, work: asyncio.Task[None]) -> None:
        while not agent.ended.is_set():
            status = agent.status()
            if not self._was_mounted and status.state == "mounted":
                self._was_mounted = True
            if not self._was_mounted and _hopeless(status):
                work.cancel()
            for line in self._narrator.news(status):
                _say(line, problem=status.state == "degraded")
            await agent.next_change()

    def _farewell(self) -> int:
        """Say what is pending, by name."""
        uploads = self.place.pending().items
        if uploads:
            _say(left_behind(self.place, uploads), problem=True)
            return LEFT
        if not self._was_mounted:
            return REFUSED
        _say("Ended; everything is in the store.")
        return 0


def _hopeless(status: StorageStatus) -> bool:
    refused = any(folder.state in (FolderState.REFUSED, FolderState.OFF) for folder in status.folders)
    return status.state == "degraded" and (refused or status.code in HOPELESS)
