"""Debian's `docker-registry` as a process of a test, with people who have passwords there; and images to put into it."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import gzip
import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml
from naas_local.parts import PartSpec, RestartablePart
from naas_local.ports import free_port

_crypt = ctypes.CDLL("libcrypt.so.1").crypt
_crypt.restype = ctypes.c_char_p


class DockerRegistry(RestartablePart):
    """A registry that listens on loopback."""

    def __init__(self, folder: Path, port: int, people: Mapping[str, str] | None) -> None:
        self.host, self.folder = f"127.0.0.1:{port}", folder
        self.passwords = folder / "htpasswd"
        settings: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "store")}, "delete": {"enabled": True}},
            "http": {"addr": self.host, "secret": secrets.token_hex(16)},
        }
        if people is not None:
            self.admit(people)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(self.passwords)}}
        config = folder / "config.yml"
        config.write_text(yaml.safe_dump(settings))
        program = shutil.which("docker-registry")
        assert program, "no docker-registry: tools/system-packages.sh --no-service docker-registry"
        url = f"http://{self.host}"
        super().__init__(
            PartSpec("registry", (program, "serve", str(config)), ready=f"{url}/v2/", url=url), folder / "registry.log"
        )

    def admit(self, people: Mapping[str, str]) -> None:
        """Who may come in from now on, with which passwords; the registry reads its file again when the time of change is another."""
        lines = [f"{name}:{_crypt(password.encode(), _salt()).decode()}\n" for name, password in people.items()]
        before = self.passwords.stat().st_mtime_ns if self.passwords.exists() else 0
        self.passwords.write_text("".join(lines))
        os.utime(self.passwords, ns=(before + 10**9, before + 10**9))

    def put(self, repository: str, *tags: str, login: tuple[str, str] | None = None, text: str = "") -> None:
        """An image with one small layer, by the registry's API: no engine is needed for it."""
        with httpx.Client(base_url=f"{self.url}/v2/{repository}/", auth=login, trust_env=False) as client:
            plain = _layer(text or repository)
            layer = gzip.compress(plain)
            created = {"created": "2026-11-09T08:00:00.123456789Z", "architecture": "amd64", "os": "linux"}
            rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]}
            config = json.dumps({**created, "config": {}, "rootfs": rootfs}).encode()
            manifest = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": _blob(client, config, "application/vnd.docker.container.image.v1+json"),
                "layers": [_blob(client, layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
            }
            for tag in tags:
                answer = client.put(
                    f"manifests/{tag}", content=json.dumps(manifest), headers={"Content-Type": manifest["mediaType"]}
                )
                assert answer.status_code == 201, answer.text


def _salt() -> bytes:
    return b"$2y$05$" + base64.b64encode(os.urandom(16), b"./")[:22]


def _layer(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("greeting.txt")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def _blob(client: httpx.Client, content: bytes, kind: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    begun = client.post("blobs/uploads/")
    assert begun.status_code == 202, begun.text
    place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
    done = client.put(place, content=content)
    assert done.status_code == 201, done.text
    return {"mediaType": kind, "digest": digest, "size": len(content)}


@contextlib.contextmanager
def docker_registry(folder: Path, people: Mapping[str, str] | None = None) -> Iterator[DockerRegistry]:
    """The registry for the length of the block. Parameters: ``people``, user name → password; None: open to everybody."""
    folder.mkdir(parents=True, exist_ok=True)
    running = DockerRegistry(folder, free_port(), people)
    try:
        running.start()
        yield running
    finally:
        running.stop()
