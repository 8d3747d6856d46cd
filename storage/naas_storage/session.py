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


def _run_folder() -> Path:
    if not (name := os.environ.get(RUN_VARIABLE)):
        raise Unavailable(
            "This program does not run inside a server of the platform, so there is no storage to connect to. "
            f"Start it in a notebook or terminal of your server (where {RUN_VARIABLE} is set).",
            code="no-storage",
        )
    return Path(name)


def _access() -> dict[str, Any]:
    """The current credentials and where to use them. Raises Unavailable when the agent has none yet."""
    try:
        return dict(json.loads((_run_folder() / ACCESS_NAME).read_text()))
    except (OSError, ValueError) as error:
        raise Unavailable(
            "There are no credentials for the object store. The Storage section of the side panel says why; try again then.",
            code="no-credentials",
        ) from error


def _metadata() -> dict[str, str]:
    """The credentials in botocore's words, with the true time of their end: botocore looks again 15 min before."""
    access = _access()
    return {
        "access_key": access["AccessKeyId"],
        "secret_key": access["SecretAccessKey"],
        "token": access["SessionToken"],
        "expiry_time": access["ExpiresAt"],
    }


async def _metadata_async() -> dict[str, str]:
    return _metadata()


def folders() -> dict[str, str]:
    """Where each folder of ``cloud-storage`` is in the store: its name and ``bucket/prefix``.

    Raises Unavailable outside a server, or when the server has no storage.
    """
    try:
        plan = AgentPlan.model_validate_json((_run_folder() / PLAN_NAME).read_text())
    except (OSError, ValueError) as error:
        raise Unavailable(
            "This server has no storage. The Storage section of the side panel says why.", code="no-storage"
        ) from error
    return {folder.name: f"{folder.bucket}/{folder.prefix}".rstrip("/") for folder in plan.folders}


def boto3_session() -> Session:
    """A boto3 session with credentials that renew themselves; see `boto3_client` for the endpoint."""
    import boto3
    from botocore.credentials import RefreshableCredentials
    from botocore.session import get_session

    core = get_session()
    core.set_config_variable("region", _access()["Region"])
    credentials = RefreshableCredentials.create_from_metadata(_metadata(), _metadata, "naas")
    _offer(core, credentials)
    return boto3.Session(botocore_session=core)


def boto3_client(**options: Any) -> Any:
    """A boto3 S3 client for the platform's object store. Parameters: ``options``, as for ``boto3.client``."""
    from botocore.config import Config

    config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
    defaults = {"endpoint_url": _access()["Endpoint"], "config": config}
    return boto3_session().client("s3", **{**defaults, **options})


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
    access = _access()
    defaults = {
        "session": core,
        "endpoint_url": access["Endpoint"],
        "client_kwargs": {"region_name": access["Region"]},
        "config_kwargs": {"s3": {"addressing_style": "path"}, "request_checksum_calculation": "when_required"},
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
