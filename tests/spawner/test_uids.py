"""Everybody's own uid, and folders that are theirs."""

from __future__ import annotations

import json
import os
import pwd
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from naas_client.errors import InvalidInput
from naas_spawner.uids import LAST_UID, Uids, make_folder


def test_everybody_has_an_own_uid_for_good(tmp_path: Path) -> None:
    record = tmp_path / "uids.json"
    first = Uids(record, 20000)
    assert (first.uid("alice"), first.uid("bob"), first.uid("alice")) == (20000, 20001, 20000)
    assert Uids(record, 30000).uid("alice") == 20000
    assert Uids(record, 20000).uid("dana") == 20002
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_a_uid_is_not_given_again_when_its_name_is_gone(tmp_path: Path) -> None:
    record = tmp_path / "uids.json"
    Uids(record, 20000).uid("alice")
    document = json.loads(record.read_text())
    document["users"] = {}
    record.write_text(json.dumps(document))
    assert Uids(record, 20000).uid("bob") == 20001


def test_many_at_once_get_different_uids(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        uids = list(pool.map(lambda n: Uids(tmp_path / "uids.json", 20000).uid(f"user-{n}"), range(40)))
    assert sorted(uids) == list(range(20000, 20040))


def test_accounts_of_the_machine_are_left_out(tmp_path: Path) -> None:
    taken = max(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid < LAST_UID)
    assert Uids(tmp_path / "uids.json", taken).uid("alice") > taken


def test_a_used_up_range_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="All uids"):
        Uids(tmp_path / "uids.json", LAST_UID + 1).uid("alice")


def test_a_folder_is_made_and_its_mode_restored(tmp_path: Path) -> None:
    make_folder(tmp_path / "home", None)
    (tmp_path / "home").chmod(0o777)
    make_folder(tmp_path / "home", None)
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_link_in_place_of_a_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "etc")
    with pytest.raises(InvalidInput, match="not a folder that can be used"):
        make_folder(tmp_path / "home", 23450)
    assert (tmp_path / "etc").stat().st_uid == 0
