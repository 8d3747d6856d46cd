"""What a person might do to open a bucket to others, and whether it did."""

from __future__ import annotations

import json
from typing import Any

import httpx
from s3_people import refusal
from token_issuer import SUBJECTS

EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
SIGNED_IN = 'uri="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"'
BOB = f'id="$oidc${SUBJECTS["bob"]}"'


def open_policy(bucket: str) -> str:
    """Everything to everybody."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _put(**acl: str) -> Any:
    def put(client: Any, bucket: str, key: str) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=client.get_object(Bucket=bucket, Key=key)["Body"].read(), **acl)

    return put


def _copy(**acl: str) -> Any:
    def copy(client: Any, bucket: str, key: str) -> None:
        source = {"Bucket": bucket, "Key": key}
        client.copy_object(Bucket=bucket, Key=key, CopySource=source, MetadataDirective="REPLACE", **acl)

    return copy


def _multipart(**acl: str) -> Any:
    def upload(client: Any, bucket: str, key: str) -> None:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        number = client.create_multipart_upload(Bucket=bucket, Key=key, **acl)["UploadId"]
        part = client.upload_part(Bucket=bucket, Key=key, UploadId=number, PartNumber=1, Body=body)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=number, MultipartUpload=parts)

    return upload


OPENINGS: dict[str, Any] = {
    "put public": _put(ACL="public-read"),
    "put public write": _put(ACL="public-read-write"),
    "put authenticated": _put(ACL="authenticated-read"),
    "put grant everybody": _put(GrantRead=EVERYBODY),
    "put grant signed in": _put(GrantFullControl=SIGNED_IN),
    "put grant bob": _put(GrantFullControl=BOB),
    "copy public": _copy(ACL="public-read"),
    "copy grant bob": _copy(GrantRead=BOB),
    "multipart public": _multipart(ACL="public-read"),
    "multipart grant bob": _multipart(GrantRead=BOB),
    "object acl": lambda c, bucket, key: c.put_object_acl(Bucket=bucket, Key=key, ACL="public-read"),
    "object acl bob": lambda c, bucket, key: c.put_object_acl(Bucket=bucket, Key=key, GrantRead=BOB),
    "bucket acl": lambda c, bucket, _: c.put_bucket_acl(Bucket=bucket, ACL="public-read-write"),
    "bucket acl bob": lambda c, bucket, _: c.put_bucket_acl(Bucket=bucket, GrantFullControl=BOB),
    "bucket policy": lambda c, bucket, _: c.put_bucket_policy(Bucket=bucket, Policy=open_policy(bucket)),
    "no public access block": lambda c, bucket, _: c.delete_public_access_block(Bucket=bucket),
    "make it again public": lambda c, bucket, _: c.create_bucket(Bucket=bucket, ACL="public-read"),
}


def opened_to(store: Any, bucket: str, key: str) -> list[str]:
    """Who else can use an object or its bucket now."""
    tries = {
        "bob reads": lambda: store.bob.get_object(Bucket=bucket, Key=key),
        "bob lists": lambda: store.bob.list_objects_v2(Bucket=bucket),
        "bob writes": lambda: store.bob.put_object(Bucket=bucket, Key=key, Body=b"bob was here"),
        "bob changes the ACL": lambda: store.bob.put_object_acl(Bucket=bucket, Key=key, ACL="public-read"),
    }
    found = [who for who, action in tries.items() if refusal(action) == "allowed"]
    for what, path in (("the world reads", f"/{bucket}/{key}"), ("the world lists", f"/{bucket}")):
        if httpx.get(store.url + path).is_success:
            found.append(what)
    return found


def bucket_settings(bucket: str, key: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Calls on the settings of a bucket and of an object: name of the client's method, parameters."""
    there, thing = {"Bucket": bucket}, {"Bucket": bucket, "Key": key}
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    expire = {"Rules": [{"ID": "all", "Prefix": "", "Status": "Enabled", "Expiration": {"Days": 1}}]}
    return {
        "get acl": ("get_bucket_acl", there),
        "put acl": ("put_bucket_acl", {**there, "ACL": "public-read"}),
        "get policy": ("get_bucket_policy", there),
        "put policy": ("put_bucket_policy", {**there, "Policy": open_policy(bucket)}),
        "delete policy": ("delete_bucket_policy", there),
        "put versioning": ("put_bucket_versioning", {**there, "VersioningConfiguration": {"Status": "Enabled"}}),
        "put cors": ("put_bucket_cors", {**there, "CORSConfiguration": cors}),
        "put lifecycle": ("put_bucket_lifecycle_configuration", {**there, "LifecycleConfiguration": expire}),
        "put tags": ("put_bucket_tagging", {**there, "Tagging": tags}),
        "delete block": ("delete_public_access_block", there),
        "get object acl": ("get_object_acl", thing),
        "put object acl": ("put_object_acl", {**thing, "ACL": "public-read"}),
        "get object tags": ("get_object_tagging", thing),
        "put object tags": ("put_object_tagging", {**thing, "Tagging": tags}),
        "delete object tags": ("delete_object_tagging", thing),
        "delete bucket": ("delete_bucket", there),
    }
