"""Calls to other services: what is known about a failed one, circuits, bounds, signatures."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from naas_client.errors import Forbidden, Unavailable
from naas_client.models import S3Credentials
from naas_client.settings import IamSection, StorageSection
from naas_gateway.clients import circuit as circuits
from naas_gateway.clients.circuit import FAILURES_TO_OPEN, Circuit
from naas_gateway.clients.http import LARGEST_ANSWER, Answer, NeverSent, NoAnswer, Service
from naas_gateway.clients.iam import Credentials as ClientCredentials
from naas_gateway.clients.iam import Iam
from naas_gateway.clients.s3 import sign
from naas_gateway.clients.sts import Sts
from naas_gateway.services.renewing import RenewingCache

NOWHERE = "http://127.0.0.1:9"
FIRST = ClientCredentials("first", "naas-hub", "secret")


class Behaviour:
    """A server that misbehaves as told; ``seen`` counts the requests that reached it."""

    def __init__(self) -> None:
        self.what, self.seen = "ok", 0
        self.body, self.times = b"{}", 1_000
        """The body of every answer, and how often the server misbehaves."""


@pytest.fixture
def server() -> Iterator[tuple[str, Behaviour]]:
    behaviour = Behaviour()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            behaviour.seen += 1
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if behaviour.what == "hang up":
                return
            if behaviour.what == "hang":
                stop.wait(10)
                return
            status = "200" if behaviour.seen > behaviour.times else behaviour.what
            self.send_response(int(status) if status.isdigit() else 200)
            self.end_headers()
            self.wfile.write(behaviour.body)

        do_GET = do_POST  # noqa: N815

    stop = threading.Event()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", behaviour
    stop.set()
    http.shutdown()
    http.server_close()


@pytest.mark.asyncio
async def test_a_refused_connection_was_never_sent() -> None:
    with pytest.raises(NeverSent, match="Something does not answer"):
        await Service("x", "Something", NOWHERE).request("POST", NOWHERE, repeatable=False)


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["hang up", "hang", "500", "503"])
async def test_a_lost_answer_is_not_known_and_a_consuming_request_is_made_once(
    server: tuple[str, Behaviour], what: str
) -> None:
    url, behaviour = server
    behaviour.what = what
    with pytest.raises(NoAnswer):
        await Service("x", "Something", url, timeout=0.5).request("POST", url, data={"a": "b"}, repeatable=False)
    assert behaviour.seen == 1


@pytest.mark.asyncio
async def test_a_repeatable_request_is_made_twice_at_most(server: tuple[str, Behaviour]) -> None:
    url, behaviour = server
    behaviour.what = "503"
    with pytest.raises(NoAnswer):
        await Service("x", "Something", url).request("GET", url)
    assert behaviour.seen == 2


@pytest.mark.asyncio
async def test_an_answer_is_bounded(server: tuple[str, Behaviour]) -> None:
    url, behaviour = server
    behaviour.body = b"x" * (LARGEST_ANSWER + 1)
    with pytest.raises(NoAnswer):
        await Service("x", "Something", url).request("POST", url, repeatable=False)


@pytest.mark.asyncio
async def test_after_some_failures_calls_are_held_back_and_nothing_is_sent(server: tuple[str, Behaviour]) -> None:
    url, behaviour = server
    behaviour.what = "500"
    service = Service("x", "Something", url)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(NoAnswer):
            await service.request("POST", url, repeatable=False)
    with pytest.raises(NeverSent):
        await service.request("POST", url, repeatable=False)
    assert behaviour.seen == FAILURES_TO_OPEN


def test_a_circuit_lets_one_through_after_a_pause_and_closes_on_success(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(circuits.time, "monotonic", lambda: now[0])
    circuit = Circuit()
    for _ in range(FAILURES_TO_OPEN):
        assert circuit.allows()
        circuit.failed("no")
    assert (circuit.is_open, circuit.allows()) == (True, False)
    now[0] += circuits.FIRST_PAUSE + 0.1
    assert [circuit.allows(), circuit.allows()] == [True, False]
    circuit.failed("still no")
    now[0] += circuits.FIRST_PAUSE + 0.1
    assert not circuit.allows()
    now[0] += circuits.LONGEST_PAUSE
    assert circuit.allows()
    circuit.succeeded()
    assert (circuit.is_open, circuit.allows()) == (False, True)


CREDENTIALS = S3Credentials(
    access_key_id="AKIA1234567890",
    secret_access_key="s/e+c=r~et",
    session_token="session/token+with=signs",
    expires_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    endpoint=NOWHERE,
)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("HEAD", "/alice", {}),
        ("PUT", "/alice", {}),
        ("PUT", "/scratch/alice---0123456789/", {}),
        ("GET", "/alice", {"list-type": "2", "prefix": "a b/ü+&=", "delimiter": "/"}),
    ],
)
def test_signatures_are_botocore_s(
    method: str, path: str, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime(2026, 11, 21, 9, 0, 1, tzinfo=dt.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))
    url = f"http://127.0.0.1:8182{path}"
    theirs = AWSRequest(method=method, url=url, params=query, data=b"")
    theirs.context["payload_signing_enabled"] = True
    given = Credentials(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key, CREDENTIALS.session_token)
    S3SigV4Auth(given, "s3", "us-east-1").add_auth(theirs)
    ours = sign(method, url, query, b"", CREDENTIALS, now)
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]


STS_ANSWER = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>
<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@pytest.mark.asyncio
@pytest.mark.parametrize(("times", "works"), [(2, True), (1_000, False)])
async def test_a_conflict_at_the_token_service_is_asked_again(
    server: tuple[str, Behaviour], times: int, works: bool
) -> None:
    url, behaviour = server
    behaviour.what, behaviour.times, behaviour.body = "409", times, STS_ANSWER
    asked = Sts(StorageSection(url=url)).assume("token", "alice", "arn:aws:iam:::role/one")
    if works:
        assert (await asked).access_key_id
    else:
        with pytest.raises(Unavailable, match="status 409"):
            await asked
    assert behaviour.seen == (3 if works else 5)


@pytest.mark.asyncio
async def test_an_sts_answer_is_read(server: tuple[str, Behaviour]) -> None:
    url, behaviour = server
    behaviour.body = STS_ANSWER
    found = await Sts(StorageSection(url=url)).assume("token", "alice", "arn:aws:iam:::role/one")
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("a", "b", "c")
    assert found.expires_at == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        ("200", b"<html>", Unavailable, "cannot be read"),
        ("200", b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + STS_ANSWER, Unavailable, "cannot be read"),
        ("200", STS_ANSWER.replace(b"2030-01-01T00:00:00Z", b"soon"), Unavailable, "cannot be read"),
        ("200", STS_ANSWER + b" " * 70_000, Unavailable, "cannot be read"),
        ("403", b"<Error/>", Forbidden, "does not accept your identity"),
        ("400", b"<Error/>", Unavailable, "check the storage section"),
    ],
)
async def test_a_bad_sts_answer_is_explained(
    server: tuple[str, Behaviour], status: str, body: bytes, error: type[Exception], words: str
) -> None:
    url, behaviour = server
    behaviour.what, behaviour.body = status, body
    with pytest.raises(error, match=words):
        await Sts(StorageSection(url=url)).assume("token", "alice", "arn:aws:iam:::role/one")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("scope", "sent"), [("openid offline_access", 1), ("openid profile", 2), ("openid offline_access_not", 2)]
)
async def test_an_exchange_for_a_refresh_token_is_not_repeated_after_a_lost_answer(
    server: tuple[str, Behaviour], scope: str, sent: int
) -> None:
    url, behaviour = server
    iam = Iam(IamSection(issuer=url), [FIRST])
    behaviour.body = json.dumps({"issuer": url, "token_endpoint": f"{url}/token"}).encode()
    await iam.ready_to_send()
    behaviour.what, behaviour.seen = "hang up", 0
    with pytest.raises(NoAnswer):
        await iam.exchange("access", FIRST, scope=scope)
    assert behaviour.seen == sent


@pytest.mark.asyncio
async def test_a_renewing_cache_makes_one_at_a_time_and_keeps_the_old_one_when_it_cannot() -> None:
    cache: RenewingCache[tuple[str], int] = RenewingCache(0.5)
    made = []
    life = [1000.0]

    async def make() -> tuple[int, dt.datetime]:
        await asyncio.sleep(0)
        if life[0] == 0:
            raise Unavailable("no")
        made.append(1)
        return len(made), dt.datetime.now(dt.UTC) + dt.timedelta(seconds=life[0])

    assert await asyncio.gather(*(cache.get(("a",), make) for _ in range(5))) == [1] * 5
    assert await cache.get(("b",), make) == 2
    cache._share = 0.0  # everything is due at once
    life[0] = 1000
    cache._kept.clear()
    assert await cache.get(("a",), make) == 3
    life[0] = 0
    assert await cache.get(("a",), make) == 3
    with pytest.raises(Unavailable):
        await cache.get(("c",), make)


def test_an_answer_that_is_no_json_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="proxy"):
        Answer(200, b"<html>", {}).json()
