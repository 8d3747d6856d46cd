"""boto3 and fsspec with credentials that renew themselves: read from the file that the server's mount agent keeps fresh."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naas_client.errors import Unavailable

from naas_storage.plan import ACCESS_NAME, PLAN_NAME, AgentPlan

if TYPE_CHECKING:
    from boto3 import Session
    from s3fs import S3FileSystem

RUN_VARIABLE = "NAAS_STORAGE_RUN"
"""Environment variable with the run folder of this server (a path, no secret); set by the spawner."""

S3_OPTIONS = {
    "s3": {"addressing_style": "path"},
    "request_checksum_calculation": "when_required",
    "signature_version": "s3v4",
}
"""botocore's settings of every S3 client of ours: addresses with the bucket in the path, signatures of version 4 (links too)."""


def run_folder() -> Path:
    """The run folder of this server. Raises Unavailable outside a server."""
    if not (name := os.environ.get(RUN_VARIABLE)):
        raise Unavailable(
            "This program does not run inside a server of the platform, so there is no storage to connect to. "
            f"Start it in a notebook or terminal of your server (where {RUN_VARIABLE} is set).",
            code="no-storage",
        )
    return Path(name)


def access() -> dict[str, Any]:
    """The current credentials and where to use them. Raises Unavailable when the agent has none yet."""
    try:
        return dict(json.loads((run_folder() / ACCESS_NAME).read_text()))
    except (OSError, ValueError) as error:
        raise Unavailable(
            "There are no credentials for the object store. The Storage section of the side panel says why; try again then.",
            code="no-credentials",
        ) from error


def _metadata() -> dict[str, str]:
    """The credentials in botocore's words, with the true time of their end: botocore looks again 15 min before."""
    now = access()
    return {
        "access_key": now["AccessKeyId"],
        "secret_key": now["SecretAccessKey"],
        "token": now["SessionToken"],
        "expiry_time": now["ExpiresAt"],
    }


async def _metadata_async() -> dict[str, str]:
    return _metadata()


def plan() -> AgentPlan:
    """What this server was started with. Raises Unavailable outside a server, or when the server has no storage."""
    try:
        return AgentPlan.model_validate_json((run_folder() / PLAN_NAME).read_text())
    except (OSError, ValueError) as error:
        raise Unavailable(
            "This server has no storage. The Storage section of the side panel says why.", code="no-storage"
        ) from error


def folders() -> dict[str, str]:
    """Where each folder of ``cloud-storage`` is in the store: its name and ``bucket/prefix``.

    Raises Unavailable outside a server, or when the server has no storage.
    """
    return {folder.name: f"{folder.bucket}/{folder.prefix}".rstrip("/") for folder in plan().usable}


def session() -> Session:
    """A boto3 session for the platform's object store, whose credentials renew themselves.

    ``session().client("s3")`` and ``.resource("s3")`` know endpoint and region already; what you give them yourself wins.
    """
    import boto3
    from botocore.config import Config
    from botocore.credentials import RefreshableCredentials
    from botocore.session import get_session

    class PlatformSession(boto3.Session):  # type: ignore[misc]  # boto3 has no types
        """A session whose S3 clients go to the platform's store."""

        def client(self, service_name: str, *args: Any, **options: Any) -> Any:
            if service_name == "s3":
                options["config"] = s3_config().merge(options.get("config") or Config())
                options["endpoint_url"] = options.get("endpoint_url") or access()["Endpoint"]
            return super().client(service_name, *args, **options)

    core = get_session()
    core.set_config_variable("region", access()["Region"])
    _offer(core, RefreshableCredentials.create_from_metadata(_metadata(), _metadata, "naas"))
    return PlatformSession(botocore_session=core)


def s3_config() -> Any:
    """How every S3 client of ours speaks, for boto3."""
    from botocore.config import Config

    return Config(**S3_OPTIONS)


def filesystem(**options: Any) -> S3FileSystem:
    """The object store as a file system for fsspec, pandas, dask, xarray and others (https://s3fs.readthedocs.io).

    Paths are ``bucket/key`` (see `folders`). Parameters: ``options``, as for ``s3fs.S3FileSystem``.
    """
    from aiobotocore.credentials import AioRefreshableCredentials
    from aiobotocore.session import AioSession
    from s3fs import S3FileSystem

    core = AioSession()
    credentials = AioRefreshableCredentials.create_from_metadata(_metadata(), _metadata_async, "naas")
    _offer(core, credentials)
    now = access()
    defaults = {
        "session": core,
        "endpoint_url": now["Endpoint"],
        "client_kwargs": {"region_name": now["Region"]},
        "config_kwargs": S3_OPTIONS,
    }
    return S3FileSystem(**{**defaults, **options})


def _offer(core: Any, credentials: Any) -> None:
    """Put our credentials before every other source (environment, files) of a botocore session."""
    from botocore.credentials import CredentialProvider

    class Offered(CredentialProvider):  # type: ignore[misc]  # botocore has no types
        METHOD = CANONICAL_NAME = "naas"

        def load(self) -> Any:
            return credentials

    class OfferedAsync(Offered):
        async def load(self) -> Any:
            return credentials

    resolver = core.get_component("credential_provider")
    asynchronous = type(core).__module__.startswith("aiobotocore")
    resolver.providers.insert(0, OfferedAsync() if asynchronous else Offered())
