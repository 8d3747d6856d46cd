"""The typed client of the gateway's API: `GatewayClient` (async) and `SyncGatewayClient`, over one list of calls.

Every method raises a `naas_client.errors.NaasError`: what the gateway answered, or `Unavailable` when it does not answer. Nothing
but a refused connection is tried again, so no call is ever made twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from naas_client.errors import NaasError, Unavailable, error_from_answer
from naas_client.logs import REQUEST_ID_HEADER
from naas_client.logs import request_id as current_request_id
from naas_client.models import (
    AccessToken,
    AuditRow,
    Claims,
    ClientConfiguration,
    Event,
    Health,
    Identity,
    Me,
    Page,
    S3Credentials,
    SignIn,
    StopReason,
    StoragePlan,
    Usage,
)

API_PATH = "/services/naas/api/v1"
"""Where the API lives below ``settings.gateway.url``."""

SILENCE = 60.0
"""Seconds without even a heartbeat (one each 15) after which an event stream counts as dead."""

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


def _nothing(_body: object) -> None:
    return None


def _user(name: str, what: str) -> str:
    return f"/hub/users/{quote(name, safe='')}/{what}"


def _document(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


class _Calls:
    """Every call of the API, defined once for both clients."""

    health = Call("GET", "/health", Health.model_validate)
    client_configuration = Call("GET", "/client", ClientConfiguration.model_validate)
    me = Call("GET", "/me", Me.model_validate)
    s3_credentials = Call("POST", "/s3-credentials", S3Credentials.model_validate)
    storage = Call("GET", "/storage", StoragePlan.model_validate)
    storage_usage = Call("GET", "/storage/usage", Usage.model_validate)
    stop_reasons_seen = Call("POST", "/stop-reasons/seen", _nothing)

    @staticmethod
    def token(audience: str) -> Call[AccessToken]:
        return Call("POST", "/tokens", AccessToken.model_validate, json={"audience": audience})

    @staticmethod
    def stop_reasons(limit: int, cursor: str | None) -> Call[Page[StopReason]]:
        params: dict[str, str | int] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        return Call("GET", "/stop-reasons", Page[StopReason].model_validate, params=params)

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
        return Call("POST", _user(name, "sign-out"), _nothing)

    @staticmethod
    def prepare_storage(name: str) -> Call[StoragePlan]:
        return Call("POST", _user(name, "storage"), StoragePlan.model_validate)

    @staticmethod
    def add_stop_reason(reason: StopReason) -> Call[None]:
        return Call("POST", "/hub/stop-reasons", _nothing, json=_document(reason))

    @staticmethod
    def user_stop_reasons(name: str) -> Call[Page[StopReason]]:
        return Call("GET", _user(name, "stop-reasons"), Page[StopReason].model_validate)


def _headers(token: str, request_id: str | None) -> dict[str, str]:
    identifier = request_id or current_request_id.get()
    return {
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **({REQUEST_ID_HEADER: identifier} if identifier else {}),
    }


def _read(call: Call[T], answer: httpx.Response) -> T:
    """The answer as a model. Raises the error the gateway sent, or Unavailable for an answer that is not its own."""
    if not answer.is_success:
        raise error_from_answer(answer.status_code, _body(answer))
    try:
        return call.read(_body(answer))
    except ValueError as error:
        raise Unavailable("The gateway's answer cannot be read. Check that gateway.url is its address.") from error


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def _silent(error: httpx.HTTPError | httpx.InvalidURL) -> NaasError:
    why = "in time" if isinstance(error, httpx.TimeoutException) else "at its address"
    return Unavailable(f"The gateway does not answer {why}. Try again in a moment.", code="gateway-down")


def _needs_tls(base_url: str) -> bool:
    """False for plain http, where reading the system's certificates would be most of the cost of a short-lived client."""
    return not base_url.startswith("http://")


def read_event(lines: Iterable[str]) -> Event | None:
    """One server-sent event from its lines (WHATWG HTML §9.2.6); None for a comment, i.e. a heartbeat."""
    data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
    return Event.model_validate_json(data) if data else None


class GatewayClient:
    """The gateway's API for asynchronous callers (hub, spawner, mount agent).

    Parameters: ``base_url``, i.e. ``settings.gateway.url + API_PATH``; ``token``, a hub token, the hub's service token or an
    IAM access token with audience ``naas``; ``timeout``, seconds for one answer; ``request_id``, sent with each call
    (default: this context's).
    """

    def __init__(self, base_url: str, token: str, *, timeout: float = 10.0, request_id: str | None = None) -> None:
        self._token, self._request_id = token, request_id
        # No proxy from the environment: the gateway is inside, and the token must not go through anybody else.
        transport = httpx.AsyncHTTPTransport(retries=1, verify=_needs_tls(base_url))
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, transport=transport, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _do(self, call: Call[T]) -> T:
        headers = _headers(self._token, self._request_id)
        try:
            answer = await self._http.request(
                call.method, call.path, json=call.json, params=call.params, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _silent(error) from error
        return _read(call, answer)

    async def health(self) -> Health:
        """State of the gateway and of what it needs; answers even when the database is down."""
        try:
            answer = await self._http.get("/health")
            return Health.model_validate(answer.json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("The gateway does not answer. Try again in a moment.", code="gateway-down") from error

    async def client_configuration(self) -> ClientConfiguration:
        """How a program on somebody's own computer signs in; anyone may ask. Raises NotFound where it cannot."""
        return await self._do(_Calls.client_configuration)

    async def me(self) -> Me:
        """The caller."""
        return await self._do(_Calls.me)

    async def token(self, audience: str) -> AccessToken:
        """A token of the caller for an allowed audience."""
        return await self._do(_Calls.token(audience))

    async def s3_credentials(self) -> S3Credentials:
        """Temporary credentials of the caller for the object store."""
        return await self._do(_Calls.s3_credentials)

    async def storage(self) -> StoragePlan:
        """What the caller's server should mount; changes nothing."""
        return await self._do(_Calls.storage)

    async def storage_usage(self) -> Usage:
        """What the caller's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        return await self._do(_Calls.storage_usage)

    async def stop_reasons(self, *, limit: int = 50, cursor: str | None = None) -> Page[StopReason]:
        """Why the caller's servers were stopped, newest first."""
        return await self._do(_Calls.stop_reasons(limit, cursor))

    async def stop_reasons_seen(self) -> None:
        """Mark the caller's stop reasons as seen."""
        await self._do(_Calls.stop_reasons_seen)

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
        return await self._do(_Calls.audit(actor, action, since, limit, cursor))

    async def sign_in(self, sign_in: SignIn) -> Identity:
        """Hub only: hand over a new grant. Raises Conflict when the name is another subject's."""
        return await self._do(_Calls.sign_in(sign_in))

    async def claims(self, name: str, max_age: float) -> Claims:
        """Hub only: claims at most ``max_age`` seconds old, or IAM's last answer while IAM is down. Raises AccessEnded."""
        return await self._do(_Calls.claims(name, max_age))

    async def sign_out(self, name: str) -> None:
        """Hub only: revoke the person's grant."""
        await self._do(_Calls.sign_out(name))

    async def prepare_storage(self, name: str) -> StoragePlan:
        """Hub only: make the person's bucket and scratch prefix, and say what to mount."""
        return await self._do(_Calls.prepare_storage(name))

    async def add_stop_reason(self, reason: StopReason) -> None:
        """Hub only: keep a stop reason until its owner has seen it."""
        await self._do(_Calls.add_stop_reason(reason))

    async def user_stop_reasons(self, name: str) -> Page[StopReason]:
        """Hub only: the person's unseen stop reasons."""
        return await self._do(_Calls.user_stop_reasons(name))

    async def events(self, last_event_id: int | None = None) -> AsyncIterator[Event]:
        """The caller's events as they happen; ends when the gateway ends the stream, raises Unavailable when it breaks.

        Parameters: ``last_event_id``, the last event seen: those after it are sent first. None: only new ones.
        """
        headers = {**_headers(self._token, self._request_id), "Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        timeout = httpx.Timeout(self._http.timeout.connect, read=SILENCE)
        try:
            async with self._http.stream("GET", "/events", headers=headers, timeout=timeout) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_from_answer(answer.status_code, _body(answer))
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
            raise _silent(error) from error


class SyncGatewayClient:
    """The same for synchronous callers (CLI, scripts, tests); parameters as for `GatewayClient`."""

    def __init__(self, base_url: str, token: str, *, timeout: float = 10.0, request_id: str | None = None) -> None:
        self._token, self._request_id = token, request_id
        transport = httpx.HTTPTransport(retries=1, verify=_needs_tls(base_url))
        self._http = httpx.Client(base_url=base_url, timeout=timeout, transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _do(self, call: Call[T]) -> T:
        headers = _headers(self._token, self._request_id)
        try:
            answer = self._http.request(call.method, call.path, json=call.json, params=call.params, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _silent(error) from error
        return _read(call, answer)

    def health(self) -> Health:
        """State of the gateway and of what it needs; answers even when the database is down."""
        try:
            return Health.model_validate(self._http.get("/health").json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("The gateway does not answer. Try again in a moment.", code="gateway-down") from error

    def client_configuration(self) -> ClientConfiguration:
        """How a program on somebody's own computer signs in; anyone may ask. Raises NotFound where it cannot."""
        return self._do(_Calls.client_configuration)

    def me(self) -> Me:
        """The caller."""
        return self._do(_Calls.me)

    def token(self, audience: str) -> AccessToken:
        """A token of the caller for an allowed audience."""
        return self._do(_Calls.token(audience))

    def s3_credentials(self) -> S3Credentials:
        """Temporary credentials of the caller for the object store."""
        return self._do(_Calls.s3_credentials)

    def storage(self) -> StoragePlan:
        """What the caller's server should mount; changes nothing."""
        return self._do(_Calls.storage)

    def storage_usage(self) -> Usage:
        """What the caller's buckets hold, told by the store. Raises NotFound (``usage-unknown``) where it does not tell."""
        return self._do(_Calls.storage_usage)

    def stop_reasons(self, *, limit: int = 50, cursor: str | None = None) -> Page[StopReason]:
        """Why the caller's servers were stopped, newest first."""
        return self._do(_Calls.stop_reasons(limit, cursor))

    def stop_reasons_seen(self) -> None:
        """Mark the caller's stop reasons as seen."""
        self._do(_Calls.stop_reasons_seen)

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
        return self._do(_Calls.audit(actor, action, since, limit, cursor))

    def sign_in(self, sign_in: SignIn) -> Identity:
        """Hub only: hand over a new grant. Raises Conflict when the name is another subject's."""
        return self._do(_Calls.sign_in(sign_in))

    def claims(self, name: str, max_age: float) -> Claims:
        """Hub only: claims at most ``max_age`` seconds old, or IAM's last answer while IAM is down. Raises AccessEnded."""
        return self._do(_Calls.claims(name, max_age))

    def sign_out(self, name: str) -> None:
        """Hub only: revoke the person's grant."""
        self._do(_Calls.sign_out(name))

    def prepare_storage(self, name: str) -> StoragePlan:
        """Hub only: make the person's bucket and scratch prefix, and say what to mount."""
        return self._do(_Calls.prepare_storage(name))

    def add_stop_reason(self, reason: StopReason) -> None:
        """Hub only: keep a stop reason until its owner has seen it."""
        self._do(_Calls.add_stop_reason(reason))

    def user_stop_reasons(self, name: str) -> Page[StopReason]:
        """Hub only: the person's unseen stop reasons."""
        return self._do(_Calls.user_stop_reasons(name))
