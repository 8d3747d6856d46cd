"""Our magics in notebooks. ``etc/ipython/ipython_config.py`` loads them in every kernel of a server of the platform.

Loading is cheap: what it works with is imported at its first use.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from naas_server.magics import healthchecks

COMMANDS = ("status", "usage", "ls", "share", "retry")


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext naas_server.magics`` calls (https://ipython.readthedocs.io, "IPython extensions")."""
    for magic in (storage, cvmfs, image):
        shell.register_magic_function(magic, "line", magic.__name__)
    shell.set_hook("complete_command", _complete, str_key="%storage")
    shell.set_hook("complete_command", _words("list", "image"), str_key="%cvmfs")
    registries = _words("registries", "list", "tags", "login", "logout", "push", "pull")
    shell.set_hook("complete_command", registries, str_key="%image")
    healthchecks.install(shell)


def storage(line: str) -> Any:
    """Your cloud storage.

    %storage                           how the folders and uploads are (the same as `status`)
    %storage usage                     how much of your space is used
    %storage ls [PATH]                 what is in the store; without PATH: your buckets
    %storage share PATH [--expires 1h] a link that downloads a file, for whoever has it, until it expires
    %storage retry                     send what could not be uploaded again now

    PATH is a path below cloud-storage, or bucket/key. Put one with spaces in quotes. Lives: 90s, 30m, 2h, 1d.
    The answer is an object: `link = %storage share cloud-storage/alice/a.csv --expires 30m`, then `link.url`.
    """
    return _run("commands", line)


def cvmfs(line: str) -> Any:
    """Software from CVMFS.

    %cvmfs             the repositories chosen for this server, and whether they are there (the same as `list`)
    %cvmfs image NAME  the apptainer line for an unpacked image, and whether it is published yet

    NAME is an image's name: python:3.12, or harbor.example.org/unpacked/analysis:1.
    The answer is an object: `image = %cvmfs image python:3.12`, then `image.path` (None while it is not published).
    """
    return _run("cvmfs", line)


def image(line: str) -> Any:
    """Container images of the site's registries.

    %image                              the registries, and how you are known there (the same as `registries`)
    %image list [TEXT]                  images whose name has the text
    %image tags NAME                    tags of an image, with size, date and what a scan found
    %image login [REGISTRY] [--user U]  keep your login (at Harbor: the CLI secret); the secret is asked for
    %image logout [REGISTRY]            forget it
    %image push PROJECT/NAME:TAG        the lines that tag and push an image of your own computer
    %image pull NAME                    the lines for docker, podman and apptainer

    The answer is an object: `lines = %image pull python:3.12`, then `lines.commands`.
    """
    return _run("image", line)


def _run(module: str, line: str) -> Any:
    """Have a module of ours do what a line says."""
    from IPython.core.error import UsageError
    from naas_client.errors import NaasError

    try:
        return import_module(f"{__name__}.{module}").run(line)
    except NaasError as error:
        raise UsageError(error.message) from None  # shown as one line, without a traceback


def _words(*commands: str) -> Callable[[Any, Any], list[str]]:
    """A completer that offers the commands of a magic as its first word."""

    def complete(_shell: Any, event: Any) -> list[str]:
        words = event.line[: len(event.line) - len(event.symbol)].split()
        return list(commands) if len(words) == 1 else []

    return complete


def _complete(_shell: Any, event: Any) -> list[str]:
    """Words that may come next: the commands, then one's folders."""
    words = event.line[: len(event.line) - len(event.symbol)].split()
    if len(words) == 1:
        return list(COMMANDS)
    if words[1:2] in (["ls"], ["share"]) and len(words) == 2:
        import naas_storage
        from naas_client.errors import NaasError

        try:
            return [f"cloud-storage/{name}/" for name in naas_storage.folders()]
        except NaasError:
            return []
    return ["--expires"] if words[1:2] == ["share"] and len(words) == 3 else []
