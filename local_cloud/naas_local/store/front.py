"""The HTTP front: who is asking, may they, and then what they asked for."""

from __future__ import annotations

import datetime as dt
import logging
import time

from aiohttp import web
from naas_client.logs import REQUEST_ID_HEADER, new_request_id
from naas_client.names import is_collaboration

from naas_local.store import address, headers, rules, sigv4
from naas_local.store.body import Body
from naas_local.store.errors import S3Error, STSError
from naas_local.store.keys import ORDERS, LongLivedKeys
from naas_local.store.operations import Call, Operations, xml
from naas_local.store.owners import Owners
from naas_local.store.rules import GroupRights, KeyRights, Rights
from naas_local.store.sessions import Session, SessionKeys
from naas_local.store.settings import READY, StoreConfig
from naas_local.store.sts import LARGEST_FORM, TokenService
from naas_local.store.upstream import Upstream

log = logging.getLogger("naas.store")

RETRY_AFTER = "2"
"""Seconds that a caller should wait when rclone is just being started again."""
FORM = "application/x-www-form-urlencoded"


class Front:
    """Answers every request of one store."""

    def __init__(
        self,
        config: StoreConfig,
        sts: TokenService,
        owners: Owners,
        keys: SessionKeys,
        long_lived: LongLivedKeys,
        upstream: Upstream,
    ) -> None:
        self._config, self._sts, self._owners, self._upstream = config, sts, owners, upstream
        self._keys, self._long_lived = keys, long_lived
        self._operations = Operations(config, upstream)

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=LARGEST_FORM)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle, expect_handler=_expect_later)
        app.on_response_prepare.append(_own_headers)
        return app

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        """One request from start to log line."""
        http["id"] = new_request_id(http.headers.get(REQUEST_ID_HEADER))
        http["user"], http["what"], http["where"], started = "-", http.method, "/", time.monotonic()
        if http.raw_path.partition("?")[0] == READY:
            return web.Response(status=200 if await self._upstream.answers() else 503)
        status = 499  # as nginx calls it: the caller went away
        try:
            response = await self._answer(http)
            status = response.status
            return response
        finally:
            seconds = time.monotonic() - started
            size = http.headers.get("Content-Length", "0")
            log.info("%s %s %s user=%s sent=%s %.3fs", http["what"], http["where"], status, http["user"], size, seconds)

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        try:
            if http.method == "POST" and http.raw_path in ("/", "/?") and http.content_type == FORM:
                return await self._form(http)
            return await self._s3(http)
        except S3Error as error:
            return _refusal(http, error)
        except STSError as error:
            log.warning("session refused: %s: %s", error.code, error.message)
            return web.Response(status=error.status, text=error.xml(http["id"]), content_type="text/xml")
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s failed", http["what"])
            return _refusal(http, S3Error("InternalError", "The store failed; its log has the reason. Try again."))

    async def _form(self, http: web.Request) -> web.Response:
        """A session for a token, or the gateway's order about a long-lived key or a shared server."""
        http["what"] = "AssumeRoleWithWebIdentity"
        await _send_continue(http)
        try:
            form = await http.post()
        except (web.HTTPRequestEntityTooLarge, ValueError, UnicodeError):
            raise STSError("ValidationError", "The form is too long or not readable. Check the client.") from None
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        authorization = http.headers.get("Authorization", "")
        if (action := texts.get("Action")) in {*ORDERS, "AssumeRole"}:
            http["what"] = action
        if action in ORDERS:
            http["user"], text = await self._long_lived.answer(texts, authorization)
        else:
            http["user"], text = await self._sts.answer(texts, authorization, http["id"])
        return web.Response(text=text, content_type="text/xml")

    async def _s3(self, http: web.Request) -> web.StreamResponse:
        target = address.parse(http.raw_path)
        http["where"] = target.path
        now = dt.datetime.now(dt.UTC)
        signature = sigv4.read(target, http.headers, self._config.region)
        rights, secret = self._rights(signature, now)
        key = sigv4.verify(signature, http.method, target, http.headers, secret, now)
        http["user"] = rights.name
        request = rules.recognise(http.method, target, http.headers)
        http["what"] = request.op.value
        headers.check(request.op, http.headers)
        rules.check_access(rights, request)
        call = Call(rights, request, http, Body(http, signature, key))
        await _send_continue(http)
        return await self._operations.answer(call)

    def _rights(self, signature: sigv4.Signature, now: dt.datetime) -> tuple[Rights, str]:
        """What the credentials in a request open, and the secret that it has to be signed with."""
        if signature.token:
            session = self._keys.open(signature.access_key, signature.token, now)
            return self._session_rights(session), session.secret
        key = self._long_lived.open(signature.access_key, now)
        return KeyRights(key.name, self._config.scratch_bucket, key.read_only), key.secret

    def _session_rights(self, session: Session) -> Rights:
        """What a session may do, by the settings of now. A person's own bucket is no group's, whatever these say."""
        opened = [folder for folder in self._config.folders if folder.is_open_to(session.groups)]
        shared = tuple(folder for folder in opened if not self._owners.has(folder.bucket))
        if is_collaboration(session.name):
            return GroupRights(session.name, "", shared)
        return Rights(session.name, self._config.scratch_bucket, shared)


def _refusal(http: web.Request, error: S3Error) -> web.Response:
    if error.status != 404:
        log.info("refused: %s: %s", error.code, error.message)
    body = "" if http.method == "HEAD" else error.xml(http.raw_path.partition("?")[0], http["id"])
    response = xml(body, error.status)
    if error.code == "SlowDown":
        response.headers["Retry-After"] = RETRY_AFTER
    if not http.content.at_eof():
        response.force_close()  # the body was not read, and after Expect it may never come
    return response


async def _expect_later(http: web.Request) -> None:
    """``100 Continue`` waits until the signature and the rights are known: a refused upload sends no body."""


async def _send_continue(http: web.Request) -> None:
    if http.headers.get("Expect", "").lower() == "100-continue" and http.transport is not None:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _own_headers(http: web.Request, response: web.StreamResponse) -> None:
    response.headers["x-amz-request-id"] = response.headers[REQUEST_ID_HEADER] = http.get("id", "")
    response.headers["Server"] = "naas-store"
