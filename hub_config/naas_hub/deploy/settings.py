"""The section ``deploy`` of ``naas.yaml``: what `naas deploy compose` needs to know and no part reads."""

from __future__ import annotations

import importlib.metadata
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from naas_client.section import Section
from pydantic import AfterValidator, Field, model_validator

VERSION = importlib.metadata.version("jupyterhub-naas")

FEWEST, MOST = 28, 16
"""Prefix lengths of the servers' network: of 13 containers and of 65 533."""


def _subnet(value: str) -> str:
    network = IPv4Network(value)  # its ValueError says what is wrong
    if not network.is_private or not MOST <= network.prefixlen <= FEWEST:
        raise ValueError(f"name a private network between /{MOST} and /{FEWEST}, for example 10.201.0.0/20")
    return str(network)


class DeploySection(Section):
    """The service in containers on one machine (`naas deploy compose`); its address is `gateway.public_hub_url`."""

    name: str = Field(
        "naas",
        pattern=r"^[a-z0-9][a-z0-9-]{0,30}$",
        description="begins the names of all containers and networks; each installation on one engine needs its own",
    )
    tls: Literal["acme", "files", "self-signed"] = Field(
        "acme",
        description="where the certificate comes from. `acme`: from Let's Encrypt or another ACME server, renewed by itself; `files`: "
        "your own; `self-signed`: from an authority made for this installation, which browsers do not know",
    )
    certificate_file: Path | None = Field(
        None, description="for `files`: PEM file with the certificate and those that it depends on"
    )
    certificate_key_file: Path | None = Field(None, description="for `files`: PEM file (0600) with its key")
    acme_email: str = Field(
        "",
        pattern=r"^([\w.+-]+@[\w.-]+)?$",
        description="for `acme`: where the authority writes to",
        examples=["cloud-support@example.org"],
    )
    acme_server: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory",
        pattern=r"^https://[^\s{}]+$",
        description="for `acme`: directory of the ACME server",
    )
    http_port: int = Field(
        80, ge=0, le=65535, description="port that leads to https; `acme` may need 80. 0: none is opened"
    )
    subnet: Annotated[str, AfterValidator(_subnet)] = Field(
        "10.201.0.0/20", description="addresses of the servers' network, which nothing else may use here"
    )
    hub_image: str = Field(f"naas/hub:{VERSION}", min_length=1, description="image of hub, gateway and proxy")
    web_image: str = Field(
        f"naas/web:{VERSION}", min_length=1, description="image with Caddy, the TLS end", examples=["caddy:2"]
    )
    postgres_image: str = Field(
        f"naas/postgres:{VERSION}", min_length=1, description="image with PostgreSQL", examples=["postgres:16"]
    )

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        named = [self.certificate_file is not None, self.certificate_key_file is not None]
        if self.tls == "files" and not all(named):
            raise ValueError(
                "tls: files needs certificate_file and certificate_key_file. Name both, or choose another tls"
            )
        if self.tls != "files" and any(named):
            raise ValueError("certificate_file and certificate_key_file belong to tls: files. Set that, or remove them")
        return self
