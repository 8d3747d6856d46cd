"""What somebody may try with an object store, and the words with which stores refuse."""

from __future__ import annotations

from typing import Any

REFUSED = {"AccessDenied", "403"}
UNKNOWN = {"NotImplemented", "MethodNotAllowed", "AccessControlListNotSupported", "501", "405"}
"""A store that does not have a feature cannot leak by it."""


def multipart(client: Any, bucket: str, key: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )


def readable(bucket: str, key: str) -> str:
    """A source of a copy; from scratch one that everybody may read, so that only the target can be refused."""
    return "scratch/alice/shared" if bucket == "scratch" else f"{bucket}/{key}"


ACTIONS: dict[str, Any] = {
    "list": lambda c, bucket, _: c.list_objects_v2(Bucket=bucket),
    "list v1": lambda c, bucket, key: c.list_objects(Bucket=bucket, Prefix=key),
    "list uploads": lambda c, bucket, _: c.list_multipart_uploads(Bucket=bucket),
    "head bucket": lambda c, bucket, _: c.head_bucket(Bucket=bucket),
    "get": lambda c, bucket, key: c.get_object(Bucket=bucket, Key=key)["Body"].read(),
    "get range": lambda c, bucket, key: c.get_object(Bucket=bucket, Key=key, Range="bytes=0-1")["Body"].read(),
    "head": lambda c, bucket, key: c.head_object(Bucket=bucket, Key=key),
    "put": lambda c, bucket, key: c.put_object(Bucket=bucket, Key=f"{key}-new", Body=b"new"),
    "overwrite": lambda c, bucket, key: c.put_object(Bucket=bucket, Key=key, Body=b"changed"),
    "multipart": lambda c, bucket, key: multipart(c, bucket, f"{key}-parts"),
    "copy onto": lambda c, bucket, key: c.copy_object(
        Bucket=bucket, Key=f"{key}-copy", CopySource=readable(bucket, key)
    ),
    "delete": lambda c, bucket, key: c.delete_object(Bucket=bucket, Key=f"{key}-new"),
}
READS = ("list", "list v1", "list uploads", "head bucket", "get", "get range", "head")
WRITES = ("put", "overwrite", "multipart", "copy onto", "delete")
