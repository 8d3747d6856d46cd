"""The life of a forked child: read the task, become the person, run the server or the agent. It never returns."""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import shutil
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from naas_client import homes
from naas_client.jupyter import short_runtime_dir
from naas_client.processes import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, prctl

from naas_spawner.launcher import preload
from naas_spawner.launcher.processes import MARK, started_at
from naas_spawner.launcher.protocol import LONGEST_LINE, Start, Task, explain

TASK_LIMIT = 10.0
"""Seconds for the hub to send the second line."""


def run(start: Start, mark: str, connection: socket.socket) -> None:
    """Do what was asked, from inside the fork; answers on the connection and ends the process.

    Parameters: ``mark``, what the process and all that it starts carry in their environment.
    """
    code = 1
    try:
        try:
            task = _receive(connection)
            _become(start, task)
            _settle(task, mark)
        except (OSError, ValueError) as error:
            reason = explain(error) if isinstance(error, ValueError) else str(error)
            sentence = f"{start.kind} {start.key} was not started: {reason[:400]}"
            _answer(connection, {"error": sentence, "child": True})
            return
        _answer(connection, {"pid": os.getpid(), "started": started_at(os.getpid())})
        code = _main(start, task)
    except BaseException:  # the last frame of this process: everything is reported, nothing unwinds into the launcher
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(connection: socket.socket, document: dict[str, object]) -> None:
    connection.sendall(json.dumps(document).encode() + b"\n")
    connection.close()


def _receive(connection: socket.socket) -> Task:
    connection.settimeout(TASK_LIMIT)
    with connection.makefile("rb") as lines:
        return Task.model_validate_json(lines.readline(LONGEST_LINE))


def _become(start: Start, task: Task) -> None:
    """Drop every privilege of the launcher, for good."""
    os.setsid()
    if start.uid is not None:
        if task.gid is None or task.gid <= 0:
            raise ValueError("a start with a uid needs a gid above 0")
        os.setgroups(task.groups)
        os.setresgid(task.gid, task.gid, task.gid)
        os.setresuid(start.uid, start.uid, start.uid)
        # Not as one's own user on a laptop: there fusermount3 and sudo are wanted, and both are setuid programs.
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        # setuid(2) hides /proc/self from its own process; children would close descriptors one by one, up to the limit.
        prctl(PR_SET_DUMPABLE, 1)
    # Who shares a folder by a Unix group shares what is made in it; a person's own group has no other member.
    os.umask(0o007 if start.uid is not None and task.groups else 0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _settle(task: Task, mark: str) -> None:
    """Environment, folders, output: all of it as the person, so nobody else's links or files can be reached."""
    os.environ.clear()
    os.environ.update(task.env)
    os.environ[MARK] = mark
    output = _open_log(task.log)
    silence = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((silence, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(silence)
    place = Path(task.home)
    homes.fill(place, task.first_folders, Path(task.examples) if task.examples else None)
    homes.link(place, task.links, task.withdrawn)
    os.chdir(task.cwd)
    for name, text in task.files.items():
        homes.write(Path(name), text)
    random.seed()


def _open_log(path: str) -> int:
    """The log for appending; nothing is logged when the person put something else in its place."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _main(start: Start, task: Task) -> int:
    if start.kind == "agent":
        return _call(lambda: importlib.import_module(preload.AGENT).main(task.argv))
    os.chdir(task.home)
    runtime = short_runtime_dir(os.environ.get("JUPYTER_RUNTIME_DIR", ""))
    try:
        sys.argv = ["jupyterhub-singleuser", *task.argv]
        return _call(importlib.import_module(preload.SERVER).main)
    finally:
        if runtime:
            shutil.rmtree(runtime, ignore_errors=True)


def _call(main: Callable[[], Any]) -> int:
    try:
        result = main()
    except SystemExit as end:
        result = end.code
    if isinstance(result, str):
        sys.stderr.write(f"{result}\n")
        return 1
    return int(result or 0)
