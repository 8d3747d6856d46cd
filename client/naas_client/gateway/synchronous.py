"""The gateway's API for synchronous callers."""

from __future__ import annotations

import datetime as dt
from typing import Self, TypeVar

import httpx

from naas_client.errors import Unavailable
from naas_client.gateway._calls import Call, Calls, headers_for, needs_tls, read_answer, silent
from naas_client.gateway.checks import SyncChecksClient
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

T = TypeVar("T")


class SyncGatewayClient:
    """The same for synchronous callers (CLI, scripts, tests); parameters as for `GatewayClient`."""

    def __init__(self, base_url: str, token: str, *, timeout: float = 10.0, request_id: str | None = None) -> None:
        self._token, self._request_id = token, request_id
        transport = httpx.HTTPTransport(retries=1, verify=needs_tls(base_url))
        self._http = httpx.Client(base_url=base_url, timeout=timeout, transport=transport, trust_env=False)
        self.checks = SyncChecksClient(self._do)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, call: Call[T]) -> T:
        headers = headers_for(self._token, self._request_id)
        try:
            answer = self._http.request(call.method, call.path, json=call.json, params=call.params, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise silent(error) from error
        return read_answer(call, answer)

    def health(self) -> Health:
        """State of the gateway and of what it needs; answers even when the database is down."""
        try:
            return Health.model_validate(self._http.get("/health").json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("The gateway does not answer. Try again in a moment.", code="gateway-down") from error

    def client_configuration(self) -> ClientConfiguration:
        """How a program on somebody's own computer signs in; anyone may ask. Raises NotFound where it cannot."""
        return self._do(Calls.client_configuration)

    def me(self) -> Me:
        """The caller."""
        return self._do(Calls.me)

    def token(self, audience: str) -> AccessToken:
        """A token of the caller for an allowed audience."""
        return self._do(Calls.token(audience))

    def s3_credentials(self) -> S3Credentials:
        """Temporary credentials of the caller for the object store."""
        return self._do(Calls.s3_credentials)

    def storage(self) -> StoragePlan:
        """What the caller's server should mount; changes nothing."""
        return self._do(Calls.storage)

    def storage_usage(self) -> Usage:
        """What the caller's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        return self._do(Calls.storage_usage)

    def gpus(self) -> Page[GpuState]:
        """How many GPUs there are of each flavour, and how many are free."""
        return self._do(Calls.gpus)

    def s3_keys(self) -> OwnS3Keys:
        """The caller's long-lived keys, newest first. Raises NotFound (``no-s3-keys``) where there are none to have."""
        return self._do(Calls.s3_keys)

    def make_s3_key(self, new: NewS3Key) -> MadeS3Key:
        """Make a long-lived key of the caller; its secret is told this once. Raises Forbidden, Conflict (too many), Unavailable."""
        return self._do(Calls.make_s3_key(new))

    def revoke_s3_key(self, key_id: int) -> S3Key:
        """End a key of the caller: at once, or (state ``revoking``) when the store answers again. Raises NotFound."""
        return self._do(Calls.revoke_s3_key(key_id))

    def all_s3_keys(self, *, username: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[S3Key]:
        """Everybody's long-lived keys, newest first; needs the admin scope."""
        return self._do(Calls.all_s3_keys(username, limit, cursor))

    def revoke_any_s3_key(self, key_id: int) -> S3Key:
        """End anybody's key, as `revoke_s3_key` does; needs the admin scope."""
        return self._do(Calls.revoke_any_s3_key(key_id))

    def registry_logins(self) -> Page[RegistryLogin]:
        """The site's registries of images, each with the caller's login; never a secret."""
        return self._do(Calls.registry_logins)

    def set_registry_login(self, registry: str, new: NewRegistryLogin) -> RegistryLogin:
        """Have the gateway keep a login. Raises InvalidInput (``wrong-login``) when the registry does not accept it."""
        return self._do(Calls.set_registry_login(registry, new))

    def forget_registry_login(self, registry: str) -> None:
        """Forget the caller's login; none is no error."""
        self._do(Calls.forget_registry_login(registry))

    def images(
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
        return self._do(Calls.images(search, registry, project, limit, cursor, user))

    def image_tags(
        self, image: str, *, tag: str = "", limit: int = 20, cursor: str | None = None, user: str = ""
    ) -> TagPage:
        """Tags of an image. Parameters: ``tag``, only that one; ``user``, hub only: as whom. Raises NotFound (``no-such-image``)."""
        return self._do(Calls.image_tags(image, tag, limit, cursor, user))

    def catalogue(
        self, *, group: str = "", search: str = "", category: str = "", limit: int = 50, cursor: str | None = None
    ) -> Page[CatalogueEntry]:
        """The services that the caller sees. Raises Forbidden for a group of others and where no group opens the catalogue."""
        return self._do(Calls.catalogue(group, search, category, limit, cursor))

    def service(self, name: str, *, group: str = "") -> CatalogueEntry:
        """One service of the catalogue. Raises NotFound also for one that is hidden from the caller."""
        return self._do(Calls.service(name, group))

    def service_form(self, name: str, *, template: str = "", group: str = "") -> CatalogueForm:
        """The form of a service's template. Raises NotFound, or Forbidden (``service-locked``) with the reason."""
        return self._do(Calls.service_form(name, template, group))

    def check_inputs(self, name: str, request: CheckInputs) -> CheckedInputs:
        """Check inputs of a service without deploying; secrets are left out of the answer."""
        return self._do(Calls.check_inputs(name, request))

    def catalogue_problems(
        self, *, source: str = "", limit: int = 50, cursor: str | None = None
    ) -> Page[CatalogueProblem]:
        """What the catalogue's files hold that could not be used; needs the admin scope."""
        return self._do(Calls.catalogue_problems(source, limit, cursor))

    def stop_reasons(self, *, limit: int = 50, cursor: str | None = None) -> Page[StopReason]:
        """Why the caller's servers were stopped, newest first."""
        return self._do(Calls.stop_reasons(limit, cursor))

    def stop_reasons_seen(self) -> None:
        """Mark the caller's stop reasons as seen."""
        self._do(Calls.stop_reasons_seen)

    def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        since: dt.datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditRow]:
        """Audit rows, newest first; needs the admin scope."""
        return self._do(Calls.audit(actor, action, since, limit, cursor))

    def sign_in(self, sign_in: SignIn) -> Identity:
        """Hub only: hand over a new grant. Raises Conflict when the name is another subject's."""
        return self._do(Calls.sign_in(sign_in))

    def claims(self, name: str, max_age: float) -> Claims:
        """Hub only: claims at most ``max_age`` seconds old, or IAM's last answer while IAM is down. Raises AccessEnded."""
        return self._do(Calls.claims(name, max_age))

    def sign_out(self, name: str) -> None:
        """Hub only: revoke the person's grant."""
        self._do(Calls.sign_out(name))

    def prepare_storage(self, name: str) -> StoragePlan:
        """Hub only: make the person's bucket and scratch prefix, and say what to mount."""
        return self._do(Calls.prepare_storage(name))

    def add_stop_reason(self, reason: StopReason) -> None:
        """Hub only: keep a stop reason until its owner has seen it."""
        self._do(Calls.add_stop_reason(reason))

    def user_stop_reasons(self, name: str) -> Page[StopReason]:
        """Hub only: the person's unseen stop reasons."""
        return self._do(Calls.user_stop_reasons(name))

    def registry_credentials(self, name: str, registry: str) -> RegistryCredentials:
        """Hub only: a person's login at a registry. Raises NotFound (``no-registry-login``) when there is no good one."""
        return self._do(Calls.registry_credentials(name, registry))

    def report_gpus(self, devices: GpuDevices) -> None:
        """Hub only: all GPUs that there are now; those that are left out are not given out any more."""
        self._do(Calls.report_gpus(devices))

    def gpus_for_hub(self) -> Page[GpuState]:
        """Hub only: the same as `gpus`."""
        return self._do(Calls.gpus_for_hub)

    def lease_gpus(self, name: str, wanted: GpuRequest) -> GpuLease:
        """Hub only: give devices to a person's server. Raises Conflict (``gpu-none-free``)."""
        return self._do(Calls.lease_gpus(name, wanted))

    def release_gpus(self, name: str, server: str) -> None:
        """Hub only: take back what a server has; nothing to take back is no error."""
        self._do(Calls.release_gpus(name, server))
