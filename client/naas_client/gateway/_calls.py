"""Every call of the gateway's API, and how its answer is read: what both clients share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from naas_client.errors import NaasError, Unavailable, error_from_answer
from naas_client.logs import REQUEST_ID_HEADER
from naas_client.logs import request_id as current_request_id
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

API_PATH = "/services/naas/api/v1"
"""Where the API lives below ``settings.gateway.url``."""

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request of the API and how its answer is read."""

    method: str
    path: str
    read: Callable[[Any], T]
    json: Any = None
    params: Mapping[str, str | int] = field(default_factory=dict)


def nothing(_body: object) -> None:
    return None


def _user(name: str, what: str) -> str:
    return f"/hub/users/{quote(name, safe='')}/{what}"


def _document(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


class Calls:
    """Every call of the API, defined once for both clients."""

    health = Call("GET", "/health", Health.model_validate)
    client_configuration = Call("GET", "/client", ClientConfiguration.model_validate)
    me = Call("GET", "/me", Me.model_validate)
    s3_credentials = Call("POST", "/s3-credentials", S3Credentials.model_validate)
    storage = Call("GET", "/storage", StoragePlan.model_validate)
    storage_usage = Call("GET", "/storage/usage", Usage.model_validate)
    gpus = Call("GET", "/gpus", Page[GpuState].model_validate)
    gpus_for_hub = Call("GET", "/hub/gpus", Page[GpuState].model_validate)
    s3_keys = Call("GET", "/s3-keys", OwnS3Keys.model_validate)
    registry_logins = Call("GET", "/registry-logins", Page[RegistryLogin].model_validate)
    stop_reasons_seen = Call("POST", "/stop-reasons/seen", nothing)

    @staticmethod
    def token(audience: str) -> Call[AccessToken]:
        return Call("POST", "/tokens", AccessToken.model_validate, json={"audience": audience})

    @staticmethod
    def stop_reasons(limit: int, cursor: str | None) -> Call[Page[StopReason]]:
        params: dict[str, str | int] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        return Call("GET", "/stop-reasons", Page[StopReason].model_validate, params=params)

    @staticmethod
    def make_s3_key(new: NewS3Key) -> Call[MadeS3Key]:
        return Call("POST", "/s3-keys", MadeS3Key.model_validate, json=_document(new))

    @staticmethod
    def revoke_s3_key(key_id: int) -> Call[S3Key]:
        return Call("DELETE", f"/s3-keys/{key_id}", S3Key.model_validate)

    @staticmethod
    def all_s3_keys(username: str | None, limit: int, cursor: str | None) -> Call[Page[S3Key]]:
        wanted = {"username": username, "cursor": cursor}
        params: dict[str, str | int] = {key: value for key, value in wanted.items() if value}
        return Call("GET", "/admin/s3-keys", Page[S3Key].model_validate, params={**params, "limit": limit})

    @staticmethod
    def revoke_any_s3_key(key_id: int) -> Call[S3Key]:
        return Call("DELETE", f"/admin/s3-keys/{key_id}", S3Key.model_validate)

    @staticmethod
    def set_registry_login(registry: str, new: NewRegistryLogin) -> Call[RegistryLogin]:
        path = f"/registry-logins/{quote(registry, safe='')}"
        return Call("PUT", path, RegistryLogin.model_validate, json=_document(new))

    @staticmethod
    def forget_registry_login(registry: str) -> Call[None]:
        return Call("DELETE", f"/registry-logins/{quote(registry, safe='')}", nothing)

    @staticmethod
    def registry_credentials(name: str, registry: str) -> Call[RegistryCredentials]:
        path = _user(name, f"registry-logins/{quote(registry, safe='')}")
        return Call("GET", path, RegistryCredentials.model_validate)

    @staticmethod
    def images(
        search: str, registry: str, project: str, limit: int, cursor: str | None, name: str = ""
    ) -> Call[ImagePage]:
        wanted = {"search": search, "registry": registry, "project": project, "cursor": cursor}
        params: dict[str, str | int] = {key: value for key, value in wanted.items() if value}
        path = _user(name, "images") if name else "/images"
        return Call("GET", path, ImagePage.model_validate, params={**params, "limit": limit})

    @staticmethod
    def image_tags(image: str, tag: str, limit: int, cursor: str | None, name: str = "") -> Call[TagPage]:
        wanted = {"image": image, "tag": tag, "cursor": cursor}
        params: dict[str, str | int] = {**{key: value for key, value in wanted.items() if value}, "limit": limit}
        path = _user(name, "images/tags") if name else "/images/tags"
        return Call("GET", path, TagPage.model_validate, params=params)

    @staticmethod
    def catalogue(group: str, search: str, category: str, limit: int, cursor: str | None) -> Call[Page[CatalogueEntry]]:
        wanted = {"group": group, "search": search, "category": category, "cursor": cursor}
        params: dict[str, str | int] = {key: value for key, value in wanted.items() if value}
        return Call("GET", "/catalogue", Page[CatalogueEntry].model_validate, params={**params, "limit": limit})

    @staticmethod
    def service(name: str, group: str) -> Call[CatalogueEntry]:
        return Call("GET", f"/catalogue/{quote(name, safe='')}", CatalogueEntry.model_validate, params={"group": group})

    @staticmethod
    def service_form(name: str, template: str, group: str) -> Call[CatalogueForm]:
        params: dict[str, str | int] = {"template": template, "group": group}
        return Call("GET", f"/catalogue/{quote(name, safe='')}/form", CatalogueForm.model_validate, params=params)

    @staticmethod
    def check_inputs(name: str, request: CheckInputs) -> Call[CheckedInputs]:
        path = f"/catalogue/{quote(name, safe='')}/validate"
        return Call("POST", path, CheckedInputs.model_validate, json=_document(request))

    @staticmethod
    def catalogue_problems(source: str, limit: int, cursor: str | None) -> Call[Page[CatalogueProblem]]:
        wanted = {"source": source, "cursor": cursor}
        params: dict[str, str | int] = {key: value for key, value in wanted.items() if value}
        return Call(
            "GET", "/admin/catalogue/problems", Page[CatalogueProblem].model_validate, params={**params, "limit": limit}
        )

    @staticmethod
    def audit(
        actor: str | None, action: str | None, since: dt.datetime | None, limit: int, cursor: str | None
    ) -> Call[Page[AuditRow]]:
        wanted = {"actor": actor, "action": action, "since": since and since.isoformat(), "cursor": cursor}
        params: dict[str, str | int] = {key: value for key, value in wanted.items() if value}
        return Call("GET", "/audit", Page[AuditRow].model_validate, params={**params, "limit": limit})

    @staticmethod
    def sign_in(sign_in: SignIn) -> Call[Identity]:
        return Call("POST", "/hub/sign-ins", Identity.model_validate, json=_document(sign_in))

    @staticmethod
    def claims(name: str, max_age: float) -> Call[Claims]:
        return Call("GET", _user(name, "claims"), Claims.model_validate, params={"max_age": int(max_age)})

    @staticmethod
    def sign_out(name: str) -> Call[None]:
        return Call("POST", _user(name, "sign-out"), nothing)

    @staticmethod
    def prepare_storage(name: str) -> Call[StoragePlan]:
        return Call("POST", _user(name, "storage"), StoragePlan.model_validate)

    @staticmethod
    def add_stop_reason(reason: StopReason) -> Call[None]:
        return Call("POST", "/hub/stop-reasons", nothing, json=_document(reason))

    @staticmethod
    def user_stop_reasons(name: str) -> Call[Page[StopReason]]:
        return Call("GET", _user(name, "stop-reasons"), Page[StopReason].model_validate)

    @staticmethod
    def report_gpus(devices: GpuDevices) -> Call[None]:
        return Call("PUT", "/hub/gpus", nothing, json=_document(devices))

    @staticmethod
    def lease_gpus(name: str, wanted: GpuRequest) -> Call[GpuLease]:
        return Call("POST", _user(name, "gpus"), GpuLease.model_validate, json=_document(wanted))

    @staticmethod
    def release_gpus(name: str, server: str) -> Call[None]:
        return Call("DELETE", _user(name, "gpus"), nothing, params={"server": server})


def headers_for(token: str, request_id: str | None) -> dict[str, str]:
    identifier = request_id or current_request_id.get()
    return {
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **({REQUEST_ID_HEADER: identifier} if identifier else {}),
    }


def read_answer(call: Call[T], answer: httpx.Response) -> T:
    """The answer as a model. Raises the error the gateway sent, or Unavailable for an answer that is not its own."""
    if not answer.is_success:
        raise error_from_answer(answer.status_code, body_of(answer))
    try:
        return call.read(body_of(answer))
    except ValueError as error:
        raise Unavailable("The gateway's answer cannot be read. Check that gateway.url is its address.") from error


def body_of(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def silent(error: httpx.HTTPError | httpx.InvalidURL) -> NaasError:
    why = "in time" if isinstance(error, httpx.TimeoutException) else "at its address"
    return Unavailable(f"The gateway does not answer {why}. Try again in a moment.", code="gateway-down")


def needs_tls(base_url: str) -> bool:
    """False for plain http, where reading the system's certificates would be most of the cost of a short-lived client."""
    return not base_url.startswith("http://")


def read_event(lines: Iterable[str]) -> Event | None:
    """One server-sent event from its lines (WHATWG HTML §9.2.6); None for a comment, i.e. a heartbeat."""
    data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
    return Event.model_validate_json(data) if data else None
