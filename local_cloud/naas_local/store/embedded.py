"""A store for the length of a `with` block: what the tests of every room use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port
from naas_local.store.settings import ADMIN_KEY, prepare

AUDIENCE = "object"
ROLE_ARN = "arn:aws:iam:::role/IAMaccess"


class EmbeddedStore(RestartablePart):
    """A running store and how to reach it: S3 and STS are both at ``url``."""

    def __init__(
        self, spec: PartSpec, log: Path, data: Path, audience: str, role_arn: str, scratch_bucket: str
    ) -> None:
        super().__init__(spec, log)
        self.data, self.audience, self.role_arn, self.scratch_bucket = data, audience, role_arn, scratch_bucket

    @property
    def admin_key_file(self) -> Path:
        """File with the secret for orders about long-lived keys."""
        return self.data / ADMIN_KEY

    @property
    def buckets(self) -> Path:
        """Where the objects are plain files: ``buckets/<bucket>/<key>``."""
        return self.data / "buckets"


@contextlib.contextmanager
def embedded_store(tmp_path: Path, issuer: str, **options: Any) -> Iterator[EmbeddedStore]:
    """Start a store that trusts ``issuer``; ``options`` are those of `prepare`, and ``port``.

    The same ``tmp_path`` again is the same store after a restart. Raises PartFailed when it does not start.
    """
    data = tmp_path / "store"
    given: dict[str, Any] = {
        "audience": AUDIENCE,
        "role_arn": ROLE_ARN,
        "storage_groups": ["users/s3"],
        "scratch_bucket": "scratch",
        **options,
    }
    spec = prepare(data, given.pop("port", None) or free_port(), issuer=issuer, **given)
    logs = tmp_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    store = EmbeddedStore(spec, logs / "store.log", data, given["audience"], given["role_arn"], given["scratch_bucket"])
    try:
        store.start()
        yield store
    finally:
        store.stop()
