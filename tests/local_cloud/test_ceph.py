"""A real Ceph RADOS Gateway: sessions from tokens, objects that outlive their daemons, nothing left behind."""

from __future__ import annotations

import re
from typing import Any

import httpx
import iam_login
import psutil
import pytest
from botocore.exceptions import ClientError
from ceph import personal_role
from joserfc.jwk import RSAKey
from naas_client.errors import Unavailable
from naas_local.ceph import CephStore, look
from naas_local.ceph.programs import ask
from naas_local.iam import EmbeddedIam
from naas_local.ports import LOOPBACK
from s3_people import assume_role, refusal, s3_client
from token_issuer import TokenIssuer
from waiting import wait_for

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def roles(ceph: CephStore, issuer: TokenIssuer) -> dict[str, str]:
    """A role for alice and one for bob, and their buckets, which the administrator owns."""
    for user in ("alice", "bob"):
        ceph.client().create_bucket(Bucket=user)
    return {user: personal_role(ceph, f"{issuer.url}/", user) for user in ("alice", "bob")}


def session(ceph: CephStore, issuer: TokenIssuer, role: str, user: str, site: int = 0) -> Any:
    """A client for one site, of a session made at the first."""
    return s3_client(ceph.rgws[site].url, assume_role(ceph.url, issuer.token(user), role))


def test_a_token_opens_ones_own_bucket_and_no_other(
    ceph: CephStore, issuer: TokenIssuer, roles: dict[str, str]
) -> None:
    alice = session(ceph, issuer, roles["alice"], "alice")
    alice.put_object(Bucket="alice", Key="a/b", Body=b"hers")
    assert alice.get_object(Bucket="alice", Key="a/b")["Body"].read() == b"hers"
    assert refusal(lambda: alice.list_objects_v2(Bucket="bob")) == "AccessDenied"


def test_both_gateways_show_the_same_objects(ceph: CephStore, issuer: TokenIssuer, roles: dict[str, str]) -> None:
    session(ceph, issuer, roles["bob"], "bob").put_object(Bucket="bob", Key="x", Body=b"seen at both sites")
    there = session(ceph, issuer, roles["bob"], "bob", site=1)
    assert there.get_object(Bucket="bob", Key="x")["Body"].read() == b"seen at both sites"


def test_a_token_of_another_or_of_nobody_gives_no_session(
    ceph: CephStore, issuer: TokenIssuer, roles: dict[str, str]
) -> None:
    for token in (issuer.token("bob"), issuer.token("alice", aud="hub"), issuer.token("alice", exp=1)):
        with pytest.raises(ClientError) as refused:
            assume_role(ceph.url, token, roles["alice"])
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_token_of_the_embedded_iam_opens_a_session(ceph: CephStore, iam: EmbeddedIam) -> None:
    """Its `iss` ends in a slash, so RGW asks for `//.well-known`."""
    ceph.client().create_bucket(Bucket="dana")
    role = personal_role(ceph, iam.url, "dana")
    token = iam_login.sign_in(iam, "dana", audience="object").access_token
    dana = s3_client(ceph.url, assume_role(ceph.url, token, role))
    dana.put_object(Bucket="dana", Key="x", Body=b"x")
    assert [row["Key"] for row in dana.list_objects_v2(Bucket="dana")["Contents"]] == ["x"]


def test_an_issuer_that_is_away_stays_trusted_and_a_new_one_is_not(ceph: CephStore) -> None:
    with TokenIssuer().running() as here:
        arn = ceph.trust(here.url)
    assert arn.endswith("/")
    assert ceph.trust(here.url) == arn
    with pytest.raises(Unavailable, match=r"correct iam\.issuer"):
        ceph.trust(here.url, "another audience")


def test_keys_without_certificates_are_named_as_the_cause(ceph: CephStore) -> None:
    with TokenIssuer().running() as here:
        here.keys = [RSAKey.generate_key(2048, {"kid": "bare"})]
        with pytest.raises(Unavailable, match="no certificates"):
            ceph.trust(here.url)


def test_a_gateway_that_was_away_has_everything(ceph: CephStore, issuer: TokenIssuer, roles: dict[str, str]) -> None:
    alice, there = (session(ceph, issuer, roles["alice"], "alice", site) for site in (0, 1))
    alice.put_object(Bucket="alice", Key="kept", Body=b"kept")
    ceph.rgw.stop()
    try:
        with pytest.raises(httpx.ConnectError):
            httpx.get(ceph.url)
        assert there.get_object(Bucket="alice", Key="kept")["Body"].read() == b"kept"
    finally:
        ceph.rgw.start()
    assert alice.get_object(Bucket="alice", Key="kept")["Body"].read() == b"kept"


def test_what_is_deleted_leaves_the_disk(ceph: CephStore) -> None:
    """RGW's collector waits two hours by default; a small store would be full by then."""
    s3 = ceph.client()
    s3.create_bucket(Bucket="gone")
    s3.put_object(Bucket="gone", Key="x", Body=b"x" * (12 << 20))  # more than the 4 MiB of a head, so it has tails

    def tails() -> list[str]:
        pool = "default.rgw.buckets.data"
        return [name for name in ask("rados", "-c", ceph.config.conf, "-p", pool, "ls").split() if "_shadow_" in name]

    assert tails()
    s3.delete_object(Bucket="gone", Key="x")
    wait_for(lambda: not tails(), "the collector", 90)


def test_only_loopback_is_listened_on_and_only_by_those_who_have_a_key(ceph: CephStore) -> None:
    for daemon in (ceph.mon, ceph.osd, *ceph.rgws):
        assert daemon.part
        processes = [psutil.Process(daemon.part.process.pid)]
        for process in [*processes, *processes[0].children()]:
            listening = {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
            assert listening <= {LOOPBACK}, daemon.spec.name
    with pytest.raises(Unavailable, match="failed with"):
        ask("ceph", "-c", ceph.config.conf, "--keyring", "/dev/null", "--connect-timeout", "5", "status")


def test_nobody_has_the_gateway_send_requests_elsewhere(ceph: CephStore) -> None:
    """Notifications of a bucket go to any address that its maker names."""
    with pytest.raises(ClientError) as refused:
        ceph.client("sns").create_topic(Name="t", Attributes={"push-endpoint": "http://127.0.0.1:9/"})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 405


def test_no_secret_is_in_arguments_logs_or_open_files(ceph: CephStore) -> None:
    keyring = (ceph.data / "keyring").read_text()
    secrets = [*ceph.admin, ceph.config.sts_key, *re.findall(r"key = (\S+)", keyring)]
    for daemon in (ceph.mon, ceph.osd, *ceph.rgws):
        assert daemon.part
        process = psutil.Process(daemon.part.process.pid)
        told = [" ".join(one.cmdline()) for one in (process, *process.children())]
        told += [" ".join(f"{k}={v}" for k, v in one.environ().items()) for one in (process, *process.children())]
        told.append(daemon.log.read_text(errors="replace"))
        assert [secret for secret in secrets if any(secret in text for text in told)] == []
    assert ceph.data.stat().st_mode & 0o077 == 0
    for name in ("keyring", "ceph.conf", "config.json", "admin-access-key", "admin-secret-key"):
        assert (ceph.data / name).stat().st_mode & 0o077 == 0


def test_the_cluster_is_well_and_the_doctor_sees_it(ceph: CephStore) -> None:
    assert look.programs()[0] == "ok"
    assert look.disk(ceph.config)[0] in ("ok", "note")
    assert look.health(ceph.config.conf) == ("ok", "room for more", "")
