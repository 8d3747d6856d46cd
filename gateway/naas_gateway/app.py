"""The application: routes, error shape, life cycle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from naas_client.errors import ErrorAnswer
from naas_client.gateway import API_PATH
from naas_client.settings import SharedSettings

from naas_gateway.api import catalogue, checks, errors, events, hub, images, laptop, operate, s3_keys, user
from naas_gateway.api.auth import ADMIN, AUDIENCE, USE, HubTokens
from naas_gateway.api.middleware import RequestFrame
from naas_gateway.services.platform import Platform

DESCRIPTION = f"""\
Your account, tokens and storage at this site, and what an administrator may see.

Send a token in the header `Authorization: Bearer …`: either a token of the hub's token page with the scope `{USE}`, or an access
token of the site's IAM with the audience `{AUDIENCE}`. You always act for yourself, the owner of the token. Administrators' calls
need the scope `{ADMIN}`; the calls below `/hub` are for the hub alone.

Errors have one shape: `error.code` is a stable name for programs, `error.message` says what happened and what to do next, and
`error.request_id` helps support to find the call. Times are UTC in ISO 8601. A list with more rows has a `next`: send it as `cursor`.
"""
"""What people read at the top of the API's description."""


def create_app(settings: SharedSettings) -> FastAPI:
    """The gateway as an ASGI application. Raises InvalidInput when a setting or secret is not usable."""
    platform = Platform(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with platform.running():
            yield

    app = FastAPI(
        title="NaaS gateway",
        version=version("jupyterhub-naas"),
        description=DESCRIPTION,
        openapi_url=f"{API_PATH}/openapi.json",
        docs_url=None,  # Swagger's page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses={"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}},
    )
    app.state.platform = platform
    app.state.hub_tokens = HubTokens()
    errors.install(app)
    for router in (
        user.router,
        s3_keys.router,
        images.router,
        checks.router,
        catalogue.router,
        laptop.router,
        events.router,
        hub.router,
        operate.router,
    ):
        app.include_router(router, prefix=API_PATH)
    app.include_router(operate.metrics_router)
    app.add_middleware(RequestFrame)
    return app
