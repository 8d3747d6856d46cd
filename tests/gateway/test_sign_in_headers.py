"""Which headers pass the sign-in proxy: nothing from outside names a person, and no length is read in two ways."""

from __future__ import annotations

import pytest
from naas_client.errors import InvalidInput
from naas_client.sign_in import SignInSection
from naas_gateway.sign_in_proxy.headers import (
    Headers,
    Visitor,
    address_of,
    check_framing,
    folded,
    for_application,
    for_browser,
)

SETTINGS = SignInSection(public_url="https://checks.example.org", upstream="http://127.0.0.1:8187")
ALICE = Visitor("192.0.2.7", "alice@example.org")
NOBODY = Visitor("192.0.2.7")


def sent(headers: Headers, visitor: Visitor = NOBODY) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in for_application(headers, SETTINGS, visitor, None):
        found.setdefault(folded(name), []).append(value)
    return found


@pytest.mark.parametrize(
    "name",
    [
        *(
            b"X-Remote-Email",
            b"x-remote-email",
            b"X_Remote_Email",
            b"x_remote-email",
            b"X.Remote.Email",
            b"x-remote_email",
        ),
        *(b"X!Remote~Email", b"X-REMOTE-EMAIL", b"x'remote*email"),
    ],
)
@pytest.mark.parametrize("visitor", [ALICE, NOBODY])
def test_a_person_is_named_by_nobody_else(name: bytes, visitor: Visitor) -> None:
    headers = [(name, b"dana@example.org"), (b"x-remote-email", b"dana@example.org"), (name, b"root@example.org")]
    expected = [visitor.email.encode()] if visitor.email else []
    assert sent(headers, visitor).get(b"X_REMOTE_EMAIL", []) == expected


@pytest.mark.parametrize("value", [b"X-Remote-Email", b"close, x-remote-email", b"X-Remote-Email, Host, Cookie"])
def test_connection_takes_away_nothing_that_we_say(value: bytes) -> None:
    found = sent([(b"connection", value), (b"connection", b"x-forwarded-proto")], ALICE)
    assert found[b"X_REMOTE_EMAIL"] == [b"alice@example.org"]
    assert found[b"HOST"] == [b"checks.example.org"]
    assert found[b"X_FORWARDED_PROTO"] == [b"https"]
    assert found[b"CONNECTION"] == [b"close"]


def test_what_connection_names_stays_here() -> None:
    found = sent([(b"connection", b"keep-alive, X-Hop"), (b"x-hop", b"1"), (b"te", b"trailers"), (b"x-end", b"2")])
    assert b"X_HOP" not in found
    assert b"TE" not in found
    assert found[b"X_END"] == [b"2"]


def test_where_a_request_came_from_is_said_here_alone() -> None:
    outside = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"http")]
    outside += [(b"x-forwarded-for", b"10.0.0.1"), (b"forwarded", b"host=evil.example"), (b"x-forwarded-prefix", b"/x")]
    found = sent(outside)
    assert found[b"HOST"] == found[b"X_FORWARDED_HOST"] == [b"checks.example.org"]
    assert found[b"X_FORWARDED_PROTO"] == [b"https"]
    assert found[b"X_FORWARDED_FOR"] == [b"192.0.2.7"]
    assert not {b"FORWARDED", b"X_FORWARDED_PREFIX"} & set(found)


def test_cookies_of_other_servers_of_the_host_stay_with_them() -> None:
    cookies = (
        b"csrftoken=c1; jupyterhub-session-id=s; naas-sign-in=t; _xsrf=x; sessionid=a=b ;SESSIONID=no; xsessionid=no"
    )
    headers = [(b"cookie", cookies), (b"cookie", b"messages=m")]
    assert sent(headers, ALICE)[b"COOKIE"] == [b"csrftoken=c1; sessionid=a=b; messages=m"]
    assert b"COOKIE" not in sent(headers, NOBODY)


def test_cookies_of_an_answer_are_the_applications_own_and_of_this_host() -> None:
    answer = [
        (b"Set-Cookie", b"sessionid=1; Domain=.example.org; Path=/; Secure"),
        (b"Set-Cookie", b"jupyterhub-session-id=evil"),
        (b"Set-Cookie", b" __Host-naas-sign-in=evil"),
        (b"Set-Cookie", b"csrftoken=2; path=/;DOMAIN=example.org"),
        (b"Connection", b"X-Private"),
        (b"X-Private", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Content-Length", b"3"),
    ]
    assert for_browser(answer, SETTINGS) == [
        (b"set-cookie", b"sessionid=1; Path=/; Secure"),
        (b"set-cookie", b"csrftoken=2; path=/"),
        (b"content-length", b"3"),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"transfer-encoding", b"xchunked")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"content-length", b"5"), (b"content-length", b"5")],
    ],
)
def test_a_length_in_two_ways_is_refused(headers: Headers) -> None:
    with pytest.raises(InvalidInput):
        check_framing(headers)


def test_one_length_is_fine() -> None:
    for headers in ([], [(b"content-length", b"5")], [(b"Transfer-Encoding", b"Chunked")]):
        check_framing(headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", b"10.9.8.7, 192.0.2.1", "192.0.2.1"),
        ("::1", b"2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", b"nonsense", "127.0.0.1"),
        ("192.0.2.9", b"10.9.8.7", "192.0.2.9"),
    ],
)
def test_only_a_proxy_on_this_machine_is_believed_where_a_request_came_from(
    peer: str, forwarded: bytes, address: str
) -> None:
    assert address_of(peer, [(b"x-forwarded-for", forwarded)]) == address
