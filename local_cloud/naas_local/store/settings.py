"""What the store must know to run: one JSON file of mode 0600, written by `prepare`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from naas_client.errors import InvalidInput
from naas_client.files import write_private_json
from naas_client.folders import GroupFolder, kept_names
from naas_client.settings import HttpAddress, Section, validate
from pydantic import Field

from naas_local.parts import PartSpec
from naas_local.ports import LOOPBACK

READY = "/-/ready"
"""Answered without a signature. ``-`` is not a valid bucket name, so it hides no bucket."""


class StoreConfig(Section):
    """Settings of one store."""

    port: int = Field(ge=1, le=65535, description="port of S3 and STS")
    host: str = Field(LOOPBACK, description="address they listen on")
    data: Path = Field(description="folder of the store; objects are the files below `buckets/`")
    issuer: HttpAddress = Field(min_length=8, description="IAM whose tokens are accepted")
    audience: str = Field(min_length=1, description="what the token's `aud` must hold")
    role_arn: str = Field(min_length=20, description="the one role that can be assumed")
    storage_groups: list[str] = Field(description="members of any of these get sessions; empty: everyone with a token")
    scratch_bucket: str = Field("scratch", description="read by all, written below one's own name; empty: none")
    folders: list[GroupFolder] = Field(
        default_factory=list, description="what members of groups share; made at the start"
    )
    region: str = Field("us-east-1", min_length=1)
    longest_session: int = Field(43200, ge=15, le=43200, description="seconds; a longer wish is cut to this")

    @property
    def kept_names(self) -> frozenset[str]:
        """What no person is called: see `naas_client.folders.kept_names`."""
        return kept_names(self.folders)

    @property
    def buckets(self) -> Path:
        """The folder whose folders are the buckets."""
        return self.data / "buckets"


def prepare(
    data: Path,
    port: int,
    *,
    host: str = LOOPBACK,
    issuer: str,
    audience: str,
    role_arn: str,
    storage_groups: list[str],
    scratch_bucket: str = "scratch",
    folders: Sequence[GroupFolder] = (),
    region: str = "us-east-1",
    longest_session: int = 43200,
) -> PartSpec:
    """Write the store's settings below ``data`` and say how it is started.

    Parameters: see `StoreConfig`; ``longest_session`` in seconds. Raises InvalidInput when a value cannot be used.
    """
    document = {
        "port": port,
        "host": host,
        "data": str(data.resolve()),
        "issuer": issuer,
        "audience": audience,
        "role_arn": role_arn,
        "storage_groups": storage_groups,
        "scratch_bucket": scratch_bucket,
        "folders": [folder.model_dump(mode="json") for folder in folders],
        "region": region,
        "longest_session": longest_session,
    }
    validate(document, StoreConfig, "store")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = data / "config.json"
    write_private_json(config, document)
    url = f"http://{host}:{port}"
    return PartSpec("store", (sys.executable, "-m", "naas_local.store", str(config)), ready=f"{url}{READY}", url=url)


def read(path: Path) -> StoreConfig:
    """The settings in a file. Raises InvalidInput when it is missing, readable by others or wrong."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. Start the store by `naas up`.") from error
    if mode & 0o077:
        raise InvalidInput(f"{path} is readable by others. Run `chmod 600 {path}`.", code="open-secret")
    return validate(document, StoreConfig, str(path))
