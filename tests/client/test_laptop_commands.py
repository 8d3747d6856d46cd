"""`naas login`, `logout`, `token` and `s3-credentials` on a computer of one's own, with a real IAM, store and gateway."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from gateway_app import gateway_app
from iam_login import claims_of
from laptop import NAAS, Laptop, Site, laptop_site
from naas_client.errors import Forbidden, NotSignedIn
from naas_local.iam import CLI_CLIENT

pytestmark = pytest.mark.server
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with laptop_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


@pytest.fixture
def alices(laptop: Laptop, site: Site) -> Laptop:
    """A laptop where alice is signed in."""
    laptop.sign_in(site.url, "alice")
    return laptop


def refresh(site: Site, token: str | None) -> httpx.Response:
    form = {"client_id": CLI_CLIENT, "grant_type": "refresh_token", "refresh_token": token or ""}
    return httpx.post(f"{site.iam.url}/token", data=form)


def test_signing_in_with_a_code(laptop: Laptop, site: Site) -> None:
    done = laptop.login(f"{site.url}/hub/home?x=1", "alice")
    assert done.returncode == 0, done.stderr
    code = re.search(r"user_code=(\S+)", done.stdout)
    assert code is not None
    assert f"type the code {code[1]} at {site.iam.url}/device" in done.stdout
    assert f"Signed in as alice at {site.url}.\nObject store: {site.store.url} (region us-east-1).\n" in done.stdout
    assert not any(secret in done.stdout for secret in laptop.secrets())
    assert stat.S_IMODE(laptop.config.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in laptop.config.iterdir()} == {0o600}
    assert claims_of(laptop.say("token", "naas").strip())["aud"] == "naas"


def test_who_refuses_is_not_signed_in(laptop: Laptop, site: Site) -> None:
    done = laptop.login(site.url, "alice", refuse=True)
    assert (done.returncode, done.stderr) == (1, "Error: You refused in the browser. Nothing was connected.\n")
    assert laptop.secrets() == []


def test_a_token_is_printed_alone_and_got_once(alices: Laptop, site: Site) -> None:
    first = alices.say("token", "object")
    assert re.fullmatch(r"ey[\w.-]+\n", first)
    assert claims_of(first)["aud"] == "object"
    site.gateway.stop()
    site.iam.stop()
    try:
        assert alices.say("token", "object") == first
        assert "does not answer" in alices.run("s3-credentials").stderr
    finally:
        site.iam.start()
        site.gateway.start()


def test_an_audience_that_the_site_does_not_allow(alices: Laptop) -> None:
    done = alices.run("token", "vault")
    assert (done.returncode, done.stdout) == (1, "")
    assert "these audiences: object" in done.stderr


def test_the_credentials_are_what_the_aws_tools_want(
    alices: Laptop, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exactly the lines that the command's help gives."""
    printed = alices.run("s3-credentials")
    assert printed.stderr == ""
    document = json.loads(printed.stdout)
    assert set(document) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert document["Version"] == 1
    assert dt.datetime.fromisoformat(document["Expiration"]) > dt.datetime.now(dt.UTC) + dt.timedelta(minutes=20)
    assert json.loads(alices.say("s3-credentials")) == document
    lines = re.findall(r"aws configure set profile\.naas\.(\S+) (.+)", alices.say("s3-credentials", "--help"))
    values = {key: shlex.split(value)[0] for key, value in lines}
    assert values["credential_process"] == "naas s3-credentials"
    values |= {"endpoint_url": site.store.url, "credential_process": f"{NAAS} s3-credentials"}
    plain = "".join(f"{key} = {value}\n" for key, value in values.items() if "." not in key)
    config = alices.home / "aws.conf"
    config.write_text(f"[profile naas]\n{plain}s3 =\n  addressing_style = {values['s3.addressing_style']}\n")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("HOME", str(alices.home))
    s3 = boto3.Session(profile_name="naas").client("s3")
    s3.put_object(Bucket="alice", Key="from-a-laptop", Body=b"42")
    assert (site.store.buckets / "alice" / "from-a-laptop").read_bytes() == b"42"


def test_processes_at_the_same_time_renew_once(alices: Laptop, site: Site) -> None:
    """IAM ends a grant whose refresh token is used twice."""
    for _ in range(2):
        before = alices.change_session(site.url, renew_at=LONG_AGO)
        processes = [alices.start("token", audience) for audience in ["naas", "object"] * 3]
        answers = [process.communicate(timeout=60) for process in processes]
        assert [errors for _, errors in answers] == [""] * 6
        assert len({output for output, _ in answers}) == 2
        after = alices.sessions.load(site.url)
        assert after.refresh_token != before.refresh_token
        alices.sessions.drop_kept(site.url)
    assert refresh(site, after.refresh_token).status_code == 200


def test_a_clock_that_is_wrong_only_costs_one_more_question(alices: Laptop, site: Site) -> None:
    """The token is over although this computer thinks that it is good."""
    alices.change_session(site.url, access_token="eyJhbGciOiJSUzI1NiJ9.e30.x")
    assert claims_of(alices.say("token", "object"))["aud"] == "object"


def test_a_grant_that_ended_is_forgotten_and_the_remedy_said(alices: Laptop, site: Site) -> None:
    used = alices.change_session(site.url, renew_at=LONG_AGO).refresh_token
    assert refresh(site, used).status_code == 200
    done = alices.run("token", "naas")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: Your sign-in at {site.url} is over. Run `naas login {site.url}`.\n"
    assert alices.secrets() == []


def test_an_iam_that_is_down_costs_nobody_the_sign_in(alices: Laptop, site: Site) -> None:
    alices.change_session(site.url, renew_at=LONG_AGO)
    site.iam.stop()
    try:
        done = alices.run("token", "naas")
        assert done.returncode == 1
        assert "does not answer" in done.stderr
    finally:
        site.iam.start()
    assert claims_of(alices.say("token", "naas"))["aud"] == "naas"


def test_signing_out_revokes_and_deletes(alices: Laptop, site: Site) -> None:
    alices.say("s3-credentials")
    held = alices.sessions.load(site.url).refresh_token
    assert alices.say("logout") == f"Signed out of {site.url}.\n"
    assert alices.secrets() == []
    assert refresh(site, held).json()["error"] == "invalid_grant"
    for command in (("token", "object"), ("s3-credentials",), ("logout",), ("mount", "alice", "x")):
        done = alices.run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "naas login" in done.stderr


def test_signing_in_again_ends_the_sign_in_before(laptop: Laptop, site: Site) -> None:
    laptop.sign_in(site.url, "alice")
    before = laptop.sessions.load(site.url).refresh_token
    assert laptop.login(site.url, "alice").returncode == 0
    assert refresh(site, before).json()["error"] == "invalid_grant"
    assert laptop.say("token", "object")


def test_who_never_signed_in_on_the_hub_is_told_where(laptop: Laptop, site: Site) -> None:
    site.iam.add_user("zoe", ["users/naas", "users/s3"])
    done = laptop.login(site.url, "zoe")
    assert done.returncode == 1
    assert "Sign in on the hub first. It is at https://hub.example.org." in done.stderr
    site.gateway.sign_in("zoe")
    assert claims_of(laptop.say("token", "object"))["aud"] == "object"


def test_who_signed_out_on_the_hub_is_told_where(laptop: Laptop, site: Site) -> None:
    site.iam.add_user("yann", ["users/naas", "users/s3"])
    site.gateway.sign_in("yann")
    person = laptop.sign_in(site.url, "yann")
    assert person.me().name == "yann"
    site.gateway.hub.sign_out("yann")
    with pytest.raises(Forbidden, match=f"signed out of {site.url}. Sign in there with a browser"):
        person.storage()


def test_the_last_service_is_the_default_and_each_can_be_named(alices: Laptop, site: Site, tmp_path: Path) -> None:
    with gateway_app(
        tmp_path / "other", site.iam, iam={"cli_client_id": CLI_CLIENT}, gateway={"allowed_audiences": ["vault"]}
    ) as other:
        other.sign_in("alice")
        alices.sign_in(other.url, "alice")
        assert claims_of(alices.say("token", "vault"))["aud"] == "vault"
        assert claims_of(alices.say("token", "object", "--service", f"{site.url}/"))["aud"] == "object"
        alices.say("logout")
        assert claims_of(alices.say("token", "object"))["aud"] == "object"
        with pytest.raises(NotSignedIn):
            alices.sessions.load(other.url)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://hub.example.org", "must start with https://"),
        ("hub.example.org", "not a web address"),
        ("https://alice:secret@hub.example.org", "leave name and password out"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(laptop: Laptop, address: str, words: str) -> None:
    done = laptop.run("login", address)
    assert done.returncode == 1
    assert words in done.stderr
    assert "secret" not in done.stderr


def test_a_site_without_a_client_for_it_says_so(laptop: Laptop, site: Site, tmp_path: Path) -> None:
    with gateway_app(tmp_path / "none", site.iam) as other:
        assert "iam.cli_client_id" in laptop.run("login", other.url).stderr
    assert "is not a service of this kind" in laptop.run("login", site.iam.url).stderr
