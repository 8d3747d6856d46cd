"""What programs do to files: each function works in the current folder, which is new and on a mount, and fails when a file lies.

They run as a person, in a process of their own: ``test_posix.py`` names them.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

from waiting import wait_for

ONE_DAY_IN_2001 = 1_000_000_000


def save_a_notebook() -> None:
    """As Jupyter saves: a temporary file, fsync, and its rename over the old one."""
    for version in range(3):
        with Path(".~one.ipynb").open("w") as file:
            json.dump({"cells": [], "version": version}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(".~one.ipynb").replace("one.ipynb")
    assert json.loads(Path("one.ipynb").read_text())["version"] == 2
    assert [path.name for path in Path().iterdir()] == ["one.ipynb"]


def append() -> None:
    for number in range(5):
        with Path("log").open("a") as file:
            file.write(f"{number}\n")
    assert Path("log").read_text() == "0\n1\n2\n3\n4\n"


def write_in_the_middle() -> None:
    Path("data").write_bytes(b"0" * 100_000)
    with Path("data").open("r+b") as file:
        file.seek(50_000)
        file.write(b"XX")
        file.seek(49_999)
        assert file.read(4) == b"0XX0"
    assert Path("data").read_bytes() == b"0" * 50_000 + b"XX" + b"0" * 49_998


def truncate_an_open_file() -> None:
    with Path("data").open("w+b") as file:
        file.write(b"x" * 1000)
        file.truncate(10)
    assert Path("data").read_bytes() == b"x" * 10


def truncate_by_opening() -> None:
    Path("data").write_bytes(b"x" * 1000)
    with Path("data").open("r+b") as file:
        file.truncate(10)
    assert Path("data").read_bytes() == b"x" * 10


def _commit_rows(mode: str) -> None:
    database = sqlite3.connect("rows.db")
    assert database.execute(f"pragma journal_mode={mode}").fetchone() == (mode,)
    database.execute("create table rows (number)")
    for number in range(10):
        database.execute("insert into rows values (?)", (number,))
        database.commit()
    database.close()
    again = sqlite3.connect("rows.db")
    assert again.execute("select count(*), sum(number) from rows").fetchone() == (10, 45)
    assert again.execute("pragma integrity_check").fetchone() == ("ok",)
    again.close()


def sqlite_with_rollback_journal() -> None:
    _commit_rows("delete")


def sqlite_with_write_ahead_log() -> None:
    _commit_rows("wal")


def write_through_a_memory_map() -> None:
    Path("map").write_bytes(bytes(8192))
    with Path("map").open("r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
        memory[5000:5003] = b"abc"
        memory.flush()
    assert Path("map").read_bytes() == bytes(5000) + b"abc" + bytes(8192 - 5003)


def numpy_memmap() -> None:
    import numpy

    array = numpy.memmap("array", dtype="float64", mode="w+", shape=(1000, 100))
    array[500] = numpy.arange(100)
    array.flush()
    del array
    again = numpy.memmap("array", dtype="float64", mode="r", shape=(1000, 100))
    assert again[500].sum() == 4950
    assert again.sum() == 4950


def rename_a_folder() -> None:
    Path("old/deep").mkdir(parents=True)
    for number in range(5):
        Path(f"old/deep/{number}").write_text(str(number))
    move_and_read("old", "new", [f"deep/{number}" for number in range(5)])


def move_and_read(old: str, new: str, names: list[str]) -> None:
    """Rename a folder and read the files in it, each of which contains the last character of its name.

    For a second (the kernel's memory of names) the files still lead to their old objects, and a read says that there is none.
    """
    Path(old).rename(new)
    assert not Path(old).exists()
    wait_for(lambda: _readable(Path(new), names), "the files of the renamed folder are readable")
    assert [Path(new, name).read_text() for name in names] == [name[-1] for name in names]


def _readable(folder: Path, names: list[str]) -> bool:
    try:
        return all((folder / name).read_text() for name in names)
    except FileNotFoundError:
        return False


def lock() -> None:
    """flock: a second lock on the same file is refused until the first one is let go."""
    with Path("lock").open("w") as first, Path("lock").open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("the second lock was granted")
        fcntl.flock(first, fcntl.LOCK_UN)
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def set_the_time() -> None:
    Path("old").write_text("x")
    os.utime("old", (ONE_DAY_IN_2001, ONE_DAY_IN_2001))
    assert Path("old").stat().st_mtime == ONE_DAY_IN_2001


def make_an_empty_folder() -> None:
    Path("empty").mkdir()
    assert Path("empty").is_dir()
    assert list(Path("empty").iterdir()) == []
    Path("empty").rmdir()
    assert not Path("empty").exists()


def reserve_space() -> None:
    with Path("reserved").open("w+b") as file:
        os.posix_fallocate(file.fileno(), 0, 10_000)
        file.write(b"start")
    assert Path("reserved").read_bytes() == b"start".ljust(10_000, b"\0")


def hdf5() -> None:
    import h5py
    import numpy

    with h5py.File("data.h5", "w") as file:
        file.create_dataset("numbers", data=numpy.arange(200_000), chunks=(10_000,))
    with h5py.File("data.h5", "r") as file:
        assert file["numbers"][177_777] == 177_777
    with h5py.File("data.h5", "a") as file:
        file["more"] = [1, 2, 3]
    with h5py.File("data.h5", "r") as file:
        assert sorted(file) == ["more", "numbers"]
        assert int(file["numbers"][:].sum()) == 199_999 * 100_000


def parquet() -> None:
    import pyarrow
    from pyarrow import parquet as files

    files.write_table(pyarrow.table({"a": range(100_000), "b": ["x"] * 100_000}), "table.parquet")
    column = files.read_table("table.parquet", columns=["a"])
    assert column.column("a")[99_999].as_py() == 99_999
    assert files.read_table("table.parquet", memory_map=True).num_rows == 100_000


def symbolic_link() -> None:
    Path("file").write_text("words")
    Path("link").symlink_to("file")
    assert str(Path("link").readlink()) == "file"
    assert Path("link").read_text() == "words"


def _git(*words: str) -> str:
    """git without anybody's settings; its own error when it fails."""
    settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": "/"}
    people = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    run = subprocess.run(
        ["git", *words], capture_output=True, text=True, env={"PATH": os.environ["PATH"], **settings, **people}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def git() -> None:
    """A tree with a link is made, cloned, changed and committed."""
    _git("init", "-q", "first")
    os.chdir("first")
    for number in range(12):
        folder = Path(f"folder{number % 3}")
        folder.mkdir(exist_ok=True)
        (folder / f"file{number}").write_text(f"{number}\n" * 100)
    Path("link").symlink_to("folder1")
    _git("add", "-A")
    _git("commit", "-qm", "first")
    os.chdir("..")
    _git("clone", "-q", "first", "second")
    os.chdir("second")
    assert _git("status", "--porcelain") == ""
    assert Path("folder2/file5").read_text() == "5\n" * 100
    assert str(Path("link").readlink()) == "folder1"
    Path("new").write_text("y")
    _git("add", "new")
    _git("commit", "-qm", "second")
    assert _git("rev-list", "--count", "HEAD").strip() == "2"
    assert _git("fsck", "--strict") == ""


def pip_install_into_a_folder() -> None:
    """A wheel made here, so that no network is needed."""
    name = "tiny_package-1.0-py3-none-any.whl"
    about = "tiny_package-1.0.dist-info"
    with zipfile.ZipFile(name, "w") as wheel:
        wheel.writestr("tiny_package/__init__.py", "answer = 42\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    options = ("--quiet", "--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check")
    run = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", "packages", name], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    sys.path.insert(0, "packages")
    import tiny_package

    assert tiny_package.answer == 42
    assert Path(tiny_package.__file__).resolve().is_relative_to(Path("packages").resolve())


# -- what a bucket cannot do; each ends with the error that a program gets --


def truncate_before_it_is_sent() -> None:
    """Refused and without effect, until the file is in the bucket; tried anew when this process was too slow."""
    for number in range(50):
        file = Path(f"data{number}")
        file.write_text("x" * 1000)
        try:
            os.truncate(file, 10)
        except OSError:
            assert file.stat().st_size == 1000
            raise


def hard_link() -> None:
    Path("file").write_text("words")
    Path("other").hardlink_to("file")


def read_after_unlink() -> None:
    with Path("file").open("w+") as file:
        file.write("abc")
        file.flush()
        Path("file").unlink()
        file.seek(0)
        file.read()


def named_pipe() -> None:
    os.mkfifo("pipe")


def change_the_mode() -> None:
    """No error, and no effect."""
    Path("script").write_text("echo\n")
    before = Path("script").stat().st_mode
    Path("script").chmod(0o700)
    assert Path("script").stat().st_mode == before, oct(Path("script").stat().st_mode)
