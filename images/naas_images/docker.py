"""The few commands of the Docker client that we use, so that any engine works and no library is needed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class BuildFailed(Exception):
    """Something did not work; the text says what, and what to do."""


def docker(*argv: str, text: str | None = None) -> str:
    """Run one command of the client and return what it prints. Raises BuildFailed with its own words."""
    done = subprocess.run(["docker", *argv], input=text, capture_output=True, text=True)
    if done.returncode:
        raise BuildFailed(f"docker {argv[0]}: {_last_lines(done.stderr)}")
    return done.stdout


def check_engine() -> None:
    """Raise BuildFailed when there is no engine to build with."""
    try:
        docker("info", "--format", "{{.ServerVersion}}")
    except FileNotFoundError:
        raise BuildFailed("The command docker is missing. Install it (Debian: apt-get install docker.io).") from None
    except BuildFailed as error:
        raise BuildFailed(f"No Docker engine answers. Start one, or set DOCKER_HOST. ({error})") from None


def inspect(image: str) -> dict[str, Any] | None:
    """What the engine knows of an image; None when it does not have it."""
    try:
        found: list[dict[str, Any]] = json.loads(docker("image", "inspect", image))
    except BuildFailed as error:
        if "No such image" in str(error):
            return None
        raise
    return found[0]


def build(context: Path, tag: str, arguments: dict[str, str], labels: dict[str, str], *, fresh: bool) -> None:
    """Build a folder into an image; what the engine prints is kept beside it and shown only when it fails."""
    argv = ["docker", "build", "--tag", tag]
    argv += [f"--build-arg={name}={value}" for name, value in sorted(arguments.items())]
    argv += [f"--label={name}={value}" for name, value in sorted(labels.items())]
    argv += ["--no-cache"] if fresh else []
    done = subprocess.run([*argv, str(context)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise BuildFailed(f"{tag} was not built:\n{_last_lines(done.stdout, 30)}")


def _last_lines(text: str, count: int = 3) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
