"""``%storage``, ``%healthchecks`` and ``%%healthcheck`` in notebooks, in every kernel of a server of the platform.

``etc/ipython/ipython_config.py`` loads it.

Loading is cheap: what it works with is imported at its first use.
"""

from __future__ import annotations

from typing import Any

from naas_server.magics import healthchecks

COMMANDS = ("status", "usage", "ls", "share", "retry")


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext naas_server.magics`` calls (https://ipython.readthedocs.io, "IPython extensions")."""
    shell.register_magic_function(storage, "line", "storage")
    shell.set_hook("complete_command", _complete, str_key="%storage")
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
    from IPython.core.error import UsageError
    from naas_client.errors import NaasError

    from naas_server.magics.commands import run

    try:
        return run(line)
    except NaasError as error:
        raise UsageError(error.message) from None  # shown as one line, without a traceback


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
