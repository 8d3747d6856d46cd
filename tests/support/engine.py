"""A Docker engine and the images of the product: started and built when they are not there."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD_LIMIT = 1500


def answers() -> bool:
    """Whether an engine is there."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60).returncode == 0


@functools.cache
def engine() -> None:
    """Have an engine: the machine's, or one of this test run, which ends with it. Fails with the line to type without Debian's packages."""
    with (Path(tempfile.gettempdir()) / "naas-tests-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if answers():
            return
        assert os.geteuid() == 0, "no Docker engine answers, and only root can start one"
        assert shutil.which("dockerd"), "no Docker engine: apt-get install docker.io iproute2"
        log = Path(tempfile.mkdtemp(prefix="naas-engine-")) / "dockerd.log"
        with log.open("w") as output:
            process = subprocess.Popen(["dockerd"], stdout=output, stderr=output, start_new_session=True)

        def end() -> None:
            process.terminate()
            process.wait(60)

        atexit.register(end)
        wait_for(lambda: process.poll() is not None or answers(), f"dockerd answers ({log})")
        assert process.poll() is None, log.read_text()[-2000:]


def main() -> None:
    """Start the engine and build the images beside a test run; the engine ends when standard input does."""
    try:
        engine()
        images("base", "agent", "lab", "hub", "web", "postgres")
    except AssertionError as error:
        print(error, file=sys.stderr)  # the tests that need them say it, too
    sys.stdin.read()


@functools.cache
def images(*names: str) -> None:
    """Have images of this checkout; what is unchanged is not built again."""
    engine()
    argv = [str(REPOSITORY / "images" / "build.sh"), *names]
    built = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=BUILD_LIMIT)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]


if __name__ == "__main__":
    main()
