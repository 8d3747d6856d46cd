"""What a person's role on Ceph RGW may do, whom STS gives it to, and what a long-lived key of theirs may do.

Ceph 16 knows no variables in a policy's resources, so everybody has a role of their own. The list of actions is a list of what is
allowed: what opens a bucket to others (policies, ACLs, replication, website) is left out, and so is undoing `s3.PRIVATE`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from naas_client.folders import GroupFolder

READS = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging")
LISTS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation")
WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
OWN = (
    *("s3:Get*", *LISTS, *WRITES, "s3:DeleteObjectVersion", "s3:RestoreObject"),
    *("s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    *("s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"),
    *("s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketTagging", "s3:PutBucketCORS"),
    "s3:PutLifecycleConfiguration",
)


def permissions(name: str, scratch: str, shared: Sequence[GroupFolder] = ()) -> dict[str, Any]:
    """The policy of one person's role: their bucket, those they made (`naas_client.names.is_made_by`), scratch, their groups' folders.

    Parameters: ``scratch``, the shared bucket, or empty.
    """
    rules = [
        _rule("Allow", ("s3:ListAllMyBuckets",), "*"),
        _rule("Allow", OWN, name, f"{name}/*"),
        _rule("Allow", (*OWN, "s3:CreateBucket", "s3:DeleteBucket"), f"{name}--*", f"{name}--*/*"),
        _rule("Deny", ("s3:*",), f"{name}---*", f"{name}---*/*"),
    ]
    if scratch:
        rules += [
            _rule("Allow", (*LISTS, *READS), scratch, f"{scratch}/*"),
            _rule("Allow", WRITES, f"{scratch}/{name}/*"),
            _rule("Allow", ("s3:DeleteObject",), scratch),  # DeleteObjects asks for the bucket first, then for each key
        ]
    for folder in shared:
        rules += _group_rules(folder)
    return {"Version": "2012-10-17", "Statement": rules}


def group_permissions(shared: Sequence[GroupFolder]) -> dict[str, Any]:
    """The policy of the role of a group's shared server: the group's folders and nothing else."""
    rules = [_rule("Allow", ("s3:ListAllMyBuckets",), "*"), *(rule for one in shared for rule in _group_rules(one))]
    return {"Version": "2012-10-17", "Statement": rules}


def _group_rules(folder: GroupFolder) -> list[dict[str, Any]]:
    """Rules for one folder of a group. Below a prefix, only listings of that prefix are allowed."""
    bucket, keys = folder.bucket, f"{folder.bucket}/{folder.below}*"
    if folder.prefix:
        listing = _rule("Allow", ("s3:ListBucket", "s3:ListBucketVersions"), bucket)
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{folder.below}*"}}
        rules = [listing, _rule("Allow", ("s3:GetBucketLocation",), bucket)]
    else:
        rules = [_rule("Allow", LISTS, bucket)]
    rules.append(_rule("Allow", READS if folder.read_only else (*READS, *WRITES), keys))
    if not folder.read_only:
        rules.append(_rule("Allow", ("s3:DeleteObject",), bucket))  # as in scratch, for DeleteObjects
    return rules


KEY_READS = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListMultipartUploadParts")
KEY_WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
KEY_LISTS = (*LISTS, "s3:GetBucketVersioning")
KEY_NEVER = (
    *(
        "s3:*Acl",
        "s3:*Policy",
        "s3:*PublicAccessBlock",
        "s3:*Retention",
        "s3:*LegalHold",
        "s3:BypassGovernanceRetention",
    ),
    *("s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    *("s3:CreateBucket", "s3:DeleteBucket*", "s3:PutBucket*", "s3:PutLifecycleConfiguration", "s3:RestoreObject"),
    "s3:DeleteObjectVersion*",
)
"""What the owner of an object may do by its ACL, whatever no policy allows, and the user of a key owns what it uploads.

Measured on Ceph 16.2.15: `NotAction` denies nothing, and `s3:*Tagging` is no policy to it.
"""


def key_permissions(name: str, scratch: str, *, read_only: bool, until: dt.datetime) -> dict[str, Any]:
    """The policy of a long-lived key's user: the person's own bucket and their prefix in scratch, until the key expires.

    It denies as well, because a user, unlike a role, is let in by ACLs that others send along with their uploads.
    Parameters: ``scratch``, the shared bucket, or empty; ``until``, UTC.
    """
    actions = KEY_READS if read_only else (*KEY_READS, *KEY_WRITES)
    places = [name, f"{name}/*"]
    rules = [_rule("Allow", (*KEY_LISTS, *actions), *places)]
    if scratch:
        places += [scratch, f"{scratch}/{name}/*"]
        listing = _rule("Allow", ("s3:ListBucket",), scratch)
        rules += [
            _rule("Allow", actions, f"{scratch}/{name}/*"),
            {**listing, "Condition": {"StringLike": {"s3:prefix": f"{name}/*"}}},
        ]
        if not read_only:
            rules.append(_rule("Allow", ("s3:DeleteObject",), scratch))  # as for the role
    elsewhere = _rule("Deny", ("s3:*",))
    del elsewhere["Resource"]
    ended = {"DateGreaterThanEquals": {"aws:CurrentTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    rules += [
        _rule("Deny", KEY_NEVER, "*"),
        {**elsewhere, "NotResource": [f"arn:aws:s3:::{place}" for place in places]},
        {**_rule("Deny", ("s3:*",), "*"), "Condition": ended},
    ]
    return {"Version": "2012-10-17", "Statement": rules}


def trust(issuer: str, subject: str, audience: str) -> dict[str, Any]:
    """Who may take the role: this subject with a token for this audience; a name is never asked for.

    Parameters: ``issuer``, exactly as in the token: RGW makes the provider's name and the condition keys from it.
    """
    provider = re.sub(r"^https?://(www\.)?", "", issuer)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": [f"arn:aws:iam:::oidc-provider/{provider}"]},
                "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Condition": {"StringEquals": {f"{provider}:sub": subject, f"{provider}:aud": audience}},
            }
        ],
    }


def trust_user(uid: str) -> dict[str, Any]:
    """Who may take the role of a shared server: one user of the store."""
    principal = {"AWS": [f"arn:aws:iam:::user/{uid}"]}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole"]}],
    }


def trusted_subject(document: dict[str, Any]) -> str | None:
    """The subject in a trust policy of ours; None when it is not one of ours."""
    try:
        conditions = document["Statement"][0]["Condition"]["StringEquals"]
        (subject,) = (value for key, value in conditions.items() if key.endswith(":sub"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return None
    return subject if isinstance(subject, str) else None


def _rule(effect: str, actions: tuple[str, ...], *resources: str) -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": [f"arn:aws:s3:::{name}" for name in resources]}
