"""S3 clients of people: a session from STS by a token, and boto3 with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from naas_client.models import S3Credentials

REGION = "us-east-1"
NO_RETRY = {"max_attempts": 1, "mode": "standard"}


def assume_role(url: str, token: str, role_arn: str, name: str = "person", seconds: int = 900) -> dict[str, Any]:
    """Temporary credentials, as STS names them."""
    sts = boto3.client(
        "sts", endpoint_url=url, region_name=REGION, config=Config(signature_version=UNSIGNED, retries=NO_RETRY)
    )
    answer = sts.assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName=name, WebIdentityToken=token, DurationSeconds=seconds
    )
    return dict(answer["Credentials"])


def s3_client(url: str, credentials: dict[str, Any], **config: Any) -> Any:
    """boto3 with path-style addressing and otherwise its own defaults; no retries, so that refusals are seen at once."""
    given = {"retries": NO_RETRY, "s3": {"addressing_style": "path"}, "signature_version": "s3v4", **config}
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(**given),
    )


def own_client(given: S3Credentials, **config: Any) -> Any:
    """boto3 with credentials that the gateway gave; ``config`` as for `s3_client`."""
    keys = (given.access_key_id, given.secret_access_key, given.session_token)
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return s3_client(given.endpoint, dict(zip(names, keys, strict=True)), **config)


def refusal(call: Callable[[], Any]) -> str:
    """The error code that a call ends with, or ``"allowed"``; HEAD has no body, so its code is the status."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"
