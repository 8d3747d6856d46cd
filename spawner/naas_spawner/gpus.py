"""Which GPUs there are: the section ``gpus`` of ``naas.yaml``, what the machine has, and what the gateway says is free of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Self

from naas_client.errors import NaasError
from naas_client.gateway import GatewayClient
from naas_client.models import DeviceId, GpuDevice, GpuDevices, GpuState, NodeName
from naas_client.settings import Section
from pydantic import AfterValidator, Field, model_validator

from naas_spawner.nvidia import Found, Nvidia
from naas_spawner.profiles import Text, first_double

log = logging.getLogger(__name__)

LOOK_AGAIN = 15.0
"""Seconds after which the machine is asked again which devices it has, when somebody wants to know."""

FRESH = 5.0
"""Seconds that the gateway's answer is shown again: any number of open pages asks it once."""

PAGE_WAIT = 2.0
"""Seconds that a page waits for the counts; it is shown without them if they take longer."""


class GpuSource(Section):
    """Devices of one flavour: those that `nvidia-smi` finds in the hub's machine, or a list of them."""

    flavour: Text = Field(description="the name that profiles use", examples=["A100 slice 1g.10gb"])
    discover: str = Field(
        "",
        max_length=120,
        description="what `nvidia-smi -L` calls them: a slice's MIG profile, with or without the card's name before it, or a card's name",
        examples=["1g.10gb", "NVIDIA A100-SXM4-80GB 1g.10gb", "NVIDIA H100 80GB HBM3"],
    )
    devices: list[DeviceId] = Field(
        default_factory=list,
        max_length=1000,
        description="instead of `discover`: UUIDs of the devices, or their indexes",
        examples=[["MIG-b2c1f9f7-9c9e-5b4e-8f0a-2b6d9a4f6c01"]],
    )
    node: NodeName = Field(
        "", description="for `devices`: the machine they are in; empty: the hub's", examples=["gpu1.example.org"]
    )

    @model_validator(mode="after")
    def _found_or_named(self) -> Self:
        if bool(self.discover) == bool(self.devices):
            raise ValueError("give either `discover` or `devices`")
        if self.discover and self.node:
            raise ValueError("only the hub's own machine can be looked at. List the `devices` of another node")
        return self


def _devices_are_distinct(sources: list[GpuSource]) -> list[GpuSource]:
    if double := first_double([f"{source.node}/{device}" for source in sources for device in source.devices]):
        raise ValueError(f"the device {double.removeprefix('/')} occurs twice. Remove one")
    return sources


GpuSources = Annotated[list[GpuSource], Field(max_length=200), AfterValidator(_devices_are_distinct)]
"""The type of the settings key ``gpus``."""


def offered(sources: Sequence[GpuSource], found: Iterable[Found]) -> list[GpuDevice]:
    """The devices that a site gives out: listed ones, and found ones that a source asks for (no sources: all, by their own names)."""
    listed = [GpuDevice(node=s.node, device=device, flavour=s.flavour) for s in sources for device in s.devices]
    taken = {device.device for device in listed if not device.node}
    for device in found:
        flavour = next((s.flavour for s in sources if s.discover in device.names), "" if sources else device.name)
        if flavour and device.device not in taken:
            listed.append(GpuDevice(device=device.device, flavour=flavour[:80]))
    return listed


class GpuPool:
    """What this hub knows of the site's GPUs, and tells the gateway; one for all its spawners."""

    def __init__(self) -> None:
        self._nvidia = Nvidia()
        self._reporting: asyncio.Task[None] | None = None
        self._reported = self._asked = float("-inf")
        self._states: list[GpuState] | None = None
        self._asking = asyncio.Lock()
        self._trouble = ""

    async def report(self, sources: Sequence[GpuSource], gateway: Callable[[], GatewayClient]) -> None:
        """Tell the gateway which devices there are, unless it has just been told.

        Parameters: ``gateway``, makes a client with the hub's token. Raises NaasError when the gateway does not take it.
        """
        if time.monotonic() - self._reported > LOOK_AGAIN:
            if self._reporting is None or self._reporting.done():
                self._reporting = asyncio.create_task(self._report(sources, gateway))
                # whoever waited may have gone: an error that nobody reads is no news, the next look tries again
                self._reporting.add_done_callback(lambda task: task.cancelled() or task.exception())
            await asyncio.shield(self._reporting)

    async def _report(self, sources: Sequence[GpuSource], gateway: Callable[[], GatewayClient]) -> None:
        found: list[Found] = []
        if not sources or any(source.discover for source in sources):
            try:
                found, trouble = await self._nvidia.devices(), ""
            except NaasError as error:  # devices that cannot be seen are not given out
                trouble = error.message
            if trouble and trouble != self._trouble:
                log.warning("No GPU of this machine is given out: %s", trouble)
            self._trouble = trouble
        async with gateway() as client:
            await client.report_gpus(GpuDevices(devices=offered(sources, found)))
        self._reported = time.monotonic()

    def changed(self) -> None:
        """Ask the gateway again at the next look: this hub took or gave back a device."""
        self._asked = float("-inf")

    async def states(self, sources: Sequence[GpuSource], gateway: Callable[[], GatewayClient]) -> list[GpuState] | None:
        """What is free, at most a few seconds old; None while it is not known. Never raises, and does not wait for long."""
        async with self._asking:
            if time.monotonic() - self._asked > FRESH:
                self._states = None
                with suppress(NaasError, TimeoutError):
                    self._states = await self._ask(sources, gateway)
                self._asked = time.monotonic()
        return self._states

    async def _ask(self, sources: Sequence[GpuSource], gateway: Callable[[], GatewayClient]) -> list[GpuState] | None:
        async with asyncio.timeout(PAGE_WAIT):
            known = self._reported > float("-inf")
            with suppress(NaasError, TimeoutError):
                async with asyncio.timeout(PAGE_WAIT / 2):
                    await self.report(sources, gateway)
                    known = True
            if not known:  # the gateway may not know yet what there is
                return None
            async with gateway() as client:
                return (await client.gpus_for_hub()).items
