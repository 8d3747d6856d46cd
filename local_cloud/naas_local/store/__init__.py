"""The embedded object store: S3 with temporary credentials from IAM tokens, objects as plain files.

A front of ours does STS, verifies every signature and session and decides by bucket, prefix and method; behind it `rclone serve s3` keeps
the files. One process of ours (`python -m naas_local.store CONFIG`) with rclone as its child, both on loopback only.
"""

from naas_local.store.embedded import EmbeddedStore, embedded_store
from naas_local.store.settings import ADMIN_KEY, prepare

__all__ = ["ADMIN_KEY", "EmbeddedStore", "embedded_store", "prepare"]
