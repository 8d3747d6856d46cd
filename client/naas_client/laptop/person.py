"""A signed-in person on their own computer: tokens and credentials from the gateway, each kept while it is of use."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from typing import TypeVar

from naas_client.errors import AccessEnded, NotSignedIn
from naas_client.gateway import API_PATH, SyncGatewayClient
from naas_client.laptop.iam import GrantEnded, LaptopIam, Tokens
from naas_client.laptop.sessions import Session, Sessions
from naas_client.models import AccessToken, ClientConfiguration, Me, S3Credentials, StoragePlan, Usage

SHARE = 0.5
"""Part of a token's or credential's life after which it is got anew: who gets one has at least half of it."""
GATEWAY_LIMIT = 30.0
"""Seconds for one answer of the gateway, which may have to ask IAM and STS."""

Answer = TypeVar("Answer")
Expiring = TypeVar("Expiring", AccessToken, S3Credentials)


class LaptopPerson:
    """The person who is signed in at one service.

    Every call raises NotSignedIn (with the command that helps), Forbidden, or Unavailable. Processes at the same time are fine:
    one of them renews, the others wait for it and use what it got.
    """

    def __init__(self, sessions: Sessions, service: str) -> None:
        self.sessions, self.service = sessions, service

    def token(self, audience: str) -> str:
        """A token for an audience that the site allows; for the service's own audience: the one from IAM."""
        if audience == self.sessions.load(self.service).audience:
            with self.sessions.lock(self.service):
                return self._fresh().access_token
        return self._kept(f"token {audience}", AccessToken, lambda gateway: gateway.token(audience)).access_token

    def s3_credentials(self) -> S3Credentials:
        """Temporary credentials for the object store."""
        return self._kept("s3", S3Credentials, SyncGatewayClient.s3_credentials)

    def me(self) -> Me:
        """Who the service says this is."""
        return self._locked(SyncGatewayClient.me)

    def storage(self) -> StoragePlan:
        """Where the object store is, and what there is for this person."""
        return self._locked(SyncGatewayClient.storage)

    def storage_usage(self) -> Usage:
        """How much of the person's bucket is used. Raises NotFound where the store cannot tell."""
        return self._locked(SyncGatewayClient.storage_usage)

    def ask(self, question: Callable[[SyncGatewayClient], Answer]) -> Answer:
        """The answer to any other question to the service."""
        return self._locked(question)

    def _kept(self, name: str, model: type[Expiring], ask: Callable[[SyncGatewayClient], Expiring]) -> Expiring:
        if found := self.sessions.kept(self.service, name, model):
            return found
        with self.sessions.lock(self.service):
            if found := self.sessions.kept(self.service, name, model):  # another process got it meanwhile
                return found
            found = self._ask(ask)
            now = dt.datetime.now(dt.UTC)
            self.sessions.keep(self.service, name, found, now + (found.expires_at - now) * SHARE)
            return found

    def _locked(self, ask: Callable[[SyncGatewayClient], Answer]) -> Answer:
        with self.sessions.lock(self.service):
            return self._ask(ask)

    def _ask(self, ask: Callable[[SyncGatewayClient], Answer]) -> Answer:
        """Ask the gateway; a token that it does not take is renewed once: this computer's clock may be wrong."""
        session = self._fresh()
        try:
            return self._ask_once(session, ask)
        except NotSignedIn:
            return self._ask_once(self._renew(session), ask)

    def _ask_once(self, session: Session, ask: Callable[[SyncGatewayClient], Answer]) -> Answer:
        with SyncGatewayClient(self.service + API_PATH, session.access_token, timeout=GATEWAY_LIMIT) as gateway:
            try:
                return ask(gateway)
            except AccessEnded as error:
                raise AccessEnded(
                    f"You are signed out of {self.service}. Sign in there with a browser, then try again here."
                ) from error

    def _fresh(self) -> Session:
        """The session with an access token that is good for a while. Call it with the lock."""
        session = self.sessions.load(self.service)
        return session if session.renew_at > dt.datetime.now(dt.UTC) else self._renew(session)

    def _renew(self, session: Session) -> Session:
        """Use the refresh token. Call it with the lock.

        Were the answer lost, IAM might end the grant when the token is used again; without the new one it is of no use anyway.
        """
        if session.refresh_token is None:
            raise self._ended()
        self.sessions.save(session)  # a folder that cannot be written is found out before the token is used up
        try:
            with LaptopIam(self.service, configuration_in(session)) as iam:
                tokens = iam.refresh(session.refresh_token)
        except GrantEnded:
            self.sessions.forget(self.service)
            raise self._ended() from None
        renewed = session_of(self.service, configuration_in(session), tokens)
        if renewed.refresh_token is None:  # IAM lets this client use one again
            renewed = renewed.model_copy(update={"refresh_token": session.refresh_token})
        self.sessions.save(renewed)
        return renewed

    def _ended(self) -> NotSignedIn:
        return NotSignedIn(f"Your sign-in at {self.service} is over. Run `naas login {self.service}`.")


def session_of(service: str, configuration: ClientConfiguration, tokens: Tokens) -> Session:
    """A session that begins now."""
    return Session(
        service=service,
        issuer=configuration.issuer,
        client_id=configuration.client_id,
        audience=configuration.audience,
        scopes=configuration.scopes,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        renew_at=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=tokens.expires_in * SHARE),
    )


def configuration_in(session: Session) -> ClientConfiguration:
    """How this session was begun; a refresh token goes to nobody but the IAM that gave it."""
    return ClientConfiguration.model_validate(session.model_dump(include=set(ClientConfiguration.model_fields)))


def service_of(service: str | None) -> str:
    """The service that `ask` would ask. Raises NotSignedIn."""
    inside = _inside(service)
    return inside[0] if inside else Sessions().chosen(service)


def ask(service: str | None, question: Callable[[SyncGatewayClient], Answer]) -> Answer:
    """Ask with the server's own token inside of a server, else as the person who is signed in at a service (None: the last one)."""
    if inside := _inside(service):
        with SyncGatewayClient(*inside, timeout=GATEWAY_LIMIT) as gateway:
            return question(gateway)
    sessions = Sessions()
    return LaptopPerson(sessions, sessions.chosen(service)).ask(question)


def _inside(service: str | None) -> tuple[str, str] | None:
    """Address and token of the gateway in a server of the platform."""
    address, token = os.environ.get("NAAS_GATEWAY_URL", ""), os.environ.get("JUPYTERHUB_API_TOKEN", "")
    return (address, token) if service is None and address and token else None
