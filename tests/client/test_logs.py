"""Log lines: JSON, with the request id, bounded, and without tokens."""

from __future__ import annotations

import json
import logging

import pytest
from naas_client.logs import LONGEST_MESSAGE, JsonFormatter, new_request_id, redact, request_id

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


def line(message: str, *arguments: object) -> dict[str, str]:
    record = logging.LogRecord("naas", logging.INFO, __file__, 1, message, arguments, None)
    document: dict[str, str] = json.loads(JsonFormatter("gateway").format(record))
    return document


@pytest.mark.parametrize(
    "text",
    [
        f"got {JWT} from IAM",
        "Authorization: Bearer abcdef0123456789",
        "Authorization: token abcdef0123456789",
        "POST /token refresh_token=abcdef0123456789&x=1",
        "client_secret=abcdef0123456789",
        "/lab?token=abcdef0123456789",
        "/hub/oauth_callback?code=abcdef0123456789&state=x",
        "https://store/alice/x?X-Amz-Signature=abcdef0123456789",
    ],
)
def test_tokens_are_redacted(text: str) -> None:
    redacted = redact(text)
    assert "abcdef0123456789" not in redacted
    assert JWT not in redacted
    assert "[redacted]" in redacted


def test_ordinary_text_is_left_alone() -> None:
    text = "alice started a server with token audience object"
    assert redact(text) == text


def test_a_line_names_part_and_request() -> None:
    token = request_id.set("0123456789abcdef")
    try:
        assert line("hello %s", "alice") | {"at": ""} == {
            "at": "", "level": "info", "part": "gateway", "logger": "naas", "message": "hello alice", "request_id": "0123456789abcdef",
        }  # fmt: skip
    finally:
        request_id.reset(token)


def test_a_hostile_name_cannot_fill_the_disk() -> None:
    assert len(line("%s", "x" * 10_000_000)["message"]) == LONGEST_MESSAGE


@pytest.mark.parametrize("given", ["", None, "x", "../../etc", "a" * 65, "<b>", "id\nid-id-id"])
def test_a_malformed_request_id_is_replaced(given: str | None) -> None:
    assert len(new_request_id(given)) == 16
    assert new_request_id("01234567-89ab") == "01234567-89ab"
