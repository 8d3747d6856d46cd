"""The gateway's API for asynchronous callers."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Self, TypeVar

import httpx

from naas_client.errors import Unavailable, error_from_answer
from naas_client.gateway._calls import Call, Calls, body_of, headers_for, needs_tls, read_answer, read_event, silent
from naas_client.gateway.checks import ChecksClient
from naas_client.models import (
    AccessToken,
    AuditRow,
    CatalogueEntry,
    CatalogueForm,
    CatalogueProblem,
    CheckedInputs,
    CheckInputs,
    Claims,
    ClientConfiguration,
    Event,
    GpuDevices,
    GpuLease,
    GpuRequest,
    GpuState,
    Health,
    Identity,
    ImagePage,
    MadeS3Key,
    Me,
    NewRegistryLogin,
    NewS3Key,
    OwnS3Keys,
    Page,
    RegistryCredentials,
    RegistryLogin,
    S3Credentials,
    S3Key,
    SignIn,
    StopReason,
    StoragePlan,
    TagPage,
    Usage,
)

SILENCE = 60.0
"""Seconds without even a heartbeat (one each 15) after which an event stream counts as dead."""

T = TypeVar("T")


class GatewayClient:
    """The gateway's API for asynchronous callers (hub, spawner, mount agent).

    Parameters: ``base_url``, i.e. ``settings.gateway.url + API_PATH``; ``token``, a hub token, the hub's service token or an
    IAM access token with audience ``naas``; ``timeout``, seconds for one answer; ``request_id``, sent with each call
    (default: this context's).
    """

    def __init__(self, base_url: str, token: str, *, timeout: float = 10.0, request_id: str | None = None) -> None:
        self._token, self._request_id = token, request_id
        # No proxy from the environment: the gateway is inside, and the token must not go through anybody else.
        transport = httpx.AsyncHTTPTransport(retries=1, verify=needs_tls(base_url))
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, transport=transport, trust_env=False)
        self.checks = ChecksClient(self._do)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, call: Call[T]) -> T:
        headers = headers_for(self._token, self._request_id)
        try:
            answer = await self._http.request(
                call.method, call.path, json=call.json, params=call.params, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise silent(error) from error
        return read_answer(call, answer)

    async def health(self) -> Health:
        """State of the gateway and of what it needs; answers even when the database is down."""
        try:
            answer = await self._http.get("/health")
            return Health.model_validate(answer.json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("The gateway does not answer. Try again in a moment.", code="gateway-down") from error

    async def client_configuration(self) -> ClientConfiguration:
        """How a program on somebody's own computer signs in; anyone may ask. Raises NotFound where it cannot."""
        return await self._do(Calls.client_configuration)

    async def me(self) -> Me:
        """The caller."""
        return await self._do(Calls.me)

    async def token(self, audience: str) -> AccessToken:
        """A token of the caller for an allowed audience."""
        return await self._do(Calls.token(audience))

    async def s3_credentials(self) -> S3Credentials:
        """Temporary credentials of the caller for the object store."""
        return await self._do(Calls.s3_credentials)

    async def storage(self) -> StoragePlan:
        """What the caller's server should mount; changes nothing."""
        return await self._do(Calls.storage)

    async def storage_usage(self) -> Usage:
        """What the caller's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        return await self._do(Calls.storage_usage)

    async def gpus(self) -> Page[GpuState]:
        """How many GPUs there are of each flavour, and how many are free."""
        return await self._do(Calls.gpus)

    async def s3_keys(self) -> OwnS3Keys:
        """The caller's long-lived keys, newest first. Raises NotFound (``no-s3-keys``) where there are none to have."""
        return await self._do(Calls.s3_keys)

    async def make_s3_key(self, new: NewS3Key) -> MadeS3Key:
        """Make a long-lived key of the caller; its secret is told this once. Raises Forbidden, Conflict (too many), Unavailable."""
        return await self._do(Calls.make_s3_key(new))

    async def revoke_s3_key(self, key_id: int) -> S3Key:
        """End a key of the caller: at once, or (state ``revoking``) when the store answers again. Raises NotFound."""
        return await self._do(Calls.revoke_s3_key(key_id))

    async def all_s3_keys(
        self, *, username: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[S3Key]:
        """Everybody's long-lived keys, newest first; needs the admin scope."""
        return await self._do(Calls.all_s3_keys(username, limit, cursor))

    async def revoke_any_s3_key(self, key_id: int) -> S3Key:
        """End anybody's key, as `revoke_s3_key` does; needs the admin scope."""
        return await self._do(Calls.revoke_any_s3_key(key_id))

    async def registry_logins(self) -> Page[RegistryLogin]:
        """The site's registries of images, each with the caller's login; never a secret."""
        return await self._do(Calls.registry_logins)

    async def set_registry_login(self, registry: str, new: NewRegistryLogin) -> RegistryLogin:
        """Have the gateway keep a login. Raises InvalidInput (``wrong-login``) when the registry does not accept it."""
        return await self._do(Calls.set_registry_login(registry, new))

    async def forget_registry_login(self, registry: str) -> None:
        """Forget the caller's login; none is no error."""
        await self._do(Calls.forget_registry_login(registry))

    async def images(
        self,
        *,
        search: str = "",
        registry: str = "",
        project: str = "",
        limit: int = 50,
        cursor: str | None = None,
        user: str = "",
    ) -> ImagePage:
        """Images of the site's registries, by name. Parameters: ``user``, hub only: as whom to look."""
        return await self._do(Calls.images(search, registry, project, limit, cursor, user))

    async def image_tags(
        self, image: str, *, tag: str = "", limit: int = 20, cursor: str | None = None, user: str = ""
    ) -> TagPage:
        """Tags of an image. Parameters: ``tag``, only that one; ``user``, hub only: as whom. Raises NotFound (``no-such-image``)."""
        return await self._do(Calls.image_tags(image, tag, limit, cursor, user))

    async def catalogue(
        self, *, group: str = "", search: str = "", category: str = "", limit: int = 50, cursor: str | None = None
    ) -> Page[CatalogueEntry]:
        """The services that the caller sees. Raises Forbidden for a group of others and where no group opens the catalogue."""
        return await self._do(Calls.catalogue(group, search, category, limit, cursor))

    async def service(self, name: str, *, group: str = "") -> CatalogueEntry:
        """One service of the catalogue. Raises NotFound also for one that is hidden from the caller."""
        return await self._do(Calls.service(name, group))

    async def service_form(self, name: str, *, template: str = "", group: str = "") -> CatalogueForm:
        """The form of a service's template. Raises NotFound, or Forbidden (``service-locked``) with the reason."""
        return await self._do(Calls.service_form(name, template, group))

    async def check_inputs(self, name: str, request: CheckInputs) -> CheckedInputs:
        """Check inputs of a service without deploying; secrets are left out of the answer."""
        return await self._do(Calls.check_inputs(name, request))

    async def catalogue_problems(
        self, *, source: str = "", limit: int = 50, cursor: str | None = None
    ) -> Page[CatalogueProblem]:
        """What the catalogue's files hold that could not be used; needs the admin scope."""
        return await self._do(Calls.catalogue_problems(source, limit, cursor))

    async def stop_reasons(self, *, limit: int = 50, cursor: str | None = None) -> Page[StopReason]:
        """Why the caller's servers were stopped, newest first."""
        return await self._do(Calls.stop_reasons(limit, cursor))

    async def stop_reasons_seen(self) -> None:
        """Mark the caller's stop reasons as seen."""
        await self._do(Calls.stop_reasons_seen)

    async def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        since: dt.datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditRow]:
        """Audit rows, newest first; needs the admin scope."""
        return await self._do(Calls.audit(actor, action, since, limit, cursor))

    async def sign_in(self, sign_in: SignIn) -> Identity:
        """Hub only: hand over a new grant. Raises Conflict when the name is another subject's."""
        return await self._do(Calls.sign_in(sign_in))

    async def claims(self, name: str, max_age: float) -> Claims:
        """Hub only: claims at most ``max_age`` seconds old, or IAM's last answer while IAM is down. Raises AccessEnded."""
        return await self._do(Calls.claims(name, max_age))

    async def sign_out(self, name: str) -> None:
        """Hub only: revoke the person's grant."""
        await self._do(Calls.sign_out(name))

    async def prepare_storage(self, name: str) -> StoragePlan:
        """Hub only: make the person's bucket and scratch prefix, and say what to mount."""
        return await self._do(Calls.prepare_storage(name))

    async def add_stop_reason(self, reason: StopReason) -> None:
        """Hub only: keep a stop reason until its owner has seen it."""
        await self._do(Calls.add_stop_reason(reason))

    async def user_stop_reasons(self, name: str) -> Page[StopReason]:
        """Hub only: the person's unseen stop reasons."""
        return await self._do(Calls.user_stop_reasons(name))

    async def registry_credentials(self, name: str, registry: str) -> RegistryCredentials:
        """Hub only: a person's login at a registry. Raises NotFound (``no-registry-login``) when there is no good one."""
        return await self._do(Calls.registry_credentials(name, registry))

    async def report_gpus(self, devices: GpuDevices) -> None:
        """Hub only: all GPUs that there are now; those that are left out are not given out any more."""
        await self._do(Calls.report_gpus(devices))

    async def gpus_for_hub(self) -> Page[GpuState]:
        """Hub only: the same as `gpus`."""
        return await self._do(Calls.gpus_for_hub)

    async def lease_gpus(self, name: str, wanted: GpuRequest) -> GpuLease:
        """Hub only: give devices to a person's server. Raises Conflict (``gpu-none-free``)."""
        return await self._do(Calls.lease_gpus(name, wanted))

    async def release_gpus(self, name: str, server: str) -> None:
        """Hub only: take back what a server has; nothing to take back is no error."""
        await self._do(Calls.release_gpus(name, server))

    async def events(self, last_event_id: int | None = None) -> AsyncIterator[Event]:
        """The caller's events as they happen; ends when the gateway ends the stream, raises Unavailable when it breaks.

        Parameters: ``last_event_id``, the last event seen: those after it are sent first. None: only new ones.
        """
        headers = {**headers_for(self._token, self._request_id), "Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        timeout = httpx.Timeout(self._http.timeout.connect, read=SILENCE)
        try:
            async with self._http.stream("GET", "/events", headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_from_answer(answer.status_code, body_of(answer))
                lines: list[str] = []
                async for line in answer.aiter_lines():
                    if line:
                        lines.append(line)
                    elif event := read_event(lines):
                        lines = []
                        yield event
                    else:
                        lines = []
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise silent(error) from error
