"""Registries of images: people's logins there, kept encrypted and told only to the hub, and what can be chosen with them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable

from naas_client.errors import Forbidden, InvalidInput, NaasError, NotFound, Unavailable
from naas_client.images import ImageName
from naas_client.models import (
    Claims,
    ImagePage,
    NewRegistryLogin,
    Page,
    RegistryCredentials,
    RegistryImage,
    RegistryLogin,
    TagPage,
)
from naas_client.registries import RegistrySection
from pydantic import SecretStr
from sqlalchemy import Select, delete, select, update

from naas_gateway.clients.harbor import Harbor
from naas_gateway.clients.registry import Login, Registry
from naas_gateway.clock import seconds, utcnow
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import Keyring, Unreadable
from naas_gateway.db.tables import IdentityRow, RegistryLoginRow
from naas_gateway.services import audit
from naas_gateway.services.access import Access
from naas_gateway.services.paging import part_of, position

LIMIT = 8.0
"""Seconds for all that is asked of one registry for one answer."""
BELIEVED = 300.0
"""Seconds for which a login that the registry accepted is taken to be good."""
REFUSED_AGAIN = 30.0
"""Seconds after which one that it refused is tried again: at Harbor a new sign-in there makes the same secret good."""
KEPT = 30.0
"""Seconds that a list of repositories is kept, so that somebody who types a search asks the registry once."""
MOST_KEPT = 200


class Registries:
    """The site's registries, for everybody."""

    def __init__(self, sections: Iterable[RegistrySection], database: Database, keys: Keyring, access: Access) -> None:
        kinds = {"harbor": Harbor, "docker": Registry}
        self._registries = {section.host: kinds[section.kind](section) for section in sections}
        self._database, self._keys, self._access = database, keys, access
        self._lists: dict[tuple[str, Login | None, str], tuple[float, list[RegistryImage]]] = {}

    async def close(self) -> None:
        """Close all connections."""
        for registry in self._registries.values():
            await registry.service.close()

    # Logins

    async def logins(self, row: IdentityRow, claims: Claims) -> Page[RegistryLogin]:
        """The site's registries, each with the person's login."""
        self._require_open(claims)
        kept = {login.host: login for login in await self._kept(row)}
        items = [_document(registry.section, kept.get(host)) for host, registry in self._registries.items()]
        return Page(items=items, total=len(items))

    async def set(self, row: IdentityRow, claims: Claims, host: str, new: NewRegistryLogin) -> RegistryLogin:
        """Keep a login that the registry accepts, in place of an older one. Raises InvalidInput, NotFound or Unavailable."""
        self._require_open(claims)
        registry = self._registry(host)
        username = new.username or row.preferred_username
        secret = new.secret.get_secret_value()
        async with _in_time(registry):
            if await registry.accepts(None):
                raise InvalidInput(
                    f"{registry.section.title} is open to everybody; no login is needed.", code="no-login-needed"
                )
            if not await registry.accepts((username, secret)):
                raise InvalidInput(
                    f"{registry.section.title} does not accept this login. {_how_to_get_one(registry.section)}",
                    code="wrong-login",
                )
        now = utcnow()
        values = {
            "username": username,
            "secret": self._keys.encrypt(secret),
            "key_id": self._keys.newest,
            "refused": False,
            "set_at": now,
            "checked_at": now,
        }
        async with self._database.write() as session:
            await session.get(IdentityRow, row.id, with_for_update=True)  # one at a time looks and adds
            login = await session.scalar(_of(row, host))
            if login is None:
                login = RegistryLoginRow(user_id=row.id, host=host, **values)
                session.add(login)
            else:
                for name, value in values.items():
                    setattr(login, name, value)
            audit.add(session, row.name, "registry-login.set", host, username=username)
        return _document(registry.section, login)

    async def forget(self, row: IdentityRow, host: str) -> None:
        """Forget a person's login; none is no error."""
        gone = delete(RegistryLoginRow).where(RegistryLoginRow.user_id == row.id, RegistryLoginRow.host == host)
        async with self._database.write() as session:
            if (await session.execute(gone.returning(RegistryLoginRow.id))).first() is not None:
                audit.add(session, row.name, "registry-login.delete", host)

    async def credentials(self, row: IdentityRow, host: str) -> RegistryCredentials:
        """A person's login, for the hub. Raises NotFound: ``no-registry-login``, or ``bad-registry-login`` when there is no good one."""
        login, trouble = await self._login(row, self._registry(host))
        if login is None:
            code = "bad-registry-login" if trouble else "no-registry-login"
            raise NotFound(trouble or "No login is kept for this registry.", code=code)
        return RegistryCredentials(username=login[0], secret=SecretStr(login[1]))

    async def _kept(self, row: IdentityRow) -> list[RegistryLoginRow]:
        async with self._database.read() as session:
            return list(await session.scalars(select(RegistryLoginRow).where(RegistryLoginRow.user_id == row.id)))

    async def _login(self, row: IdentityRow, registry: Registry) -> tuple[Login | None, str]:
        """A person's login, and what is wrong with it: one that is refused is not used."""
        section = registry.section
        async with self._database.read() as session:
            kept = await session.scalar(_of(row, section.host))
        if kept is None:
            return None, ""
        try:
            login = (kept.username, self._keys.decrypt(kept.secret))
        except Unreadable:
            return None, f"Your login at {section.title} cannot be read any more. Give it again with `%image login`."
        refused = kept.refused
        if kept.checked_at < utcnow() - seconds(REFUSED_AGAIN if refused else BELIEVED):
            refused = not await registry.accepts(login)
            checked = update(RegistryLoginRow).where(
                RegistryLoginRow.id == kept.id, RegistryLoginRow.secret == kept.secret
            )
            async with self._database.write() as session:
                await session.execute(checked.values(refused=refused, checked_at=utcnow()))
        if refused:
            return None, f"{section.title} does not accept your login any more. {_how_to_get_one(section)}"
        return login, ""

    # Images

    async def images(
        self, row: IdentityRow, claims: Claims, search: str, host: str, project: str, limit: int, cursor: str | None
    ) -> ImagePage:
        """Repositories that contain the text, by name. A registry that does not answer hides no other."""
        self._require_open(claims)
        wanted = [self._registry(host)] if host else list(self._registries.values())
        position(cursor)  # refused before a registry is asked
        found = await asyncio.gather(*(self._tried(row, claims, registry, project) for registry in wanted))
        text = search.casefold()
        images = [one for part, _ in found for one in part if text in f"{one.image} {one.description}".casefold()]
        items, following = part_of(images, limit, cursor)
        return ImagePage(
            items=items,
            total=len(images),
            next=following,
            troubles=[trouble for _, trouble in found if trouble],
        )

    async def tags(
        self, row: IdentityRow, claims: Claims, image: str, tag: str, limit: int, cursor: str | None
    ) -> TagPage:
        """Tags of an image, or (with ``tag``) that one. Raises NotFound where there is none such, or none for this person."""
        self._require_open(claims)
        name = ImageName.parse(image)
        registry = self._registry(name.registry)
        if not registry.section.shows(name.repository.partition("/")[0], claims.groups):
            raise NotFound(f"{name.registry}/{name.repository} is not offered to your groups.", code="no-such-image")
        begin = (position(cursor) or 0) // limit * limit
        async with _in_time(registry):
            login, trouble = await self._login(row, registry)
            try:
                items, total = await registry.tags(login, name.repository, begin, limit, tag)
            except NotFound as error:
                raise NotFound(trouble or error.message, code=error.code) from None
        following = str(begin + limit) if begin + limit < total else None
        return TagPage(items=items, total=total, next=following, troubles=[trouble] if trouble else [])

    async def _tried(
        self, row: IdentityRow, claims: Claims, registry: Registry, project: str
    ) -> tuple[list[RegistryImage], str]:
        """What a registry shows a person, or why nothing."""
        try:
            async with _in_time(registry):
                return await self._listed(row, claims, registry, project)
        except NaasError as error:
            return [], error.message

    async def _listed(
        self, row: IdentityRow, claims: Claims, registry: Registry, project: str
    ) -> tuple[list[RegistryImage], str]:
        """What a registry shows a person, in the order of names; and what is wrong with their login there."""
        login, trouble = await self._login(row, registry)
        section = registry.section
        if project:
            projects = [project] if section.shows(project, claims.groups) else []
        else:
            projects = [name for name in section.projects or [""] if section.shows(name, claims.groups)]
        lists = await asyncio.gather(*(self._repositories(registry, login, name) for name in projects))
        return sorted((image for images in lists for image in images), key=lambda image: image.image), trouble

    async def _repositories(self, registry: Registry, login: Login | None, project: str) -> list[RegistryImage]:
        key, now = (registry.section.host, login, project), time.monotonic()
        if (kept := self._lists.get(key)) and now - kept[0] < KEPT:
            return kept[1]
        found = await registry.repositories(login, project)
        self._lists = {key: value for key, value in self._lists.items() if now - value[0] < KEPT}
        if len(self._lists) < MOST_KEPT:
            self._lists[key] = (now, found)
        return found

    def _require_open(self, claims: Claims) -> None:
        if not (allowed := self._access.capability("images", claims)).allowed:
            raise Forbidden(allowed.reason, code="no-capability")

    def _registry(self, host: str) -> Registry:
        if (registry := self._registries.get(host)) is None:
            known = ", ".join(self._registries) or "none"
            raise NotFound(f"That is none of this site's registries. There are: {known}.", code="no-such-registry")
        return registry


@contextlib.asynccontextmanager
async def _in_time(registry: Registry) -> AsyncIterator[None]:
    """Give a registry `LIMIT` seconds. Raises Unavailable after them."""
    try:
        async with asyncio.timeout(LIMIT):
            yield
    except TimeoutError:
        raise Unavailable(
            f"{registry.section.title} is too slow now. Try again in a minute.", code="registry-slow"
        ) from None


def _of(row: IdentityRow, host: str) -> Select[RegistryLoginRow]:
    return select(RegistryLoginRow).where(RegistryLoginRow.user_id == row.id, RegistryLoginRow.host == host)


def _how_to_get_one(section: RegistrySection) -> str:
    if section.kind == "docker":
        return "Check name and password, and give them again with `%image login`."
    return f"Sign in at {section.url}, copy the CLI secret from your user profile, and give it with `%image login`."


def _document(section: RegistrySection, login: RegistryLoginRow | None) -> RegistryLogin:
    document = RegistryLogin(
        registry=section.host,
        title=section.title,
        url=section.url,
        kind=section.kind,
        proxy_caches=section.proxy_caches,
    )
    if login is None:
        return document
    state = "refused" if login.refused else "good"
    return document.model_copy(update={"username": login.username, "state": state, "set_at": login.set_at})
