"""A registry of images by the Docker registry's API v2 (https://distribution.github.io/distribution/spec/api/), with its two ways to
say who asks: HTTP Basic, and tokens from its own `/service/token` or the like (https://distribution.github.io/distribution/spec/auth/token/)."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from naas_client.errors import NotFound, Unavailable
from naas_client.images import DIGEST, REPOSITORY, TAG
from naas_client.models import ImageTag, RegistryImage
from naas_client.registries import RegistrySection

from naas_gateway.clients.http import Answer, Service

Login = tuple[str, str]
"""User name and secret."""

PAGE = 100
MOST = 2000
"""Repositories of one project, or of a registry without projects, that are listed."""
DETAILED = 8
"""Tags that are asked about at once."""

_DOCKER, _OCI = "application/vnd.docker.distribution.manifest", "application/vnd.oci.image"
MANIFESTS = f"{_DOCKER}.v2+json, {_OCI}.manifest.v1+json, {_DOCKER}.list.v2+json, {_OCI}.index.v1+json"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Closed(NotFound):
    """The registry does not show this to whoever asks: it is not there, or not for them."""

    default_code = "no-such-image"


class Registry:
    """One registry. Parameters: ``section``, its settings. Every call may raise Unavailable."""

    def __init__(self, section: RegistrySection) -> None:
        self.section = section
        self.service = Service("registry", section.title, section.url)

    async def accepts(self, login: Login | None) -> bool:
        """Whether the registry knows this login; None: whether it answers everybody."""
        return (await self._v2("", login, "")).status == 200

    async def repositories(self, login: Login | None, project: str) -> list[RegistryImage]:
        """Repositories, of one project or (empty) of all, as the registry shows them to whoever has this login."""
        names: list[str] = []
        page: dict[str, str] = {"n": str(PAGE)}
        while len(names) < MOST:
            answer = await self._v2("_catalog", login, "registry:catalog:*", page)
            if answer.status in (401, 403, 404):
                return []
            found = [str(name) for name in as_object(self._document(answer)).get("repositories") or []]
            names += [name for name in found if REPOSITORY.fullmatch(name)]
            if len(found) < PAGE or 'rel="next"' not in answer.headers.get("link", ""):
                break
            page = {"n": str(PAGE), "last": found[-1]}
        inside = f"{project}/" if project else ""
        return [RegistryImage(image=self._image(name)) for name in names if name.startswith(inside)]

    async def tags(
        self, login: Login | None, repository: str, offset: int, limit: int, only: str = ""
    ) -> tuple[list[ImageTag], int]:
        """Tags of a repository (or only that one) from an offset on, and how many there are. Raises Closed."""
        scope = f"repository:{repository}:pull"
        answer = await self._v2(f"{repository}/tags/list", login, scope)
        if answer.status in (401, 403, 404):
            raise closed(self._image(repository))
        found = [str(tag) for tag in as_object(self._document(answer)).get("tags") or []]
        tags = sorted((tag for tag in found if TAG.fullmatch(tag) and only in ("", tag)), key=_natural, reverse=True)
        gate = asyncio.Semaphore(DETAILED)

        async def detailed(tag: str) -> ImageTag:
            async with gate:
                return await self._detailed(login, repository, tag, scope)

        return list(await asyncio.gather(*map(detailed, tags[offset : offset + limit]))), len(tags)

    async def _detailed(self, login: Login | None, repository: str, tag: str, scope: str) -> ImageTag:
        """A tag with size and date, where the manifest is of one image."""
        row = ImageTag(reference=f"{self._image(repository)}:{tag}", tag=tag)
        answer = await self._v2(f"{repository}/manifests/{tag}", login, scope, headers={"Accept": MANIFESTS})
        manifest = as_object(answer.json()) if answer.status == 200 else {}
        row.digest = answer.headers.get("docker-content-digest", "")[:80]
        config = as_object(manifest.get("config"))
        if not config:
            return row
        layers = manifest.get("layers")
        row.size = sum(number(as_object(layer).get("size")) for layer in layers) if isinstance(layers, list) else 0
        digest = str(config.get("digest"))
        if not DIGEST.fullmatch(digest):  # it becomes a part of an address
            return row
        answer = await self._v2(f"{repository}/blobs/{digest}", login, scope)
        row.pushed_at = moment(as_object(answer.json()).get("created")) if answer.status == 200 else None
        return row

    def _image(self, repository: str) -> str:
        return f"{self.section.host}/{repository}"

    async def _v2(
        self,
        path: str,
        login: Login | None,
        scope: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request below ``/v2/``; where the registry wants a token, with one for ``scope``."""
        url = f"{self.section.url}/v2/{path}"
        answer = await self.service.request("GET", url, auth=login, params=params, headers=headers)
        scheme, _, challenge = answer.headers.get("www-authenticate", "").partition(" ")
        if answer.status != 401 or scheme.lower() != "bearer":
            return answer
        token = await self._token(dict(_CHALLENGE.findall(challenge)), login, scope)
        if not token:
            return answer
        bearer = {**(headers or {}), "Authorization": f"Bearer {token}"}
        return await self.service.request("GET", url, params=params, headers=bearer)

    async def _token(self, challenge: Mapping[str, str], login: Login | None, scope: str) -> str:
        realm = urljoin(self.section.url, challenge.get("realm", ""))
        if urlsplit(realm)[:2] != urlsplit(self.section.url)[:2]:
            raise Unavailable(
                f"{self.section.title} wants people's secrets to be sent to {urlsplit(realm).netloc[:100]}, and they are not. "
                "Tell the operators.",
                code="registry-realm",
            )
        wanted = {"service": challenge.get("service", ""), **({"scope": scope} if scope else {})}
        answer = await self.service.request("GET", realm, auth=login, params=wanted)
        if answer.status != 200:
            return ""
        document = as_object(answer.json())
        return str(document.get("token") or document.get("access_token") or "")

    def _document(self, answer: Answer) -> Any:
        if answer.status != 200:
            raise Unavailable(
                f"{self.section.title} answered with status {answer.status}. Try again later.", code="registry-down"
            )
        return answer.json()


def closed(image: str) -> Closed:
    """The error for an image that a registry does not show."""
    return Closed(
        f"{image} is not there, or not open to you. Check the name; if it is private, give your CLI secret with `%image login`."
    )


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object; empty for anything else that a registry may say."""
    return value if isinstance(value, dict) else {}


def number(value: Any) -> int:
    """A positive number; 0 for anything else that a registry may say."""
    return value if isinstance(value, int) and value > 0 else 0


def moment(value: Any) -> dt.datetime | None:
    """A time as registries write it (RFC 3339); None for anything else, and for the year 1, which means "never"."""
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo and found.year > 1970 else None


def _natural(tag: str) -> list[tuple[int, int | str]]:
    """Tags in the order of their numbers, `latest` above all."""
    parts = re.findall(r"[0-9]+|[^0-9]+", tag)
    return [(2, 0)] if tag == "latest" else [(1, int(part)) if part.isdigit() else (0, part) for part in parts]
