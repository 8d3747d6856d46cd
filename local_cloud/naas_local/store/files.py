"""The plain files behind buckets and keys, as far as the front looks at them itself: buckets, folder markers, conflicts of names.

Only checked names come here (`address`), so a path cannot leave its bucket.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from naas_local.store.errors import S3Error

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Files:
    """The folder whose folders are the buckets."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, bucket: str, key: str) -> Path:
        """Where an object's content is."""
        return self._root / bucket / key

    def has_bucket(self, bucket: str) -> bool:
        """Whether a bucket exists."""
        return (self._root / bucket).is_dir()

    def check_bucket(self, bucket: str) -> None:
        """Raise S3Error unless a bucket exists."""
        if not self.has_bucket(bucket):
            raise S3Error("NoSuchBucket", "The specified bucket does not exist. Create it first.")

    def make_bucket(self, bucket: str) -> None:
        """Create a bucket; one that exists stays as it is."""
        (self._root / bucket).mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_free(self, bucket: str, key: str) -> None:
        """Raise S3Error where S3 would allow an object but a file system has a folder, or a file where a folder is needed."""
        path = self.path(bucket, key)
        if path.is_dir():
            raise S3Error(
                "InvalidArgument", "There is a folder of this name, and objects are files. Choose another name."
            )
        for parent in path.parents:
            if parent == self._root:
                break
            if parent.is_file():
                raise S3Error("InvalidArgument", "A part of this key is an object already. Choose another name.")

    def make_folder(self, bucket: str, key: str) -> None:
        """What PUT of a folder marker means here."""
        self.check_free(bucket, key + "x")
        path = self.path(bucket, key)
        if path.is_file():
            raise S3Error("InvalidArgument", "There is an object of this name without the slash. Choose another name.")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_folder(self, bucket: str, key: str) -> None:
        """Raise S3Error unless there is such a folder."""
        if not self.path(bucket, key).is_dir():
            raise S3Error("NoSuchKey", "The specified key does not exist.")

    def remove_folder(self, bucket: str, key: str) -> None:
        """What DELETE of a folder marker means: an empty folder goes, any other stays, as in S3."""
        with contextlib.suppress(OSError):
            self.path(bucket, key).rmdir()

    def remove_empty_folders(self, bucket: str) -> None:
        """Take away the folders of a bucket in which there is no object: for S3 it is empty then."""
        for folder, _, _ in os.walk(self._root / bucket, topdown=False):
            if Path(folder) != self._root / bucket:
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()

    def list_buckets(self, owner: str, shown: Callable[[str], bool]) -> str:
        """The answer to ListBuckets: those whose names are to be ``shown``."""
        rows = ""
        for name in sorted(path.name for path in self._root.iterdir() if path.is_dir() and shown(path.name)):
            made = dt.datetime.fromtimestamp((self._root / name).stat().st_mtime, dt.UTC)
            rows += f"<Bucket><Name>{escape(name)}</Name><CreationDate>{made:%Y-%m-%dT%H:%M:%S.000Z}</CreationDate></Bucket>"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult {NAMESPACE}><Owner><ID>{escape(owner)}</ID>'
            f"<DisplayName>{escape(owner)}</DisplayName></Owner><Buckets>{rows}</Buckets></ListAllMyBucketsResult>"
        )


def location(region: str) -> str:
    """The answer to GetBucketLocation; ``us-east-1`` is written as nothing."""
    name = "" if region == "us-east-1" else escape(region)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint {NAMESPACE}>{name}</LocationConstraint>'


def versioning() -> str:
    """The answer to GetBucketVersioning: never switched on."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<VersioningConfiguration {NAMESPACE}/>'


def no_uploads(bucket: str) -> str:
    """The answer to ListMultipartUploads when there are none."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult {NAMESPACE}><Bucket>{escape(bucket)}</Bucket>'
        "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
    )
