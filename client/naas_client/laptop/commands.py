"""`naas login`, `naas logout`, `naas token`, `naas s3-credentials`."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import webbrowser

import click

from naas_client.addresses import service_address
from naas_client.errors import NaasError, NotSignedIn
from naas_client.laptop.iam import DeviceCode, LaptopIam, configuration_of
from naas_client.laptop.person import LaptopPerson, configuration_in, session_of
from naas_client.laptop.sessions import Session, Sessions
from naas_client.terminal import say

service_option = click.option(
    "--service", metavar="URL", help="The service, if not the one that you signed in to last."
)


def chosen_person(service: str | None) -> LaptopPerson:
    """The person for a command's ``--service``. Raises NotSignedIn."""
    sessions = Sessions()
    return LaptopPerson(sessions, sessions.chosen(service))


@click.command()
@click.argument("url")
@click.option("--no-browser", is_flag=True, help="Only print the address; open it on any device.")
def login(url: str, no_browser: bool) -> None:
    """Sign in to the service at URL from this computer, with a browser here or on any other device."""
    service, sessions = service_address(url), Sessions()
    configuration = configuration_of(service)
    with LaptopIam(service, configuration) as iam:
        code = iam.begin()
        _show(code, configuration.issuer, open_it=not no_browser)
        tokens = iam.wait(code)
    with sessions.lock(service):
        before = _session(sessions, service)
        sessions.drop_kept(service)
        sessions.save(session_of(service, configuration, tokens))
        sessions.choose(service)
        if before is not None:
            _revoke(before)
    _greet(LaptopPerson(sessions, service))


def _show(code: DeviceCode, issuer: str, *, open_it: bool) -> None:
    click.echo(f"Sign in at {issuer}: open\n\n  {code.complete_address}\n")
    click.echo(f"or type the code {code.user_code} at {code.address} on any device.")
    click.echo(f"It is good for {code.expires_in / 60:.0f} minutes. Waiting; Ctrl-C cancels.")
    if open_it and (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(code.complete_address)


def _greet(person: LaptopPerson) -> None:
    """Say who is signed in where. Raises Forbidden (the sign-in is kept) when the service has something to do first."""
    me, storage = person.me(), person.storage()
    say(f"Signed in as {me.name} at {person.service}.")
    if storage.degraded:
        say(f"No storage: {storage.degraded}")
    elif endpoint := storage.public_endpoint or storage.endpoint:
        say(f"Object store: {endpoint} (region {storage.region}).")


def _session(sessions: Sessions, service: str) -> Session | None:
    try:
        return sessions.load(service)
    except NotSignedIn:
        return None


def _revoke(session: Session) -> bool:
    """Whether IAM has ended the grant; when it does not answer, the grant ends by itself."""
    if session.refresh_token is None:
        return True
    try:
        with LaptopIam(session.service, configuration_in(session)) as iam:
            iam.revoke(session.refresh_token)
    except NaasError:
        return False
    return True


@click.command()
@service_option
def logout(service: str | None) -> None:
    """Sign out on this computer: the sign-in is revoked at IAM, and everything got with it is deleted here."""
    sessions = Sessions()
    chosen = sessions.chosen(service)
    with sessions.lock(chosen):
        session = sessions.load(chosen)
        try:
            revoked = _revoke(session)
        finally:
            sessions.forget(chosen)
    click.echo(f"Signed out of {chosen}.")
    if not revoked:
        click.echo(f"{session.issuer} did not answer; it keeps the sign-in until it expires unused.", err=True)


@click.command()
@click.argument("audience")
@service_option
def token(audience: str, service: str | None) -> None:
    """Print a token of yours for AUDIENCE, and nothing else. For `naas` it opens this service's own API."""
    click.echo(chosen_person(service).token(audience))


@click.command("s3-credentials")
@service_option
def s3_credentials(service: str | None) -> None:
    """Print temporary credentials of the object store as the AWS tools want them from a `credential_process`.

    Once, with the address that `naas login` printed:

    \b
      aws configure set profile.naas.credential_process "naas s3-credentials"
      aws configure set profile.naas.endpoint_url https://rgw.example.org
      aws configure set profile.naas.region us-east-1
      aws configure set profile.naas.s3.addressing_style path
      aws configure set profile.naas.request_checksum_calculation when_required

    Then `aws --profile naas s3 ls`, boto3.Session(profile_name="naas"), and every other AWS tool work, for as long as you are signed in.
    """
    found = chosen_person(service).s3_credentials()
    document = {
        "Version": 1,
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Expiration": found.expires_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    click.echo(json.dumps(document))
