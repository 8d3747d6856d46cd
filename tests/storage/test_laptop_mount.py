"""`naas mount` and `naas unmount` on a computer of one's own, with a real IAM, gateway and store."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from laptop import Laptop, Site, laptop_site
from naas_client.errors import InvalidInput
from naas_storage.laptop.places import source_of
from waiting import wait_for

pytestmark = [pytest.mark.server, pytest.mark.fuse]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with laptop_site(tmp_path_factory.mktemp("site")) as running:
        yield running


class Terminal:
    """A terminal in which `naas mount` runs. ``path`` is the folder that it shows."""

    def __init__(self, laptop: Laptop, path: Path, *arguments: str) -> None:
        self.laptop, self.path = laptop, path
        self.log = laptop.home / "terminal.log"
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = laptop.start("mount", *arguments, stdout=output, stderr=output, start_new_session=True)

    @property
    def shown(self) -> str:
        return self.log.read_text()[self._from :]

    def wait_shown(self, text: str) -> None:
        wait_for(lambda: text in self.shown or self.process.poll() is not None, f"{text!r} in {self.log}", 60)
        assert text in self.shown, self.shown

    def press(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C, as a terminal does it: to every process of its group."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        return self.process.wait(60)

    def kill(self) -> None:
        """The end of every process in it, without a word."""
        for entry in Path("/proc").glob("[0-9]*"):
            if self._here(int(entry.name)):
                os.kill(int(entry.name), signal.SIGKILL)
        self.process.wait(60)

    def _here(self, pid: int) -> bool:
        try:
            return os.getpgid(pid) == self.process.pid
        except ProcessLookupError:
            return False

    def engine(self) -> int | None:
        """The process id of its rclone."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"mount2" in words and str(self.laptop.home).encode() in b" ".join(words):
                return int(entry.parent.name)
        return None


Mount = Callable[..., Terminal]


@pytest.fixture
def alices(tmp_path: Path, site: Site) -> Laptop:
    laptop = Laptop(tmp_path)
    laptop.sign_in(site.url, "alice")
    return laptop


@pytest.fixture
def mount(alices: Laptop) -> Iterator[Mount]:
    """Start `naas mount`; what still runs at the end of the test is ended."""
    terminals: list[Terminal] = []

    def start(source: str, path: str = "files", *options: str) -> Terminal:
        terminals.append(Terminal(alices, alices.home / path, source, path, *options))
        return terminals[-1]

    yield start
    for terminal in terminals:
        if terminal.process.poll() is None:
            terminal.press(signal.SIGQUIT)
            terminal.press(signal.SIGTERM)  # for one that has not begun
            terminal.end()


def mounted(terminal: Terminal) -> Terminal:
    terminal.wait_shown(f" is at {terminal.path}.")
    return terminal


def stored(site: Site, key: str, bucket: str = "alice") -> bytes | None:
    path = site.store.buckets / bucket / key
    return path.read_bytes() if path.is_file() else None


def test_a_bucket_is_a_folder_until_ctrl_c(alices: Laptop, site: Site, mount: Mount) -> None:
    (alices.home / "files").mkdir()  # an empty folder is taken
    terminal = mounted(mount("alice"))
    assert (terminal.path / "welcome.txt").read_text() == "hello alice\n"
    (terminal.path / "saved.txt").write_text("x" * 100_000)
    terminal.press()
    assert terminal.end() == 0, terminal.shown
    assert terminal.shown.endswith("Ended; everything is in the store.\n")
    assert stored(site, "saved.txt") == b"x" * 100_000
    assert not os.path.lexists(terminal.path)
    kept = [path.name for path in (alices.home / ".cache").rglob("*") if path.name == "access.json"]
    assert kept == [], "no credentials stay"


def test_part_of_a_bucket_and_read_only(alices: Laptop, site: Site, mount: Mount) -> None:
    terminal = mounted(mount("alice/some/folder/", "My Files_2"))
    (terminal.path / "inner.txt").write_text("1")
    wait_for(lambda: stored(site, "some/folder/inner.txt") == b"1", "the upload")
    reader = mounted(mount("s3://alice", "reader", "--read-only"))
    assert (reader.path / "some" / "folder" / "inner.txt").read_text() == "1"
    with pytest.raises(OSError, match="Read-only file system"):
        (reader.path / "x").write_text("1")
    assert set(alices.say("mount").splitlines()) == {
        f"alice (read-only) at {reader.path}: connected",
        f"alice/some/folder at {terminal.path}: connected",
    }
    assert alices.say("unmount", str(terminal.path)) == "Ended; everything is in the store.\n"
    assert terminal.end() == 0
    assert alices.say("mount") == f"alice (read-only) at {reader.path}: connected\n"


def test_it_heals_on_the_same_path(mount: Mount) -> None:
    terminal = mounted(mount("alice"))
    first = wait_for(terminal.engine, "its rclone")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: terminal.engine() not in (None, first), "another rclone")
    wait_for((terminal.path / "welcome.txt").is_file, "the folder is there again")
    assert (terminal.path / "welcome.txt").read_text() == "hello alice\n"


@pytest.fixture
def offline(site: Site) -> Iterator[Callable[[], None]]:
    """Stop the store; it is started again at the end."""
    yield site.stop_store
    site.start_store()


def test_what_is_not_sent_is_named_kept_and_sent_the_next_time(
    alices: Laptop, site: Site, mount: Mount, offline: Callable[[], None]
) -> None:
    terminal = mounted(mount("alice"))
    assert (terminal.path / "welcome.txt").exists()
    offline()
    (terminal.path / "late.txt").write_text("not lost")
    wait_for(lambda: "sending 1 file" in alices.say("mount"), "the upload is seen")
    terminal.press()
    terminal.wait_shown("Ctrl-C again ends now")
    terminal.wait_shown("Sending 1 file (8 B).")
    terminal.press()
    assert terminal.end() == 3
    for text in ("Not in the store yet: 1 file (8 B)", "\n  late.txt\n", f"naas mount alice {terminal.path}"):
        assert text in terminal.shown
    assert "late.txt" in alices.say("mount")
    site.start_store()
    again = mounted(mount("alice", "elsewhere"))
    wait_for(lambda: stored(site, "late.txt") == b"not lost", "the upload")
    again.press()
    assert again.end() == 0
    assert alices.say("mount") == "Nothing is mounted. naas mount BUCKET PATH\n"


def test_another_terminal_can_end_it_now(alices: Laptop, site: Site, mount: Mount, offline: Callable[[], None]) -> None:
    terminal = mounted(mount("alice"))
    assert (terminal.path / "welcome.txt").exists()
    offline()
    (terminal.path / "left.txt").write_text("12")
    wait_for(lambda: "sending 1 file" in alices.say("mount"), "the upload is seen")
    done = alices.run("unmount", "--now", "files")
    assert (done.returncode, done.stdout) == (3, "")
    assert "left.txt" in done.stderr
    assert terminal.end() == 3
    site.start_store()
    mounted(mount("alice"))
    wait_for(lambda: stored(site, "left.txt") == b"12", "the upload")


def written(path: Path) -> bool:
    """Whether a person without root's powers can make a file there."""
    powerless = ("setpriv", "--bounding-set=-all") if os.geteuid() == 0 else ()
    return subprocess.run([*powerless, "cp", "/etc/hostname", str(path)], capture_output=True).returncode == 0


def test_while_nobody_keeps_it_nothing_can_be_written_there(alices: Laptop, mount: Mount) -> None:
    """Everything was killed: the path stays, and leads nowhere."""
    terminal = mounted(mount("alice"))
    terminal.kill()
    wait_for(lambda: terminal.engine() is None, "the end of its rclone")
    assert terminal.path.is_symlink()
    for path in (terminal.path, terminal.path / "x"):
        assert not written(path)
    again = mounted(mount("alice"))
    assert (again.path / "welcome.txt").read_text() == "hello alice\n"
    again.kill()
    assert alices.say("unmount", "files") == "Ended; everything is in the store.\n"
    assert not os.path.lexists(again.path)


def test_a_closed_terminal_ends_it_as_ctrl_c_does(site: Site, mount: Mount) -> None:
    terminal = mounted(mount("alice"))
    (terminal.path / "hup.txt").write_text("1")
    terminal.press(signal.SIGHUP)
    assert terminal.end() == 0
    assert stored(site, "hup.txt") == b"1"


def test_somebody_elses_bucket_is_refused(site: Site, mount: Mount) -> None:
    (site.store.buckets / "bob").mkdir()
    terminal = mount("bob")
    assert terminal.end() == 2, terminal.shown
    assert "bob: The store refused your access." in terminal.shown
    assert not os.path.lexists(terminal.path)


def test_a_bucket_that_is_not_made_yet(site: Site, tmp_path: Path) -> None:
    site.gateway.sign_in("dana")
    laptop = Laptop(tmp_path)
    laptop.sign_in(site.url, "dana")
    done = laptop.run("mount", "dana", "files")
    assert done.returncode == 2
    assert f"There is no bucket dana. Start a server at {site.url} once, which makes it." in done.stderr


def test_nothing_of_the_persons_is_replaced(alices: Laptop, mount: Mount) -> None:
    (alices.home / "full" / "x").mkdir(parents=True)
    (alices.home / "file").write_text("mine")
    (alices.home / "link").symlink_to("full")
    for path in ("full", "file", "link", "missing/folder"):
        terminal = mount("alice", path)
        assert terminal.end() == 2
        assert "Choose another path." in terminal.shown
    assert (alices.home / "file").read_text() == "mine"
    assert (alices.home / "link").is_dir()
    mounted(mount("alice"))
    for source, path in (("alice", "second"), ("alice/some", "files")):
        second = mount(source, path)
        assert second.end() == 1
        assert "naas unmount" in second.shown
    assert (alices.home / "files" / "welcome.txt").is_file()
    assert "is no folder of `naas mount`" in alices.run("unmount", "full").stderr


def test_without_the_capability_the_reason_is_said(site: Site, tmp_path: Path) -> None:
    site.gateway.sign_in("erin")
    laptop = Laptop(tmp_path)
    laptop.sign_in(site.url, "erin")
    done: subprocess.CompletedProcess[str] = laptop.run("mount", "erin", "files")
    assert done.returncode == 1
    assert "Cloud storage opens to members of users/s3" in done.stderr


@pytest.mark.parametrize(
    "text",
    ["", "a", "Alice", "../x", "-x-", "alice//x", "alice/../bob", "alice/./x", "alice/a\nb", "alice/" + "é" * 500],
)
def test_sources_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        source_of(text)
