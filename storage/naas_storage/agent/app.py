"""The agent's process: its plan, its lock on the cache, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from naas_client.errors import Unavailable
from naas_client.files import lock
from naas_client.gateway import GatewayClient
from naas_client.logs import configure
from pydantic import ValidationError

from naas_storage.agent.guard import Guard
from naas_storage.agent.service import Agent
from naas_storage.plan import AgentPlan

log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(plan: AgentPlan) -> Iterator[None]:
    """Hold the cache: two rclones on one cache would send each other's half-written files."""
    plan.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    busy = Unavailable("Another mount agent uses this cache. Stop that server first.", code="cache-in-use")
    with lock(plan.cache / ".lock", plan.timings.lock_limit, busy):
        yield


async def _run(plan: AgentPlan, token: str) -> None:
    async with GatewayClient(plan.gateway_url, token) as gateway:
        agent = Agent(plan, gateway.s3_credentials, gateway.storage_usage)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, agent.stop)
        await agent.run()


def main(argv: Sequence[str]) -> int:
    """Run the agent for the plan file named in ``argv``; the exit status is 2 when it cannot start.

    The hub token is read from ``JUPYTERHUB_API_TOKEN`` and taken out of the environment.
    """
    configure("agent")
    os.umask(0o077)
    token = os.environ.pop("JUPYTERHUB_API_TOKEN", "")
    try:
        plan = AgentPlan.model_validate_json(Path(argv[0]).read_text())
    except (IndexError, OSError, ValidationError) as error:
        log.error("the plan cannot be read: %s", error)
        return 2
    return Guard(lambda: _serve(plan, token)).run()


def _serve(plan: AgentPlan, token: str) -> int:
    try:
        with alone(plan):
            asyncio.run(_run(plan, token))
    except Unavailable as error:
        log.error(error.message)
        return 2
    return 0
