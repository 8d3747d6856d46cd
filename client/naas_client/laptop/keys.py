"""`naas keys`: long-lived keys of the object store, for programs that cannot renew temporary credentials.

On one's own computer after `naas login`, and in a terminal of one's server, whose hub token is used then.
"""

from __future__ import annotations

import click
from pydantic import ValidationError

from naas_client.errors import InvalidInput
from naas_client.gateway import SyncGatewayClient
from naas_client.laptop.commands import service_option
from naas_client.laptop.person import ask
from naas_client.models import MadeS3Key, NewS3Key, S3Key
from naas_client.terminal import say

PROFILE = "naas-key"


@click.group()
def keys() -> None:
    """Keys for programs that cannot renew credentials (backup tools, instruments): limited in days, listed, revocable.

    Whoever has one opens your bucket. Wherever you can, use `naas mount` or `naas s3-credentials` instead.
    """


@keys.command("list")
@service_option
def list_keys(service: str | None) -> None:
    """Your keys, newest first."""
    found = ask(service, SyncGatewayClient.s3_keys)
    for key in found.items:
        say(f"{key.id:>5}  {key.access_key_id}  {_state(key):<30}  {_rights(key):<10}  {key.description}")
    if not found.items:
        click.echo(f"You have no keys. You may have {found.most}, for at most {found.longest_days} days each.")


@keys.command()
@click.argument("description")
@click.option("--days", required=True, type=int, help="How long it lives.")
@click.option("--read-only", is_flag=True, help="It can read, not write.")
@service_option
def make(description: str, days: int, read_only: bool, service: str | None) -> None:
    """Make a key and print its secret, this once. DESCRIPTION says which program it is for."""
    try:
        new = NewS3Key(description=description, days=days, read_only=read_only)
    except ValidationError as error:
        mistakes = [
            f"{mistake['loc'][0]}: {mistake['msg'].removeprefix('Value error, ')}" for mistake in error.errors()
        ]
        raise InvalidInput(f"{'; '.join(mistakes)}. Correct it; nothing was made.") from None
    _show(ask(service, lambda gateway: gateway.make_s3_key(new)))


@keys.command()
@click.argument("key_id", type=click.IntRange(1, 2**31 - 1))
@service_option
def revoke(key_id: int, service: str | None) -> None:
    """End the key with this number (see `naas keys list`) at once."""
    key = ask(service, lambda gateway: gateway.revoke_s3_key(key_id))
    if key.state == "ended":
        say(f"The key {key.access_key_id} ({key.description}) opens nothing any more.")
    else:
        say(
            f"The object store does not answer. The key {key.access_key_id} ({key.description}) is ended when it does; "
            "see `naas keys list`."
        )


def _state(key: S3Key) -> str:
    return f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.state == "active" else "being revoked"


def _rights(key: S3Key) -> str:
    return "read only" if key.read_only else "read-write"


def _show(key: MadeS3Key) -> None:
    """The secret, with what to write where."""
    say(
        f"Key {key.id}, {_rights(key)}, until {key.expires_at:%Y-%m-%d %H:%M} UTC, for the bucket {key.bucket} at {key.endpoint}\n\n"
        f"  Access key  {key.access_key_id}\n"
        f"  Secret key  {key.secret_access_key}\n\n"
        "The secret is shown this once. Who has it opens your bucket: keep it in a file that only you can read.\n\n"
        "For AWS tools, in ~/.aws/credentials:\n\n"
        f"  [{PROFILE}]\n"
        f"  aws_access_key_id = {key.access_key_id}\n"
        f"  aws_secret_access_key = {key.secret_access_key}\n"
        f"  region = {key.region}\n"
        f"  endpoint_url = {key.endpoint}\n"
        "  request_checksum_calculation = when_required\n"
        "  s3 =\n"
        "    addressing_style = path\n\n"
        "For rclone, in ~/.config/rclone/rclone.conf:\n\n"
        f"  [{PROFILE}]\n"
        "  type = s3\n"
        "  provider = Other\n"
        f"  access_key_id = {key.access_key_id}\n"
        f"  secret_access_key = {key.secret_access_key}\n"
        f"  region = {key.region}\n"
        f"  endpoint = {key.endpoint}\n"
        "  no_check_bucket = true\n\n"
        f"  rclone lsf {PROFILE}:{key.bucket}\n"
    )
