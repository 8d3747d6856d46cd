"""Uids, folders and what a home has from its first day."""

from __future__ import annotations

import json
import os
import pwd
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from naas_client.errors import InvalidInput
from naas_spawner.launcher.home import copy_new, fill, write
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


def test_a_first_home_has_folders_and_a_prompt_that_stay_as_they_are_changed(tmp_path: Path) -> None:
    fill(tmp_path, ["local"], None)
    assert "JUPYTERHUB_USER" in (tmp_path / ".bashrc").read_text()
    (tmp_path / ".bashrc").write_text("mine")
    fill(tmp_path, ["local"], None)
    assert (tmp_path / ".bashrc").read_text() == "mine"
    assert (tmp_path / "local").is_dir()


def test_examples_are_given_once_and_never_overwritten(tmp_path: Path) -> None:
    source, home = tmp_path / "source", tmp_path / "home" / "examples"
    (source / "data").mkdir(parents=True)
    (source / "__pycache__").mkdir()
    home.parent.mkdir()
    for name in ("one.ipynb", "two.ipynb", "data/table.csv", "__pycache__/x.pyc"):
        (source / name).write_text("ours")
    copy_new(source, home)
    assert sorted(p.name for p in home.rglob("*") if p.is_file()) == [
        ".given.json",
        "one.ipynb",
        "table.csv",
        "two.ipynb",
    ]
    (home / "one.ipynb").write_text("changed")
    (home / "two.ipynb").unlink()
    (source / "three.ipynb").write_text("new")
    copy_new(source, home)
    assert (home / "one.ipynb").read_text() == "changed"
    assert not (home / "two.ipynb").exists()
    assert (home / "three.ipynb").read_text() == "new"


def test_a_file_replaces_a_link_instead_of_following_it(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious")
    (tmp_path / "plan.json").symlink_to(tmp_path / "other")
    write(tmp_path / "plan.json", "{}")
    assert (tmp_path / "other").read_text() == "precious"
    assert (tmp_path / "plan.json").read_text() == "{}"
