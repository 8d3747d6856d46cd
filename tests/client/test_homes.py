"""What a home has from its first day."""

from __future__ import annotations

from pathlib import Path

from naas_client.homes import copy_new, fill, write


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
