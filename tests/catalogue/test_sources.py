"""Sources: folders, real git repositories and archives over https; what they may not bring; a catalogue that follows them."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import ipaddress
import os
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from catalogue_files import PARAMETERS, TEMPLATE, dashboard, write
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from naas_catalogue import own_root
from naas_catalogue.sources import Keeper, fetcher
from naas_catalogue.sources.archive import unpack
from naas_catalogue.sources.base import put
from naas_client.catalogue import ArchiveSource, CatalogueSection, FolderSource, GitSource
from naas_client.errors import InvalidInput, Unavailable
from pydantic import ValidationError

pytestmark = pytest.mark.server


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "tls.pem"
    path.write_bytes(secret + made.public_bytes(pem))
    return path


class Web(ThreadingHTTPServer):
    """An https server of git repositories (by git's own `http-backend`) and of files."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(root))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Web

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        if path.startswith("/git/"):
            self.git(b"")
        elif path == "/redirect":
            self.answer(302, b"", {"Location": f"{self.server.url}/catalogue.tar.gz"})
        elif path.startswith("/rude/"):
            self.answer(403, b"\xff\xfe", {"Content-Type": "text/plain; charset=utf-8"})
        elif path in self.server.files:
            content = self.server.files[path]
            self.answer(200, content, {"ETag": f'"{hash(content)}"'})
        else:
            self.answer(404, b"nothing", {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.git(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def git(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path.removeprefix("/git"),
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        self.answer(status, content, headers)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    root = tmp_path / "web"
    root.mkdir()
    server = Web(root)
    for name in ("SSL_CERT_FILE", "GIT_SSL_CAINFO"):
        monkeypatch.setenv(name, str(root / "tls.pem"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def git(folder: Path, *arguments: str) -> str:
    who = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.file.allow=always",
    ]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def repository(web: Web) -> Path:
    """A repository that the server serves, with one commit."""
    folder = dashboard(web.root / "catalogue")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_a_repository_is_followed(web: Web, tmp_path: Path) -> None:
    folder = repository(web)
    keeper = Keeper(
        [GitSource(kind="git", name="infn", url=f"{web.url}/git/catalogue/.git")], tmp_path / "cache", own_root()
    )
    first = keeper.look()
    assert first.catalogue.template("docker/engine").title == "Engine"
    assert "docker-engine" in first.catalogue.services
    assert first.catalogue.template("docker/run_docker").title == "Run docker"
    web.asked.clear()
    assert keeper.look() is first
    assert not any("upload-pack" in path and "info" not in path for path in web.asked[1:])

    write(folder, {"tosca-templates/vm.yaml": TEMPLATE})
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "second")
    second = keeper.look()
    assert second.versions["infn"] == git(folder, "rev-parse", "HEAD").strip() != first.versions["infn"]
    assert "vm" in second.catalogue.templates
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["infn"]


def test_a_tag_and_a_folder_of_a_repository(web: Web, tmp_path: Path) -> None:
    folder = repository(web)
    git(folder, "tag", "v1.0")
    git(folder, "rm", "-q", "-r", "tosca-metadata")
    git(folder, "commit", "--quiet", "-m", "without")
    source = GitSource(
        kind="git", name="infn", url=f"{web.url}/git/catalogue/.git", ref="v1.0", folder="tosca-templates"
    )
    assert [path.name for path in fetcher(source, tmp_path / "cache").fetch().path.iterdir()] == ["docker"]


def test_a_repository_brings_no_hooks_links_and_submodules(web: Web, tmp_path: Path) -> None:
    folder = repository(web)
    (folder / "tosca-templates/link.yaml").symlink_to("/etc/passwd")
    (folder / "tosca-templates/all").symlink_to("/")
    write(
        folder,
        {".gitattributes": "*.yaml filter=evil\n", ".git/hooks/post-checkout": "#!/bin/sh\ntouch /tmp/naas-evil\n"},
    )
    other = web.root / "other"
    write(other, {"secret.yaml": TEMPLATE})
    git(other, "init", "--quiet")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "other")
    git(folder, "submodule", "--quiet", "add", str(other), "tosca-templates/sub")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "evil")
    root = fetcher(GitSource(kind="git", name="infn", url=f"{web.url}/git/catalogue/.git"), tmp_path / "cache").fetch()
    found = list(root.path.rglob("*"))
    assert not [path for path in found if path.is_symlink()]
    assert (root.path / "tosca-templates/link.yaml").read_text() == "/etc/passwd"
    assert not list((root.path / "tosca-templates/sub").iterdir())
    assert not (root.path / ".git").exists()


@pytest.mark.parametrize("url", ["https://127.0.0.1:9/git/x", "{web}/git/missing/.git"])
def test_a_repository_that_does_not_answer_leaves_what_was_there(web: Web, tmp_path: Path, url: str) -> None:
    repository(web)
    working = GitSource(kind="git", name="infn", url=f"{web.url}/git/catalogue/.git")
    fetcher(working, tmp_path / "cache").fetch()
    with pytest.raises(Unavailable, match="Catalogue source infn"):
        fetcher(GitSource(kind="git", name="infn", url=url.format(web=web.url)), tmp_path / "cache").version()
    with pytest.raises(Unavailable):
        fetcher(
            GitSource(kind="git", name="infn", url=f"{web.url}/git/catalogue/.git", ref="v9"), tmp_path / "cache"
        ).fetch()
    assert (tmp_path / "cache/infn/tosca-metadata/metadata.yml").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://example.org/x.git"}, "https"),
        ({"url": "file:///etc"}, "https"),
        ({"url": "ext::sh -c id"}, "https"),
        ({"url": "git@example.org:x.git"}, "address"),
        ({"url": "--upload-pack=id"}, "address"),
        ({"url": "https://name:token@example.org/x.git"}, "name and password"),
        ({"url": "https://example.org/x", "ref": "--upload-pack=id"}, "ref"),
        ({"url": "https://example.org/x", "folder": "../../etc"}, "folder inside"),
        ({"url": "https://example.org/x", "folder": "/etc"}, "folder inside"),
        ({"url": "https://example.org/x", "name": "../x"}, "name"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CatalogueSection.model_validate({"sources": [{"kind": "git", "name": "infn", **settings}]})


def tar(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def zipped(members: dict[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content, method)
    return target.getvalue()


FILES = {
    "top/templates/docker/engine.yaml": TEMPLATE.encode(),
    "top/parameters/docker/engine.parameters.yml": PARAMETERS.encode(),
}


@pytest.mark.parametrize("content", [tar(dict(FILES)), zipped(FILES)], ids=["tar.gz", "zip"])
def test_an_archive_is_followed(web: Web, tmp_path: Path, content: bytes) -> None:
    web.files["/catalogue.tar.gz"] = content
    keeper = Keeper([ArchiveSource(kind="archive", name="infn", url=f"{web.url}/catalogue.tar.gz")], tmp_path / "cache")
    first = keeper.look()
    assert first.catalogue.problems == []
    assert len(first.catalogue.template("engine").inputs) > 20
    assert keeper.look() is first
    web.files["/catalogue.tar.gz"] = tar({"templates/other.yaml": TEMPLATE.encode()})
    assert list(keeper.look().catalogue.templates) == ["other"]
    web.files["/catalogue.tar.gz"] = b"<html>Sign in</html>"
    broken = keeper.look()
    assert list(broken.catalogue.templates) == ["other"]
    assert "not a .tar.gz or .zip" in broken.catalogue.problems[0].message
    web.files.clear()
    assert "404" in keeper.look().catalogue.problems[0].message


def test_an_archive_by_its_hash_and_never_by_a_redirect(web: Web, tmp_path: Path) -> None:
    web.files["/catalogue.tar.gz"] = tar(dict(FILES))
    with pytest.raises(InvalidInput, match="sha256"):
        fetcher(
            ArchiveSource(kind="archive", name="a", url=f"{web.url}/catalogue.tar.gz", sha256="0" * 64), tmp_path
        ).fetch()
    with pytest.raises(Unavailable, match="302"):
        fetcher(ArchiveSource(kind="archive", name="a", url=f"{web.url}/redirect"), tmp_path).fetch()


def link(kind: bytes, name: str, target: str = "/etc/passwd") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar({"../evil.yaml": b"x"}), "leaves it"),
        (tar({"/etc/evil.yaml": b"x"}), "leaves it"),
        (tar({"a/../../evil.yaml": b"x"}), "leaves it"),
        (zipped({"../evil.yaml": b"x"}), "leaves it"),
        (zipped({"a\\..\\evil.yaml": b"x"}), "leaves it"),
        (tar({"l": link(tarfile.SYMTYPE, "l")}), "link or a device"),
        (tar({"l": link(tarfile.LNKTYPE, "l")}), "link or a device"),
        (tar({"l": link(tarfile.CHRTYPE, "l")}), "link or a device"),
        (tar({"l": link(tarfile.FIFOTYPE, "l")}), "link or a device"),
        (zipped({"l": b"/etc/passwd"}, 0o120777), "link or a device"),
        (tar({"bomb.yaml": b"\0" * (129 * 1024 * 1024)}), "128 MiB when unpacked"),
        (zipped({"bomb.yaml": b"\0" * (129 * 1024 * 1024)}), "128 MiB when unpacked"),
        (tar({f"{number}.yaml": b"" for number in range(10_002)}), "more than 10000 files"),
        (tar({"a": b"x", "a/b": b"y"}), "can be unpacked"),
        (tar(dict(FILES))[:-40], "can be unpacked"),
        (b"", "can be unpacked"),
        (b"PK\x03\x04nonsense", "can be unpacked"),
        (
            zipped({"a": b"x" * 99}, method=zipfile.ZIP_LZMA).replace(b"\x05\x00\x5d", b"\x05\x00\xff"),
            "can be unpacked",
        ),
        (zipped({"é": b"x"}).replace("é".encode(), b"\xff\xff"), "can be unpacked"),
    ],
)
def test_what_an_archive_may_not_hold(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        unpack(content, tmp_path / "new", "x")
    assert {path.name for path in tmp_path.iterdir()} <= {"new"}


def test_a_folder_is_followed(tmp_path: Path) -> None:
    folder = dashboard(tmp_path / "catalogue")
    keeper = Keeper([FolderSource(kind="folder", name="here", path=folder)], tmp_path / "cache")
    first = keeper.look()
    assert keeper.look() is first
    write(folder, {"tosca-templates/docker/missing.yaml": TEMPLATE})
    second = keeper.look()
    assert second is not first
    assert second.catalogue.problems == []
    folder.rename(tmp_path / "away")
    assert "cannot be read" in keeper.look().catalogue.problems[0].message


def test_a_cache_that_cannot_be_written_costs_only_what_is_fetched(web: Web, tmp_path: Path) -> None:
    repository(web)
    write(tmp_path, {"cache": "a file"})
    sources = [GitSource(kind="git", name="infn", url=f"{web.url}/git/catalogue/.git")]
    found = Keeper(sources, tmp_path / "cache", own_root()).look().catalogue
    assert "docker/run_docker" in found.templates
    assert "catalogue.cache" in found.problems[0].message


def test_a_source_that_breaks_costs_only_itself(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rude = GitSource(kind="git", name="rude", url=f"{web.url}/rude/x.git")
    good = FolderSource(kind="folder", name="good", path=dashboard(tmp_path / "catalogue"))
    found = Keeper([rude, good], tmp_path / "cache").look().catalogue
    assert "docker/engine" in found.templates
    assert [problem.source for problem in found.problems] == ["rude", "good"]
    assert "403" in found.problems[0].message

    monkeypatch.setenv("https_proxy", "nonsense://127.0.0.1")  # nothing of ours foresees this
    lost = ArchiveSource(kind="archive", name="lost", url=f"{web.url}/catalogue.tar.gz")
    found = Keeper([lost, good], tmp_path / "cache").look().catalogue
    assert "docker/engine" in found.templates
    assert "ValueError" in found.problems[0].message


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    folder = dashboard(tmp_path / "catalogue")
    (folder / os.fsdecode(b"tosca-templates/\xff.yaml")).write_text(TEMPLATE)
    found = Keeper([FolderSource(kind="folder", name="here", path=folder)], tmp_path / "cache").look().catalogue
    assert list(found.templates) == ["docker/engine"]
    assert any("not UTF-8" in problem.message for problem in found.problems)
    assert all(problem.model_dump_json() for problem in found.problems)


def test_what_cannot_be_put_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path, {"kept/a": "old"})
    with pytest.raises(FileNotFoundError):
        put(tmp_path / "missing", tmp_path / "kept", tmp_path / "aside")
    assert (tmp_path / "kept/a").read_text() == "old"
    write(tmp_path, {"new/a": "new"})
    put(tmp_path / "new", tmp_path / "kept", tmp_path / "aside")
    assert ((tmp_path / "kept/a").read_text(), (tmp_path / "aside/a").read_text()) == ("new", "old")
