"""`naas/web` with what `naas deploy compose` writes for it: a certificate from a real ACME server, which is another Caddy."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from containers import docker, image
from engine import images
from naas_client.files import secret_file
from naas_hub.deploy.compose import Compose
from waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.root]

HOST, AUTHORITY = "notebooks.naas.test", "acme.naas.test"
ACME_SERVER = f"""
{{
	admin off
	skip_install_trust
}}
https://{AUTHORITY} {{
	tls internal
	acme_server
}}
"""
ROOT = "caddy/pki/authorities/local/root.crt"


@pytest.fixture
def network() -> Iterator[str]:
    """A network in which the two find each other by name."""
    name = f"naas-tests-acme-{os.getpid()}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@contextlib.contextmanager
def caddy(network: str, host: str, caddyfile: Path, data: Path, *more: str) -> Iterator[str]:
    """A Caddy with ports 80 and 443 of its own, where ACME looks for it."""
    made = docker(
        *("run", "--detach", f"--network={network}", f"--network-alias={host}", "--user=0:0"),
        *(f"--volume={caddyfile}:/etc/caddy/Caddyfile:ro", f"--volume={data}:/data", "--env=XDG_DATA_HOME=/data"),
        *(*more, image("web")),
    ).strip()
    try:
        yield made
    finally:
        docker("rm", "--force", made)


def written(folder: Path) -> Path:
    """What `naas deploy compose` writes for Caddy, on the ports that the world sees."""
    secret_file(folder / "iam-secret")
    settings = {
        "iam": {"issuer": "https://iam.example.org", "client_secret_file": str(folder / "iam-secret")},
        "storage": {"url": "https://rgw.example.org"},
        "gateway": {"public_hub_url": f"https://{HOST}"},
        "deploy": {"acme_server": f"https://{AUTHORITY}/acme/local/directory", "acme_email": "support@example.org"},
    }
    (folder / "naas.yaml").write_text(yaml.safe_dump(settings))
    Compose(folder / "naas.yaml", folder / "out").write()
    file = folder / "out" / "config" / "Caddyfile"
    file.write_text(file.read_text().replace(" 8080", " 80").replace(" 8443", " 443"))
    return file


def test_a_certificate_comes_from_the_acme_server_that_the_settings_name(tmp_path: Path, network: str) -> None:
    images("web")
    authority, web = tmp_path / "authority", tmp_path / "web"
    authority.mkdir()
    web.mkdir()
    (tmp_path / "Caddyfile").write_text(ACME_SERVER)
    with caddy(network, AUTHORITY, tmp_path / "Caddyfile", authority):
        wait_for((authority / ROOT).exists, "the authority's certificate")
        shutil.copy(authority / ROOT, tmp_path / "trusted.crt")
        trust = (f"--volume={tmp_path}/trusted.crt:/trusted.crt:ro", "--env=SSL_CERT_FILE=/trusted.crt")
        with caddy(network, HOST, written(tmp_path), web, *trust) as made:
            issued = lambda: [*web.glob(f"caddy/certificates/{AUTHORITY}*/{HOST}/{HOST}.crt")]  # noqa: E731
            wait_for(issued, f"a certificate; see: docker logs {made}")
            argv = ["openssl", "x509", "-noout", "-checkhost", HOST, "-in", issued()[0]]
            done = subprocess.run(argv, capture_output=True, text=True, check=True)
            assert "does match certificate" in done.stdout
