"""The embedded IAM answers where INDIGO IAM does, on loopback only, and keeps its secrets in private files."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from iam_login import claims_of, sign_in, token
from joserfc import jwt
from joserfc.jwk import KeySet
from naas_client.errors import InvalidInput
from naas_local.iam import EmbeddedIam, embedded_iam, prepare
from naas_local.ports import free_port

pytestmark = pytest.mark.server


def discovery(iam: EmbeddedIam) -> dict[str, object]:
    found: dict[str, object] = httpx.get(f"{iam.url}/.well-known/openid-configuration").json()
    return found


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("userinfo_endpoint", "/userinfo"),
        ("jwks_uri", "/jwk"),
        ("device_authorization_endpoint", "/devicecode"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
        ("registration_endpoint", "/iam/api/client-registration"),
        ("end_session_endpoint", "/endsession"),
    ],
)
def test_endpoints_have_iams_names(iam: EmbeddedIam, endpoint: str, path: str) -> None:
    assert discovery(iam)[endpoint] == f"{iam.url}{path}"


def test_discovery_names_the_issuer_with_a_slash_and_survives_a_doubled_one(iam: EmbeddedIam) -> None:
    document = discovery(iam)
    assert document["issuer"] == f"{iam.url}/" == iam.issuer
    assert httpx.get(f"{iam.url}//.well-known/openid-configuration").json() == document


@pytest.mark.parametrize("slash", [True, False])
def test_iss_of_tokens_has_a_slash_only_when_configured(tmp_path: Path, slash: bool) -> None:
    with embedded_iam(tmp_path, token_issuer_slash=slash) as iam:
        tokens = sign_in(iam, "alice")
        assert tokens.id_token
        assert discovery(iam)["issuer"] == f"{iam.url}/"
        assert {claims_of(t)["iss"] for t in (tokens.access_token, tokens.id_token)} == {iam.url + "/" * slash}


def test_keys_carry_the_certificate_of_the_key_that_signs(iam: EmbeddedIam) -> None:
    keys = httpx.get(f"{iam.url}/jwk").json()["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {member for key in keys for member in key}
    certificate = x509.load_der_x509_certificate(base64.b64decode(keys[0]["x5c"][0]))
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers().n == int.from_bytes(base64.urlsafe_b64decode(keys[0]["n"] + "=="), "big")
    tokens = sign_in(iam, "alice", audience="object")
    for signed in (tokens.access_token, tokens.id_token):
        assert signed
        assert (
            jwt.decode(signed, KeySet.import_key_set({"keys": keys}), algorithms=["RS256"]).header["kid"]
            == keys[0]["kid"]
        )


def test_another_host_name_is_refused(iam: EmbeddedIam) -> None:
    assert httpx.get(f"{iam.url}/ready").status_code == 200
    assert httpx.get(f"{iam.url}/ready", headers={"Host": "evil.example.org"}).status_code == 421


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "iam.example.org"])
def test_it_listens_on_loopback_and_nowhere_else(tmp_path: Path, host: str) -> None:
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.1"):
        prepare(tmp_path, free_port(), hub_url="http://h", client_id="c", client_secret="s" * 32, host=host)
    spec = prepare(tmp_path, free_port(), hub_url="http://127.0.0.1:1", client_id="c", client_secret="s" * 32)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "host": host}))
    ended = subprocess.run(spec.argv, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert f"not on {host}" in ended.stderr


def test_a_config_that_others_can_read_is_refused(tmp_path: Path) -> None:
    spec = prepare(tmp_path, free_port(), hub_url="http://127.0.0.1:1", client_id="c", client_secret="s" * 32)
    (tmp_path / "config.json").chmod(0o644)
    ended = subprocess.run(spec.argv, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "chmod 600" in ended.stderr


def test_every_file_is_private_and_no_secret_is_on_the_command_line(iam: EmbeddedIam) -> None:
    sign_in(iam, "alice")
    assert {oct(file.stat().st_mode & 0o777) for file in iam.data.iterdir()} == {"0o600"}
    assert iam.part is not None
    process = Path(f"/proc/{iam.part.process.pid}")
    for place in ("cmdline", "environ"):
        assert iam.client_secret.encode() not in (process / place).read_bytes()
    assert iam.client_secret not in iam.log.read_text()


def test_a_taken_port_is_said(iam: EmbeddedIam) -> None:
    ended = subprocess.run(iam.spec.argv, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 2
    assert "cannot listen" in ended.stderr
    sign_in(iam, "bob")


def test_a_wrong_client_secret_is_refused(iam: EmbeddedIam) -> None:
    answer = token(iam, ("naas-hub", "wrong"), grant_type="refresh_token", refresh_token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_body_too_large_is_refused(iam: EmbeddedIam) -> None:
    answer = token(iam, grant_type="refresh_token", refresh_token="x" * 100_000)
    assert answer.status_code == 413
