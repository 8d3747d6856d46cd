"""The shared server of a group has the folders of its group in the store, and nothing else, on nobody's behalf."""

from __future__ import annotations

from typing import Any

import pytest
from naas_client.errors import NotFound
from naas_client.folders import GroupFolder
from s3_actions import ACTIONS, READS, REFUSED, UNKNOWN, WRITES
from s3_opening import OPENINGS
from s3_people import refusal

pytestmark = pytest.mark.server

OF_OBJECTS = ("list v1", "get", "get range", "head")
MATRIX = [
    *(("cygno", action, "cygno-data", "raw", True) for action in (*READS, *WRITES)),
    *(("guests", action, "cygno-data", "raw", True) for action in READS),
    *(("guests", action, "cygno-data", "raw", False) for action in WRITES),
    *(("cygno", action, "many-runs", "runs/2026/raw", True) for action in (*OF_OBJECTS, *WRITES)),
    *(("guests", action, "many-runs", "runs/2026/raw", True) for action in OF_OBJECTS),
    *(("cygno", action, "many-runs", "runs/2025/raw", False) for action in WRITES),
    ("cygno", "list", "many-runs", "", False),
    *(("cygno", action, "alice", "private", False) for action in (*READS, *WRITES)),
    *(("cygno", action, "scratch", "alice/shared", False) for action in (*READS, *WRITES)),
    ("cygno", "put", "scratch", "collab--cygno/x", False),
]


@pytest.fixture(scope="module")
def lent(isolated: Any) -> dict[str, Any]:
    """Clients of the shared servers of two groups; with one role for everybody there are none."""
    try:
        return {group: isolated.lend(group) for group in ("cygno", "guests")}
    except NotFound as error:
        pytest.skip(error.message)


def test_only_one_role_for_everybody_lends_nothing(isolated: Any, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["isolated"] != "shared-role":
        isolated.lend("cygno")
        return
    with pytest.raises(NotFound) as caught:
        isolated.lend("cygno")
    assert caught.value.code == "no-folders"
    assert "in its home" in caught.value.message


@pytest.mark.parametrize(("group", "action", "bucket", "key", "allowed"), MATRIX)
def test_what_it_may_do(
    lent: dict[str, Any], isolated: Any, group: str, action: str, bucket: str, key: str, allowed: bool
) -> None:
    code = refusal(lambda: ACTIONS[action](lent[group], bucket, key))
    assert code == "allowed" if allowed else code in REFUSED


def test_it_has_and_makes_no_bucket(lent: dict[str, Any]) -> None:
    for name in ("collab--cygno", "collab--cygno--x", "cygno-more"):
        assert refusal(lambda n=name: lent["cygno"].create_bucket(Bucket=n)) != "allowed"
    for bucket in ("cygno-data", "many-runs", "scratch"):
        assert refusal(lambda b=bucket: lent["cygno"].delete_bucket(Bucket=b)) in REFUSED


def test_what_it_writes_is_the_groups(lent: dict[str, Any], isolated: Any) -> None:
    lent["cygno"].put_object(Bucket="cygno-data", Key="together", Body=b"by the group")
    assert isolated.alice.get_object(Bucket="cygno-data", Key="together")["Body"].read() == b"by the group"
    isolated.alice.put_object(Bucket="cygno-data", Key="together", Body=b"by alice")
    assert lent["cygno"].get_object(Bucket="cygno-data", Key="together")["Body"].read() == b"by alice"
    assert refusal(lambda: isolated.erin.get_object(Bucket="cygno-data", Key="together")) in REFUSED


@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_nothing_it_does_opens_the_bucket_to_others(lent: dict[str, Any], isolated: Any, opening: str) -> None:
    key = f"lent/{opening.replace(' ', '-')}"
    lent["cygno"].put_object(Bucket="cygno-data", Key=key, Body=b"of the group")
    code = refusal(lambda: OPENINGS[opening](lent["cygno"], "cygno-data", key))
    assert code in {"allowed"} | REFUSED | UNKNOWN
    assert refusal(lambda: isolated.erin.get_object(Bucket="cygno-data", Key=key)) in REFUSED


def test_a_folder_that_the_group_lost_is_closed(isolated: Any, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["isolated"] != "rgw":
        pytest.skip("the embedded store reads its own settings")
    before = isolated.lend("cygno")
    before.put_object(Bucket="many-runs", Key="runs/2026/mine", Body=b"written by this session")
    try:
        after = isolated.lend("cygno", [GroupFolder(name="cygno", bucket="cygno-data", groups=["cygno"])])
        for client in (before, after):
            for action in (*READS, *WRITES):
                assert refusal(lambda a=action, c=client: ACTIONS[a](c, "many-runs", "runs/2026/mine")) in REFUSED
            assert client.get_object(Bucket="cygno-data", Key="raw")["Body"].read()
    finally:
        isolated.lend("cygno")
