"""What the hub reads from a socket that a person owns is hostile input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time

import pytest
from naas_client.errors import Unavailable
from naas_client.models import FolderState
from naas_client.sockets import listen
from naas_storage.agent.reasons import store_error, upload_sentence
from naas_storage.client import AgentClient


def answering(path, *answers: bytes):
    """A socket that gives each caller the next of these answers and closes."""
    server = listen(path)

    def serve() -> None:
        for answer in answers:
            caller, _ = server.accept()
            with caller, contextlib.suppress(BrokenPipeError):
                caller.recv(100)
                caller.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server


@pytest.mark.parametrize(
    "answer",
    [b"", b"\n", b"{}\n", b"null\n", b"not json\n", b"\xff\xfe\n", b"[" * 50_000 + b"\n"],
    ids=["nothing", "an-empty-line", "no-fields", "null", "not-json", "not-utf-8", "deep"],
)
def test_an_answer_that_is_no_status_is_an_error_of_ours(tmp_path, answer):
    with answering(tmp_path / "agent.sock", answer), pytest.raises(Unavailable) as caught:
        asyncio.run(AgentClient(tmp_path / "agent.sock").status())
    assert caught.value.code == "no-agent"


def test_an_endless_line_is_cut(tmp_path):
    with answering(tmp_path / "agent.sock", b"x" * 3_000_000), pytest.raises(Unavailable):
        asyncio.run(AgentClient(tmp_path / "agent.sock").status())


def test_a_silent_agent_is_given_up(tmp_path):
    with listen(tmp_path / "agent.sock"), pytest.raises(Unavailable, match=r"within 0\.2 s"):
        asyncio.run(AgentClient(tmp_path / "agent.sock", timeout=0.2).status())


def test_a_full_queue_does_not_block_the_hub(tmp_path):
    """Somebody stops the own agent and connects until its queue is full: connect(2) would wait for ever."""
    callers = []
    with listen(tmp_path / "agent.sock", backlog=1):
        for _ in range(3):
            caller = socket.socket(socket.AF_UNIX)
            caller.setblocking(False)
            callers.append(caller)
            caller.connect_ex(str(tmp_path / "agent.sock"))
        began = time.monotonic()
        with pytest.raises(Unavailable):
            asyncio.run(AgentClient(tmp_path / "agent.sock").status())
        assert time.monotonic() - began < 4
    for caller in callers:
        caller.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_link_to_somebody_elses_socket_is_not_followed_into_a_talk(tmp_path):
    """Alice's folder, but the socket in it leads to one of root's: nothing is said there."""
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    os.chown(run, 39000, 39000)
    (run / "agent.sock").symlink_to(other / "root.sock")
    with listen(other / "root.sock"), pytest.raises(Unavailable, match="somebody else listens"):
        asyncio.run(AgentClient(run / "agent.sock").status())


def test_without_an_agent_it_says_so(tmp_path):
    with pytest.raises(Unavailable, match="No such file"):
        asyncio.run(AgentClient(tmp_path / "agent.sock").status())


@pytest.mark.parametrize(
    ("text", "state", "code", "permanent"),
    [
        ("https response error StatusCode: 403, api error AccessDenied: no", FolderState.REFUSED, "AccessDenied", True),
        ("StatusCode: 403, RequestID: , api error QuotaExceeded: Unknown", FolderState.REFUSED, "QuotaExceeded", True),
        ("StatusCode: 403, api error InvalidAccessKeyId: x", FolderState.REFUSED, "InvalidAccessKeyId", True),
        ("StatusCode: 403, something without a code", FolderState.REFUSED, "AccessDenied", True),
        ("StatusCode: 403, api error RequestTimeTooSkewed: x", FolderState.DOWN, "clock-wrong", True),
        ("StatusCode: 404, api error NoSuchBucket: x", FolderState.DOWN, "NoSuchBucket", True),
        ("StatusCode: 503, api error SlowDown: x", FolderState.DOWN, "SlowDown", False),
        (
            "get identity: get credentials: failed to refresh cached credentials",
            FolderState.REFUSED,
            "no-credentials",
            False,
        ),
        ("dial tcp 127.0.0.1:1: connect: connection refused", FolderState.DOWN, "", False),
    ],
)
def test_errors_of_the_store_are_told_apart(text, state, code, permanent):
    error = store_error(text)
    assert (error.state, error.code, error.permanent) == (state, code, permanent)
    assert error.reason.endswith(".")
    assert upload_sentence("x.txt", error).startswith("x.txt is not")
