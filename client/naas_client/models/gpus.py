"""GPUs and slices of them, and who has them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from naas_client.models.base import Document

DeviceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}$")]
"""How CUDA and container engines name a device: a UUID (``GPU-…``, ``MIG-…``) or an index."""

NodeName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]{0,252})?$")]


class GpuDevice(Document):
    """A GPU, or a slice of one, that servers can be given."""

    node: NodeName = Field(default="", description="the machine it is in; empty: the hub's")
    device: DeviceId
    flavour: str = Field(min_length=1, max_length=80, description="what profiles call it")


class GpuDevices(Document):
    """All devices that there are now, as the hub found them or read them in its settings."""

    devices: list[GpuDevice] = Field(max_length=10_000)


class GpuRequest(Document):
    """What a server that starts needs."""

    server: str = Field(default="", max_length=63)
    flavour: str = Field(min_length=1, max_length=80)
    count: int = Field(default=1, ge=1, le=64, description="devices, all in one node")
    node: NodeName | None = Field(default=None, description="None: any")


class GpuLease(Document):
    """The devices that a server has to itself until it stops."""

    node: str
    flavour: str
    devices: list[str]
    since: dt.datetime


class GpuState(Document):
    """How many devices of a flavour there are, and how many of them are free."""

    flavour: str
    total: int
    free: int
    missing: int = Field(default=0, description="devices that servers hold but the hub does not find any more")
    busy_since: dt.datetime | None = Field(default=None, description="start of the lease that has lasted longest")
    at: dt.datetime = Field(description="when the hub last looked which devices there are")
