"""Harbor's API v2.0, as far as a CLI secret opens it: projects, repositories, artifacts (https://goharbor.io, "Harbor API").

Harbor takes the secret for nothing else (`src/server/middleware/security/oidc_cli.go`), and answers a wrong one as if nobody had signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from naas_client.errors import Unavailable
from naas_client.images import REPOSITORY, TAG
from naas_client.models import ImageTag, RegistryImage, Scan

from naas_gateway.clients.http import Answer
from naas_gateway.clients.registry import MOST, Login, Registry, as_object, closed, moment, number

PAGE = 50
"""Harbor gives up to 100 rows; a repository's row has all of its description, which may be a whole README."""
MOST_PROJECTS = 200
AT_ONCE = 6
"""Projects that are asked about at once."""
LONGEST_DESCRIPTION = 200


class Harbor(Registry):
    """A registry with projects, descriptions and scans."""

    async def repositories(self, login: Login | None, project: str) -> list[RegistryImage]:
        """Repositories of one project, or (empty) of all that Harbor shows to whoever has this login."""
        if project:
            return await self._of_project(login, project)
        rows = await self._list("projects", login, {}, MOST_PROJECTS)
        gate = asyncio.Semaphore(AT_ONCE)

        async def of(name: str) -> list[RegistryImage]:
            async with gate:
                return await self._of_project(login, name)

        found = await asyncio.gather(*(of(str(row["name"])) for row in rows if row.get("name")))
        return [image for images in found for image in images][:MOST]

    async def _of_project(self, login: Login | None, project: str) -> list[RegistryImage]:
        path = f"projects/{quote(project, safe='')}/repositories"
        rows = await self._list(path, login, {"sort": "name"}, MOST)
        return [
            RegistryImage(
                image=self._image(str(row["name"])),
                description=str(row.get("description") or "")[:LONGEST_DESCRIPTION],
                updated_at=moment(row.get("update_time")),
            )
            for row in rows
            if REPOSITORY.fullmatch(str(row.get("name")))
        ]

    async def tags(
        self, login: Login | None, repository: str, offset: int, limit: int, only: str = ""
    ) -> tuple[list[ImageTag], int]:
        """Tags of a repository, the newest first; counted, and paged, are its artifacts, which may have several tags. Raises Closed."""
        project, _, name = repository.partition("/")
        twice = quote(quote(name, safe=""), safe="")
        params = {
            "with_tag": "true",
            "with_scan_overview": "true",
            "sort": "-push_time",
            "page": str(offset // limit + 1),
            "page_size": str(limit),
            "q": f"tags={only if TAG.fullmatch(only) else '*'}",
        }
        answer = await self._api(f"projects/{quote(project, safe='')}/repositories/{twice}/artifacts", login, params)
        if answer.status in (401, 403, 404):
            raise closed(self._image(repository))
        rows = [as_object(row) for row in self._rows(answer)]
        tags = [tag for row in rows for tag in self._tags(repository, row) if only in ("", tag.tag)]
        return tags, _total(answer, len(rows))

    def _tags(self, repository: str, artifact: dict[str, Any]) -> list[ImageTag]:
        names = [str(as_object(tag).get("name")) for tag in artifact.get("tags") or []]
        return [
            ImageTag(
                reference=f"{self._image(repository)}:{name}",
                tag=name,
                digest=str(artifact.get("digest") or "")[:80],
                size=number(artifact.get("size")) or None,
                pushed_at=moment(artifact.get("push_time")),
                scan=_scan(as_object(artifact.get("scan_overview"))),
            )
            for name in names
            if TAG.fullmatch(name)
        ]

    async def _list(self, path: str, login: Login | None, params: Mapping[str, str], most: int) -> list[dict[str, Any]]:
        """All rows of a list, page by page, at most ``most``; none where Harbor does not show it."""
        rows: list[dict[str, Any]] = []
        for page in range(1, most // PAGE + 1):
            answer = await self._api(path, login, {**params, "page": str(page), "page_size": str(PAGE)})
            if answer.status in (401, 403, 404):
                return []
            found = [as_object(row) for row in self._rows(answer)]
            rows += found
            if not found or len(rows) >= _total(answer, len(rows)):
                break
        return rows

    async def _api(self, path: str, login: Login | None, params: Mapping[str, str]) -> Answer:
        return await self.service.request("GET", f"{self.section.url}/api/v2.0/{path}", auth=login, params=params)

    def _rows(self, answer: Answer) -> list[Any]:
        document = self._document(answer)
        if not isinstance(document, list):
            raise Unavailable(
                f"{self.section.title} does not answer as Harbor does. Tell the operators.", code="registry-down"
            )
        return document


def _total(answer: Answer, otherwise: int) -> int:
    text = answer.headers.get("x-total-count", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _scan(overview: dict[str, Any]) -> Scan | None:
    """The newest report of an artifact; a scan that runs or failed is none."""
    for report in map(as_object, overview.values()):
        if report.get("scan_status") == "Success":
            counts = as_object(as_object(report.get("summary")).get("summary"))
            return Scan(
                severity=str(report.get("severity") or "None")[:20],
                critical=number(counts.get("Critical")),
                high=number(counts.get("High")),
                scanned_at=moment(report.get("end_time")),
            )
    return None
