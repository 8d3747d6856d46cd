"""Whether an operator's certificate can serve: it is there, is valid today, is for this name, and the key is its own."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from naas_client.errors import InvalidInput
from naas_client.settings import read_secret

CERTIFICATE, KEY = "deploy.certificate_file", "deploy.certificate_key_file"


def read_certificate(file: Path, key_file: Path, host: str) -> tuple[bytes, bytes]:
    """Certificate with chain, and key, as PEM. Raises InvalidInput with path and remedy when they cannot serve ``host``."""
    try:
        chain = file.read_bytes()
        first = x509.load_pem_x509_certificates(chain)[0]
    except OSError as error:
        raise InvalidInput(f"{CERTIFICATE}: {file} cannot be read: {error.strerror}.", code="certificate") from error
    except (ValueError, IndexError) as error:
        raise InvalidInput(
            f"{CERTIFICATE}: {file} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`).", code="certificate"
        ) from error
    _check_dates(file, first)
    if not _is_for(first, host):
        raise InvalidInput(
            f"{CERTIFICATE}: {file} is for {', '.join(_names(first)) or 'no name'}, and gateway.public_hub_url says {host}. "
            "Get a certificate for that name, or correct the address.",
            code="certificate",
        )
    return chain, _key(key_file, first)


def _check_dates(file: Path, certificate: x509.Certificate) -> None:
    now, begin, end = dt.datetime.now(dt.UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise InvalidInput(f"{CERTIFICATE}: {file} expired on {end:%Y-%m-%d}. Get a new one.", code="certificate")
    if now < begin:
        raise InvalidInput(
            f"{CERTIFICATE}: {file} is valid from {begin:%Y-%m-%d %H:%M} UTC only. Is the clock of this machine right?",
            code="certificate",
        )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []  # browsers look nowhere else (RFC 6125)
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _is_for(certificate: x509.Certificate, host: str) -> bool:
    """RFC 6125 §6.4: a star stands for one whole label, and for none of an address."""
    try:
        ip_address(host)
        wanted = {host}
    except ValueError:
        wanted = {host, f"*.{host.partition('.')[2]}"}
    return not wanted.isdisjoint(name.lower() for name in _names(certificate))


def _key(file: Path, certificate: x509.Certificate) -> bytes:
    text = read_secret(file, KEY).encode() + b"\n"
    try:
        key = load_pem_private_key(text, None)
    except TypeError as error:
        raise InvalidInput(
            f"{KEY}: {file} is encrypted, and nobody is there to type its password. Decrypt it: `openssl pkey -in {file} -out NEW`.",
            code="certificate",
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{KEY}: {file} holds no key in PEM.", code="certificate") from error
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InvalidInput(
            f"{KEY}: {file} is not the key of the certificate. Name the key that belongs to it.", code="certificate"
        )
    return text
