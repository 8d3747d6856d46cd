"""IAM for a public client on somebody's computer: device code, refresh, revocation.

Sources: OpenID Connect Discovery 1.0, RFC 8628 (device authorization), RFC 6749 §5–6, RFC 7009 (revocation).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from naas_client.addresses import is_loopback, safe_address
from naas_client.claims import same_issuer
from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, NotSignedIn, Unavailable
from naas_client.models import ClientConfiguration

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TIMEOUT = 15.0
"""Seconds for one answer."""
INTERVAL, SLOWER = 5.0, 5.0
"""Seconds between two questions when IAM names none, and what `slow_down` adds (RFC 8628 §3.5)."""
LONGEST_INTERVAL, LONGEST_WAIT = 60.0, 1800.0

_CODE = re.compile(r"[\w-]{1,40}", re.ASCII)


class GrantEnded(NotSignedIn):
    """IAM does not take the refresh token (any more): RFC 6749 §5.2 ``invalid_grant``."""


@dataclass(frozen=True)
class DeviceCode:
    """What the person does in a browser, and what we ask with meanwhile. Times are in seconds."""

    device_code: str = field(repr=False)
    user_code: str
    address: str
    complete_address: str
    expires_in: float
    interval: float


@dataclass(frozen=True)
class Tokens:
    """A token answer."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float


class LaptopIam:
    """IAM as one service told us to use it. Everything raises InvalidInput for an address that is not https, and Unavailable.

    Parameters: ``service``, the service that told; when it is on another machine, so is its IAM, and plain http will not do.
    """

    def __init__(self, service: str, configuration: ClientConfiguration) -> None:
        self.configuration = configuration
        self._loopback = is_loopback(service)
        self._endpoints: dict[str, Any] | None = None
        self._safe(configuration.issuer, "issuer")
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> LaptopIam:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _safe(self, url: object, what: str) -> str:
        return safe_address(
            url if isinstance(url, str) else "", f"{self.configuration.issuer}: {what}", loopback=self._loopback
        )

    def _endpoint(self, name: str) -> str:
        if self._endpoints is None:
            status, found = self._answer(
                "GET", f"{self.configuration.issuer.rstrip('/')}/.well-known/openid-configuration"
            )
            if status != 200 or not same_issuer(str(found.get("issuer")), self.configuration.issuer):
                raise self._odd(f"no usable discovery document (status {status})")
            self._endpoints = found
        return self._safe(self._endpoints.get(name), name)

    def _answer(self, method: str, url: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer; redirects are not followed, since they would carry the form elsewhere."""
        try:
            answer = self._http.request(method, url, data=form, headers={"Accept": "application/json"})
            body = answer.json() if answer.content else {}
        except httpx.TimeoutException as error:
            raise Unavailable(
                f"{self.configuration.issuer} does not answer in time. Try again.", code="iam-slow"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"{self.configuration.issuer} does not answer. Try again in a moment.", code="iam-down"
            ) from error
        except ValueError:
            body = {}
        return answer.status_code, body if isinstance(body, dict) else {}

    def _odd(self, what: str) -> Unavailable:
        return Unavailable(
            f"{self.configuration.issuer} gave {what}. Tell the operators of the service.", code="iam-odd"
        )

    def _form(self, **more: str) -> dict[str, str]:
        return {"client_id": self.configuration.client_id, "audience": self.configuration.audience, **more}

    def begin(self) -> DeviceCode:
        """Ask for codes (RFC 8628 §3.1–3.2). Raises Forbidden when IAM does not know the client."""
        form = self._form(scope=" ".join(self.configuration.scopes))
        status, found = self._answer("POST", self._endpoint("device_authorization_endpoint"), form)
        if status != 200:
            raise _refusal(found, status, self.configuration.issuer)
        user_code, device_code = found.get("user_code"), found.get("device_code")
        if not isinstance(user_code, str) or not _CODE.fullmatch(user_code) or not isinstance(device_code, str):
            raise self._odd("no usable code")
        address = self._safe(found.get("verification_uri"), "verification_uri")
        complete = found.get("verification_uri_complete")
        return DeviceCode(
            device_code=device_code,
            user_code=user_code,
            address=address,
            complete_address=self._safe(complete, "verification_uri_complete") if complete else address,
            expires_in=min(_seconds(found.get("expires_in"), 600.0), LONGEST_WAIT),
            interval=min(_seconds(found.get("interval"), INTERVAL), LONGEST_INTERVAL),
        )

    def wait(self, code: DeviceCode, sleep: Callable[[float], None] = time.sleep) -> Tokens:
        """Ask until the person has answered in the browser (RFC 8628 §3.4–3.5). Raises Forbidden, or NotSignedIn when too late."""
        end, pause = time.monotonic() + code.expires_in, code.interval
        form = self._form(grant_type=DEVICE_CODE, device_code=code.device_code)
        while time.monotonic() + pause < end:
            sleep(pause)
            try:
                return self._token(form)
            except _Pending:
                continue
            except _SlowDown:
                pause += SLOWER
            except _Expired:
                break
            except Unavailable:  # RFC 8628 §3.5: ask less often
                pause = min(2 * pause, LONGEST_INTERVAL)
        raise NotSignedIn("The code was not confirmed in time. Run `naas login` again.", code="code-expired")

    def refresh(self, refresh_token: str) -> Tokens:
        """Redeem a refresh token, once. Raises GrantEnded when IAM does not take it any more."""
        return self._token(self._form(grant_type="refresh_token", refresh_token=refresh_token))

    def _token(self, form: dict[str, str]) -> Tokens:
        status, found = self._answer("POST", self._endpoint("token_endpoint"), form)
        access, refresh = found.get("access_token"), found.get("refresh_token")
        if status != 200:
            raise _refusal(found, status, self.configuration.issuer)
        if not isinstance(access, str) or not access:
            raise self._odd("no access token")
        refresh = refresh if isinstance(refresh, str) and refresh else None
        return Tokens(access, refresh, _seconds(found.get("expires_in"), 3600.0))

    def revoke(self, refresh_token: str) -> None:
        """Revoke the grant (RFC 7009); a token that IAM does not know is fine. Raises Unavailable."""
        form = {"client_id": self.configuration.client_id, "token": refresh_token, "token_type_hint": "refresh_token"}
        status, _ = self._answer("POST", self._endpoint("revocation_endpoint"), form)
        if status not in (200, 204, 400):
            raise self._odd(f"status {status} to a revocation")


class _Pending(NaasError):
    pass


class _SlowDown(NaasError):
    pass


class _Expired(NaasError):
    pass


def _refusal(found: dict[str, Any], status: int, issuer: str) -> NaasError:
    """The error for an answer that is not a success; its text is never shown, only a well-formed code."""
    error = str(found.get("error", ""))
    if status not in (400, 401, 403) or not _CODE.fullmatch(error):
        return Unavailable(f"{issuer} answered with status {status}. Try again later.", code="iam-down")
    match error:
        case "authorization_pending":
            return _Pending("")
        case "slow_down":
            return _SlowDown("")
        case "expired_token":
            return _Expired("")
        case "access_denied":
            return Forbidden("You refused in the browser. Nothing was connected.", code="refused")
        case "invalid_grant":
            return GrantEnded("")
    return Forbidden(f"{issuer} refused ({error}). Tell the operators of the service.", code="iam-refused")


def _seconds(value: object, standard: float) -> float:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 10**9
    return float(value) if usable else standard  # type: ignore[arg-type]


def configuration_of(service: str) -> ClientConfiguration:
    """How a program signs in at a service, by its ``GET /client``. Raises NaasError."""
    from naas_client.gateway import API_PATH, SyncGatewayClient

    with SyncGatewayClient(service + API_PATH, "", timeout=TIMEOUT) as gateway:
        try:
            return gateway.client_configuration()
        except (InvalidInput, NotSignedIn, Forbidden, NotFound) as error:
            if error.code == "no-client":
                raise
            raise Unavailable(
                f"{service} is not a service of this kind. Check the address.", code="no-service"
            ) from error
