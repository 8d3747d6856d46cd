"""Throw generated requests at both sockets of the mount helper. Run as root in a mount namespace of its own, with an empty folder:

    python fuzz_helper.py FOLDER EXAMPLES

Ends with an assertion (Hypothesis shows the smallest request that does it) or prints what it has done.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naas_client.sockets import connect
from naas_storage.mounts import kernel, server
from naas_storage.mounts.core import Mounts
from naas_storage.mounts.published import Name, Server

ALICE = 39000
OFFERED = ("alice", "scratch")
LIMIT = 20

verbs = st.sampled_from(["mount", "umount", "tune", "MOUNT", "mount ", "", "publish", "shutdown"])
names = st.one_of(
    st.sampled_from([*OFFERED, "bob", "..", ".", "/", "/etc", "alice/..", "alice/../alice", "alice\0", "s3", "ctl/s"]),
    st.text(max_size=60),
)
separators = st.sampled_from([" ", "  ", "\t", "\n", "\0", ",", ""])
ends = st.sampled_from(["\n", "", "\r\n", " \n", "\nmount bob\n"])
requests = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([f"{verb} {name}\n".encode() for verb in ("mount", "umount", "tune") for name in OFFERED]),
    st.builds(lambda *parts: "".join(parts).encode(errors="surrogatepass"), verbs, separators, names, ends),
)

plain = st.one_of(st.none(), st.booleans(), st.integers(-1, 2**33), st.floats(allow_nan=False), st.text(max_size=70))
documents = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner), max_leaves=8
)
folders = st.lists(
    st.one_of(documents, st.fixed_dictionaries({"name": names}, optional={"read_only": documents, "options": plain})),
    max_size=30,
)
good = {
    "op": st.just("publish"),
    "key": st.from_regex(r"[a-z][a-z0-9]{0,9}(\.[a-z0-9]{1,9})?", fullmatch=True),
    "names": st.lists(st.builds(lambda n: {"name": f"n{n}"}, st.integers(0, 99)), max_size=4),
    "uid": st.integers(1000, 2**32 - 2),
    "gid": st.integers(1, 2**32 - 2),
}
bad = {
    "op": st.sampled_from(["unpublish", "mount"]) | plain.filter(lambda op: op != "shutdown"),
    "key": names | st.from_regex(r"[a-z0-9.-]{1,70}", fullmatch=True) | documents,
    "names": folders | documents,
    "uid": documents,
    "gid": documents,
    "options": documents,
}
publications = st.builds(
    lambda as_is, document, change: document if as_is else {**document, **change},
    st.booleans(),
    st.fixed_dictionaries(good),
    st.one_of([st.fixed_dictionaries({field: values}) for field, values in bad.items()]),
)


class Caller:
    """A process of the person's own, for the kernel tells the helper who calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            with contextlib.suppress(BaseException):
                self._serve(theirs)
            os._exit(0)
        theirs.close()

    def _serve(self, channel: socket.socket) -> None:
        os.setgroups([])
        os.setresgid(ALICE, ALICE, ALICE)
        os.setresuid(ALICE, ALICE, ALICE)
        os.chdir(self.folder)
        while request := channel.recv(1000):
            with socket.socket(socket.AF_UNIX) as helper:
                helper.settimeout(LIMIT)
                helper.connect("s")
                with contextlib.suppress(BrokenPipeError):
                    helper.sendall(request[1:])
                    helper.shutdown(socket.SHUT_WR)
                answer, descriptors, _, _ = socket.recv_fds(helper, 1000, 4)
            for descriptor in descriptors:
                os.close(descriptor)
            channel.send(bytes([len(descriptors)]) + answer)

    def ask(self, request: bytes) -> tuple[str, int]:
        """The helper's answer, and how many descriptors came with it."""
        self.channel.send(b"!" + request)  # an empty message would be the end
        answer = self.channel.recv(2000)
        return answer[1:].decode(), answer[0]

    def close(self) -> None:
        self.channel.close()
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def helper(base: Path) -> Iterator[tuple[Mounts, Path]]:
    """The helper's own parts, but for its pause after many requests."""
    server.BURST = 2**20
    mounts = Mounts(base / "mounts")
    control = server.ControlSocket(mounts, base / "control.sock")
    thread = threading.Thread(target=control.serve)
    thread.start()
    try:
        yield mounts, control.path
    finally:
        control.end()
        thread.join()
        mounts.unpublish_all()


def control(path: Path, request: object) -> dict[str, Any]:
    with connect(path, LIMIT) as channel:
        channel.sendall(json.dumps(request).encode() + b"\n")
        with channel.makefile() as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
    return answer


def main(base: Path, examples: int) -> None:
    seen: collections.Counter[str] = collections.Counter()
    rules = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    with helper(base) as (mounts, socket_path):
        alice = Server(key="alice", names=[Name(name=name) for name in OFFERED], uid=ALICE, gid=ALICE)
        answer = control(socket_path, {"op": "publish", **alice.model_dump()})
        view = Path(answer["view"])
        caller = Caller(Path(answer["control"]).parent)
        allowed = {str(view), str(mounts.control("alice")), *(str(view / name) for name in OFFERED)}

        @rules
        @given(requests)
        def agents(request: bytes) -> None:
            said, descriptors = caller.ask(request)
            line = request.partition(b"\n")[0].strip().decode(errors="replace")
            assert said in ("", "ok\n") or said.startswith("error: "), said
            assert "internal error" not in said
            if descriptors:
                assert (said, descriptors) == ("ok\n", 1)
                assert line in {f"mount {name}" for name in OFFERED}
            assert {mounted.path for mounted in kernel.mounts_below(mounts.base)} <= allowed
            assert set(mounts.servers) == {"alice"}
            seen["mounted" if descriptors else "ok" if said == "ok\n" else "refused" if said else "empty"] += 1

        @rules
        @given(st.one_of(publications, documents))
        def hubs(request: object) -> None:
            answer = control(socket_path, request)
            assert isinstance(answer, dict)
            assert "internal error" not in answer.get("error", "")
            for key, published in mounts.servers.items():
                assert Server.model_validate(published.model_dump()) == published
                assert mounts.view(key).parent.parent == mounts.base
            there = {entry.name for entry in mounts.base.iterdir()} - {".state.json"}
            assert there == set(mounts.servers)
            seen["published" if "view" in answer else "control refused" if "error" in answer else "control ok"] += 1
            for key in set(mounts.servers) - {"alice"}:
                control(socket_path, {"op": "unpublish", "key": key})

        try:
            agents()
            control(socket_path, {"op": "unpublish", "key": "alice"})
            hubs()
        finally:
            caller.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
