"""What operators and their machines look at: health, metrics, audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from naas_client.models import AuditRow, Health, Page
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AwareDatetime

from naas_gateway.api.auth import PlatformDep, admin, admin_or_hub

router = APIRouter(tags=["operators"])
metrics_router = APIRouter(include_in_schema=False)


@router.get("/health", responses={503: {"model": Health, "description": "the database does not answer"}})
async def health(platform: PlatformDep, response: Response) -> Health:
    """State of the gateway and of what it needs, at most a few seconds old."""
    found = await platform.health.get()
    response.status_code = 503 if found.status == "down" else 200
    return found


@router.get("/audit", dependencies=[Depends(admin)])
async def audit(
    platform: PlatformDep,
    actor: Annotated[str | None, Query(max_length=80)] = None,
    action: Annotated[str | None, Query(max_length=60)] = None,
    since: Annotated[AwareDatetime | None, Query(description="with a time zone")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> Page[AuditRow]:
    """Who did what, newest first; needs the admin scope."""
    return await platform.audit.page(actor, action, since, limit, cursor)


@metrics_router.get("/services/naas/metrics", dependencies=[Depends(admin_or_hub)])
async def metrics() -> Response:
    """Metrics in Prometheus' text format; needs the hub's token or the admin scope."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
