"""The GPUs of one server: had from the gateway before it is started, kept over restarts of the hub, given back when it has ended."""

from __future__ import annotations

from typing import Any, ClassVar

from naas_client.errors import InvalidInput, NaasError
from naas_client.gateway import GatewayClient
from naas_client.models import GpuRequest, GpuState
from traitlets import List, validate
from traitlets.config import LoggingConfigurable

from naas_spawner.checked import checked
from naas_spawner.gpus import GpuPool, GpuSource, GpuSources
from naas_spawner.options import Choice


class GpuLeases(LoggingConfigurable):
    """A part of `naas_spawner.mixin.NaasSpawnerMixin`, which has the choice and the way to the gateway."""

    pool: ClassVar[GpuPool] = GpuPool()

    gpus = List(
        help="""
        Which GPUs, or slices of them, servers can be given: `naas_spawner.gpus.GpuSource`s, or mappings with the same keys (see
        `naas config schema`, key `gpus`).

        Empty: all that `nvidia-smi -L` finds in this machine, under its own names. A profile's `gpu` names a flavour.
        """
    ).tag(config=True)

    gpu_devices: tuple[str, ...] = ()
    """The GPUs that this server has to itself: UUIDs or indexes, for ``CUDA_VISIBLE_DEVICES`` or a container's device request."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._has_lease = False

    def _gateway(self) -> GatewayClient:
        raise NotImplementedError

    @validate("gpus")
    def _check_gpus(self, proposal: Any) -> list[GpuSource]:
        found: list[GpuSource] = checked("gpus", GpuSources, proposal.value, type(self).__name__)
        return found

    async def gpu_states(self) -> list[GpuState] | None:
        """What is free of the site's GPUs; None when it is not known, or when no profile has any."""
        if not self.gateway_url or not any(profile.gpu for profile in self.profiles):
            return None
        return await self.pool.states(self.gpus, self._gateway)

    @property
    def gpu_node(self) -> str | None:
        """For subclasses: the machine that `place` chose, whose GPUs can be used; empty: the hub's, None: any."""
        return ""

    async def take_gpus(self) -> None:
        """Have the gateway give this server the GPUs of its profile. Raises NaasError with a sentence when there are none."""
        choice: Choice = self.choice
        if choice.gpu is None:
            return
        if not self.gateway_url:
            raise InvalidInput("This site gives out no GPUs. Choose another profile.", code="gpu")
        await self.pool.report(self.gpus, self._gateway)
        wanted = GpuRequest(server=self.name, flavour=choice.gpu.name, count=choice.gpu.count, node=self.gpu_node)
        self._has_lease = True  # already now: an answer may be lost on its way
        async with self._gateway() as gateway:
            self.gpu_devices = tuple((await gateway.lease_gpus(self.user.name, wanted)).devices)
        self.pool.changed()

    async def return_gpus(self) -> None:
        """Give back what this server has, when its processes have ended (the hub stops a failed start, too).

        While the gateway does not answer it is not told; it takes the devices back by itself later.
        """
        has_lease, self._has_lease, self.gpu_devices = self._has_lease, False, ()
        if not has_lease:
            return
        try:
            async with self._gateway() as gateway:
                await gateway.release_gpus(self.user.name, self.name)
        except NaasError as error:
            self.log.warning("The GPUs of %s are not given back yet: %s", self._log_name, error.message)
        self.pool.changed()

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to know of the server."""
        state: dict[str, Any] = super().get_state()
        return {**state, "gpus": list(self.gpu_devices)} if self.gpu_devices else state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what another run of the hub knew of the server."""
        super().load_state(state)
        self.gpu_devices = tuple(state.get("gpus", ()))
        self._has_lease = bool(self.gpu_devices)

    def clear_state(self) -> None:
        """Forget the server."""
        super().clear_state()
        self.gpu_devices = ()
