"""What a program on somebody's own computer asks before it can sign in."""

from __future__ import annotations

from fastapi import APIRouter
from naas_client.errors import NotFound
from naas_client.models import ClientConfiguration

from naas_gateway.api.auth import AUDIENCE, PlatformDep

router = APIRouter(tags=["people"])

SCOPES = ["openid", "offline_access"]
"""Enough to say who somebody is, again and again; what they may do is decided here, from what IAM tells us directly."""


@router.get("/client")
async def client(platform: PlatformDep) -> ClientConfiguration:
    """Where and as which client a program signs in by device code (RFC 8628); no secret is in it, so anyone may ask."""
    iam = platform.settings.iam
    if not iam.cli_client_id:
        contact = platform.settings.site.contact or "the operators of this service"
        raise NotFound(
            f"Nobody can sign in here from their own computer: {contact} must set iam.cli_client_id.", code="no-client"
        )
    return ClientConfiguration(issuer=iam.issuer, client_id=iam.cli_client_id, audience=AUDIENCE, scopes=SCOPES)
