"""What JupyterHub's page templates need from us: their folders, the site's texts, the person's language, reasons of stops.

JupyterHub calls every callable of ``template_vars`` with the user, for each page, and gives the result to the template.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import naas_spawner
from jinja2 import pass_context
from jinja2.runtime import Context
from naas_client.collaborations import Collaboration
from naas_client.errors import NaasError
from naas_client.gateway import API_PATH, GatewayClient
from naas_client.languages import COOKIE, LANGUAGES, Translator
from naas_client.models import StopReason
from naas_client.settings import SharedSettings
from naas_spawner.form import contact_url, request_language

HERE = Path(__file__).parent
TEMPLATE_PATHS = [str(HERE / "templates"), str(Path(naas_spawner.__file__).parent / "templates")]
"""For ``c.JupyterHub.template_paths``: our pages, and the icons and colours they share with the spawner's form."""

LONGEST_REASON = 2000
"""Characters of a stop reason that the home page shows."""

ANSWER_LIMIT = 2.0
"""Seconds that the home page waits for the gateway; after that it is shown without reasons."""

_AROUND = re.compile(r"\d{3} \w+\(reason=[^)]*\): (.*)|HTTP \d{3}: [\w ]+ \((.*)\)", re.DOTALL)

StopReasons = Callable[[str], Awaitable[Sequence[StopReason]]]


def template_vars(settings: SharedSettings, stop_reasons: StopReasons | None = None) -> dict[str, Any]:
    """For ``c.JupyterHub.template_vars``.

    Parameters: ``stop_reasons``, asked for a person's unseen reasons when the home page is shown; it must answer soon and must
    not raise (None: no reasons are shown).
    """
    return {
        "naas": _site(settings),
        "_": lambda _user: _translate,
        "naas_language": lambda _user: _language,
        "naas_sentence": lambda _user: _sentence,
        "naas_elapsed": lambda _user: _elapsed,
        "naas_stop_reasons": lambda user: partial(_stop_reasons, stop_reasons, user),
        "naas_collaborations": lambda user: partial(_collaborations, settings.collaborations, stop_reasons, user),
    }


def reasons_from_gateway(url: str, token: str) -> StopReasons:
    """Stop reasons as the gateway keeps them; none while it does not answer.

    Parameters: ``url``, ``settings.gateway.url``; ``token``, the hub's own token for the gateway.
    """

    async def ask(name: str) -> Sequence[StopReason]:
        try:
            async with GatewayClient(url + API_PATH, token, timeout=ANSWER_LIMIT) as gateway:
                return (await gateway.user_stop_reasons(name)).items
        except NaasError:
            return []

    return ask


def _site(settings: SharedSettings) -> dict[str, Any]:
    site = settings.site
    return {
        "site_name": site.name,
        "one_account": getpass.getuser() if os.geteuid() != 0 else "",
        "logo": site.logo is not None,
        "links": [link.model_dump() for link in site.links],
        "guides": [link.model_dump() for link in site.guides],
        "policies": [link.model_dump() for link in site.policies],
        "contact": site.contact,
        "contact_url": contact_url(site.contact) if site.contact else "",
        "iam_name": settings.iam.display_name,
        "languages": LANGUAGES,
        "cookie": COOKIE,
    }


@pass_context
def _language(context: Context) -> str:
    """The language of the page being rendered: ``static_url`` is a method of its request handler."""
    return request_language(getattr(context.get("static_url"), "__self__", None))


@pass_context
def _translate(context: Context, text: str, /, **values: object) -> str:
    """``_("Sentence with {value}", value=…)`` in templates."""
    return Translator(HERE, _language(context))(text, **values)


def _sentence(message: str) -> str:
    """An error message without what JupyterHub and tornado put around the sentence."""
    return _AROUND.sub(lambda found: found[1] or found[2], message)


def _elapsed(spawner: Any) -> float:
    """Seconds since the start of a server was asked for; 0 when the hub does not know."""
    asked: dt.datetime | None = spawner.orm_spawner.started
    return max(0.0, (dt.datetime.now(dt.UTC) - asked.replace(tzinfo=dt.UTC)).total_seconds()) if asked else 0.0


async def _stop_reasons(ask: StopReasons | None, user: Any) -> list[Mapping[str, Any]]:
    if ask is None or user is None:
        return []
    return [_shown(reason) for reason in await ask(user.name)]


async def _collaborations(
    collaborations: Sequence[Collaboration], ask: StopReasons | None, user: Any
) -> list[Mapping[str, Any]]:
    """The shared servers of a person's groups, as the hub has them now."""
    groups = {group.name for group in user.groups} if user is not None else set()
    return [await _shared(one, ask, user.settings["users"][one.name]) for one in collaborations if one.group in groups]


async def _shared(one: Collaboration, ask: StopReasons | None, owner: Any) -> Mapping[str, Any]:
    server = owner.spawner
    reasons = [] if ask is None or server.active else await ask(one.name)
    return {
        "group": one.group,
        "name": one.name,
        "url": owner.server_url(""),
        "ready": server.ready,
        "pending": server.pending,
        "last_activity": server.orm_spawner.last_activity,
        "reason": _shown(reasons[0]) if reasons else None,
    }


def _shown(reason: StopReason) -> Mapping[str, Any]:
    at = reason.at.astimezone(dt.UTC)
    return {"server": reason.server, "message": reason.message[:LONGEST_REASON], "at": at, "code": reason.code}
