"""A git repository, by the git program: shallow, https only, no hooks, no submodules, no links."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from naas_client.catalogue import GitSource
from naas_client.errors import Unavailable

from naas_catalogue.catalogue import Root
from naas_catalogue.sources.base import DEADLINE, put

MAX_FILE = 64 * 1024 * 1024
"""Bytes of the largest file that git may write, its pack included."""

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
    "credential.helper": "",
    "transfer.fsckObjects": "true",
}
_KEPT = ("PATH", "LANG", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "GIT_SSL_CAINFO", "SSL_CERT_FILE")


class Git:
    """Clones of a branch or tag.

    Parameters: ``cache``, folder in which the clone is kept.
    """

    def __init__(self, source: GitSource, cache: Path) -> None:
        self._source = source
        self._cache = cache

    def version(self) -> str:
        """The commit that the branch or tag names now."""
        self._cache.mkdir(parents=True, exist_ok=True)
        answer = self._git(["ls-remote", "--exit-code", "--", self._source.url, self._source.ref])
        return answer.split()[0]

    def fetch(self) -> Root:
        """A clone in the cache, whole or not at all."""
        self._cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{self._source.name}.", dir=self._cache))
        try:
            branch = [] if self._source.ref == "HEAD" else ["--branch", self._source.ref]
            options = ["--quiet", "--depth=1", "--single-branch", "--no-tags", "--no-recurse-submodules", "--template="]
            self._git(["clone", *options, *branch, "--", self._source.url, str(fresh / "new")])
            shutil.rmtree(fresh / "new" / ".git")
            target = self._cache / self._source.name
            put(fresh / "new", target, fresh / "old")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return Root(self._source.name, target / self._source.folder)

    def _git(self, arguments: list[str]) -> str:
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "HOME": str(self._cache),
        }
        if "SSL_CERT_FILE" in environment:
            environment.setdefault("GIT_SSL_CAINFO", environment["SSL_CERT_FILE"])
        argv = ["prlimit", f"--fsize={MAX_FILE}", "git", *settings, *arguments]
        try:
            done = subprocess.run(
                argv,
                cwd=self._cache,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                errors="replace",  # it repeats what the server says
                timeout=DEADLINE,
                check=False,
            )
        except FileNotFoundError:
            raise Unavailable("git is not installed. Run `apt install git util-linux`.", code="no-git") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"Catalogue source {self._source.name}: {self._source.url} did not answer in {DEADLINE:.0f} s."
            ) from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"git ended with {done.returncode}"]
            raise Unavailable(f"Catalogue source {self._source.name}: {lines[-1][:300]}")
        return done.stdout
