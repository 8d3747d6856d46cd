"""What every new gateway needs before people come: an administrator, the IAM whose tokens count, a role, the scratch bucket.

All of it is looked at on each start and made where it is missing, over RGW's own IAM API (its subset of AWS's, boto3 `iam`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError
from naas_client.errors import Unavailable

from naas_local.ceph.part import CephConfig
from naas_local.ceph.programs import radosgw_admin

ADMINISTRATOR = "naas-admin"
CAPABILITIES = {"oidc-provider": "*", "roles": "*", "users": "*", "user-policy": "*"}
CAPABILITIES |= {"buckets": "*", "usage": "read", "metadata": "read"}
LIMIT = 30
"""Seconds for one call."""


def register(config: CephConfig) -> None:
    """Make what is missing. Raises Unavailable when the IAM does not answer and was never registered."""
    keys = administrator(config)
    if config.scratch_bucket:
        client("s3", config.url(), keys, config.region).create_bucket(Bucket=config.scratch_bucket)
    if config.issuer:
        iam = client("iam", config.url(), keys, config.region)
        make_role(iam, config.role_arn, trust(iam, config.issuer, config.audience), config.audience)


def administrator(config: CephConfig) -> tuple[str, str]:
    """The administrator's access and secret key, as `prepare` made them.

    RGW gets them as a metadata document over a pipe: `user create` would take them in its arguments, which everybody may read.
    """
    keys = config.admin_keys
    if ADMINISTRATOR not in radosgw_admin(config.conf, "metadata", "list", "user"):
        user = {
            "user_id": ADMINISTRATOR,
            "display_name": "NaaS",
            "max_buckets": 1000,
            "keys": [{"user": ADMINISTRATOR, "access_key": keys[0], "secret_key": keys[1]}],
            "caps": [{"type": kind, "perm": permission} for kind, permission in CAPABILITIES.items()],
            "op_mask": "read, write, delete",
            "type": "rgw",
        }
        document = {"key": f"user:{ADMINISTRATOR}", "ver": {"tag": "naas", "ver": 1}, "data": user}
        radosgw_admin(config.conf, "metadata", "put", f"user:{ADMINISTRATOR}", say=json.dumps(document))
    else:  # made by an earlier version, perhaps
        radosgw_admin(config.conf, "caps", "add", f"--uid={ADMINISTRATOR}", "--caps=user-policy=*")
    return keys


def client(service: str, url: str, keys: tuple[str, str], region: str = "us-east-1") -> Any:
    """A boto3 client of the administrator; an operator's proxy is not for loopback."""
    settings = Config(
        connect_timeout=LIMIT,
        read_timeout=LIMIT,
        retries={"max_attempts": 2},
        s3={"addressing_style": "path"},
        proxies={},
    )
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=settings,
    )


def provider_name(issuer: str) -> str:
    """How RGW calls an issuer: without its scheme, and with the slash at its end exactly when `iss` in the tokens has one."""
    return issuer.partition("://")[2]


def trust(iam: Any, issuer: str, audience: str) -> str:
    """Register an issuer as OIDC provider where it is not; its ARN, which is spelt as the issuer spells itself.

    Raises Unavailable when it does not answer and is not registered yet.
    """
    try:
        spelt, thumbprints = _identity(issuer)
    except Unavailable:
        for spelling in (issuer, issuer.rstrip("/"), f"{issuer.rstrip('/')}/"):
            if _audiences(iam, _arn(spelling)) == [audience]:
                return _arn(spelling)
        raise
    arn = _arn(spelt)
    if (known := _audiences(iam, arn)) != [audience]:
        if known is not None:  # Ceph 16 cannot change one
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        iam.create_open_id_connect_provider(Url=spelt, ClientIDList=[audience], ThumbprintList=thumbprints)
    return arn


def _arn(issuer: str) -> str:
    return f"arn:aws:iam:::oidc-provider/{provider_name(issuer)}"


def _audiences(iam: Any, arn: str) -> list[str] | None:
    """The audiences of a registered provider; None when there is none."""
    try:
        return list(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"])
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return None


def _identity(issuer: str) -> tuple[str, list[str]]:
    """An issuer's own spelling, and SHA-1 of the certificates in its keys (`x5c`, RFC 7517 §4.7), the five that AWS allows."""
    try:
        discovery = httpx.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=LIMIT)
        document = discovery.raise_for_status().json()
        keys = httpx.get(document["jwks_uri"], timeout=LIMIT).raise_for_status().json()["keys"]
        certificates = [base64.b64decode(key["x5c"][0]) for key in keys if key.get("x5c")]
        spelt = str(document["issuer"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            f"The IAM {issuer} does not answer as one ({error!r}), so RGW cannot be told to trust it. Start it, or correct iam.issuer."
        ) from error
    if not certificates:
        raise Unavailable(f"The keys of {issuer} have no certificates (x5c), without which RGW accepts no token.")
    return spelt, [hashlib.sha1(one, usedforsecurity=False).hexdigest().upper() for one in certificates[:5]]


def make_role(iam: Any, role_arn: str, provider_arn: str, audience: str) -> None:
    """The role that everybody with a token may assume. It lists buckets and opens none: bucket policies do that."""
    name = role_arn.rpartition("/")[2]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": [provider_arn]},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": {f"{provider_arn.partition('/')[2]}:aud": audience}},
    }
    document = policy(statement)
    try:
        iam.create_role(RoleName=name, Path="/", AssumeRolePolicyDocument=document)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 409:
            raise
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    allowed = {"Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "arn:aws:s3:::*"}
    iam.put_role_policy(RoleName=name, PolicyName="list", PolicyDocument=policy(allowed))


def policy(*statements: dict[str, Any]) -> str:
    """A policy document without a space: RGW reads the `+` that boto3 sends for one as a plus."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))
