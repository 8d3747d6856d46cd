"""A real Ceph cluster for the tests: started once in a run, and never quietly left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from naas_local.ceph import CephStore, ceph_store, missing_programs
from naas_local.ceph.register import policy


@contextlib.contextmanager
def shared_cluster(folder: Path, **options: Any) -> Iterator[CephStore]:
    """Two gateways on one cluster, trusting nobody yet. Without Ceph the test fails with the line to type.

    Parameters: ``options``, as for `ceph_store`.
    """
    if reason := missing_programs():
        pytest.fail(reason)
    with ceph_store(folder, rgws=2, **options) as store:
        yield store


def personal_role(
    store: CephStore, issuer: str, user: str, *statements: dict[str, Any], audience: str = "object"
) -> str:
    """A role that only this person's tokens may assume; without statements it opens the bucket of that name. Its ARN."""
    provider, iam = store.trust(issuer, audience), store.client("iam")
    name = provider.partition("/")[2]
    conditions = {f"{name}:preferred_username": user, f"{name}:aud": audience}
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": [provider]},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": conditions},
    }
    own = {"Effect": "Allow", "Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{user}", f"arn:aws:s3:::{user}/*"]}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=user, Path="/", AssumeRolePolicyDocument=policy(trust))
    iam.update_assume_role_policy(RoleName=user, PolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=user, PolicyName="own", PolicyDocument=policy(*(statements or (own,))))
    return f"arn:aws:iam:::role/{user}"
