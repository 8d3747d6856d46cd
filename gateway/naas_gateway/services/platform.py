"""All services of one gateway, wired: the one place that knows who needs whom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from naas_client.settings import SharedSettings, read_secret

from naas_gateway.clients.healthchecks import Healthchecks, HealthchecksAdmin, Notifications
from naas_gateway.clients.hub import Hub
from naas_gateway.clients.iam import Credentials as ClientCredentials
from naas_gateway.clients.iam import Iam
from naas_gateway.clients.sts import Sts
from naas_gateway.db.engine import Database
from naas_gateway.db.keys import read_keys
from naas_gateway.db.migrate import migrate
from naas_gateway.services.access import Access
from naas_gateway.services.audit import Audit
from naas_gateway.services.broker import Broker
from naas_gateway.services.catalogue import CatalogueService
from naas_gateway.services.checks.budgets import Budgets
from naas_gateway.services.checks.changes import Changes
from naas_gateway.services.checks.follow import PAUSE, LabChannel
from naas_gateway.services.checks.looks import Looks
from naas_gateway.services.checks.own import OwnProjects
from naas_gateway.services.checks.projects import Projects
from naas_gateway.services.checks.service import Checks
from naas_gateway.services.checks.watch import EVERY, CheckWatcher
from naas_gateway.services.collaborations import SharedServers
from naas_gateway.services.credentials import Credentials
from naas_gateway.services.departures import Departures
from naas_gateway.services.duties import forever
from naas_gateway.services.events import LOOK, Events
from naas_gateway.services.gpus import Gpus
from naas_gateway.services.grants import Grants
from naas_gateway.services.health import HealthCheck
from naas_gateway.services.people import People
from naas_gateway.services.provisioners import make_provisioner
from naas_gateway.services.reasons import Reasons
from naas_gateway.services.registries import Registries
from naas_gateway.services.s3_keys import S3Keys
from naas_gateway.services.shared import GroupFolders
from naas_gateway.services.storage import Storage
from naas_gateway.services.tokens import AudienceTokens
from naas_gateway.services.watcher import Watcher

log = logging.getLogger(__name__)

MAINTAIN_EVERY = 1.0
"""Seconds between two looks for grants that are due; one indexed query."""
REVOKE_EVERY = 5.0
CLEAN_EVERY = 3600.0


def iam_clients(settings: SharedSettings) -> list[ClientCredentials]:
    """Our clients in IAM with their secrets. Raises InvalidInput for a missing, open or default secret."""
    iam = settings.iam
    first = ClientCredentials("first", iam.client_id, read_secret(iam.client_secret_file, "iam.client_secret_file"))
    if not iam.second_client_id:
        return [first]
    secret = read_secret(iam.second_client_secret_file, "iam.second_client_secret_file")
    return [first, ClientCredentials("second", iam.second_client_id, secret)]


class Platform:
    """The gateway without HTTP. Raises InvalidInput when a setting or secret is not usable."""

    def __init__(self, settings: SharedSettings) -> None:
        self.settings = settings
        self.owner = secrets.token_hex(8)
        """Names this process in leases."""
        self.hub_token = read_secret(settings.gateway.hub_token_file, "gateway.hub_token_file")
        self.iam = Iam(settings.iam, iam_clients(settings))
        self.hub = Hub(settings.gateway, self.hub_token)
        self.sts = Sts(settings.storage)
        self.keys = keys = read_keys(settings.gateway.keys_file)
        self.database = Database(settings.gateway.database_url)
        self.events = Events(self.database)
        self.audit = Audit(self.database)
        self.gpus = Gpus(self.database, self.events)
        self.reasons = Reasons(self.database, self.events)
        self.access = Access(settings)
        self.catalogue = CatalogueService(settings, self.access)
        self.grants = Grants(self.database, keys, self.events)
        self.broker = Broker(self.grants, self.iam)
        self.people = People(settings, self.database, self.grants, self.broker, self.iam)
        self.tokens = AudienceTokens(settings, self.broker, self.iam, self.audit)
        self.provisioner = make_provisioner(settings, self.sts.sites, self.iam, self.audit)
        folders = GroupFolders(settings.storage, self.people)
        self.credentials = Credentials(
            settings,
            self.people,
            self.access,
            self.broker,
            self.tokens,
            self.sts,
            self.provisioner,
            folders,
            self.audit,
        )
        self.storage = Storage(settings, self.credentials, self.provisioner, folders)
        self.shared_servers = SharedServers(settings, self.access, self.provisioner, folders, self.audit)
        self.s3_keys = S3Keys(
            settings,
            self.database,
            self.people,
            self.grants,
            self.access,
            self.credentials,
            self.provisioner,
            self.owner,
        )
        self.registries = Registries(settings.registries, self.database, keys, self.access)
        self.departures = Departures(self.people, self.grants, self.broker, self.hub)
        self.watcher = Watcher(
            settings,
            self.database,
            self.people,
            self.access,
            self.hub,
            self.reasons,
            self.departures,
            self.gpus,
            self.owner,
        )
        self.healthchecks = Healthchecks(settings.healthchecks) if settings.healthchecks.url else None
        self.checks: Checks | None = None
        self.check_watcher: CheckWatcher | None = None
        self.lab_channel: LabChannel | None = None
        if self.healthchecks is not None:
            self.checks, self.check_watcher = self._checks(self.healthchecks)
        self.health = HealthCheck(
            self.database, self.iam, self.sts, self.hub, self.broker, self.provisioner, self.healthchecks
        )

    def _checks(self, server: Healthchecks) -> tuple[Checks, CheckWatcher]:
        settings, own = self.settings.healthchecks, None
        if settings.admin_key_file is not None:
            admin_key = read_secret(settings.admin_key_file, "healthchecks.admin_key_file")
            admin = HealthchecksAdmin(settings, server.service, admin_key)
            own = OwnProjects(self.database, self.keys, admin, self.owner)
            notifications = Notifications(settings, admin_key)
            self.lab_channel = LabChannel(self.database, self.events, self.access, notifications)
        budgets = Budgets(self.database, settings.requests_per_minute)
        projects = Projects(settings, self.database, self.keys, self.access, server, budgets, own)
        looks = Looks(settings, server, projects, budgets)
        changes = Changes(settings, self.database, self.events, server, projects, looks)
        watcher = CheckWatcher(self.database, self.keys, self.events, self.access, looks, self.owner, own=own is None)
        return Checks(projects, looks, changes), watcher

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Migrate, re-encrypt, and do the recurring work for the length of the block; renewals that run are ended properly."""
        await migrate(self.database)
        if changed := await self.grants.reencrypt():
            log.info("%d tokens are now under the newest key", changed)
        tasks = [asyncio.create_task(work) for work in self._recurring()]
        try:
            yield
        finally:
            self.events.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.broker.drain()
            for outside in (self.iam.service, self.sts, self.hub.service):
                await outside.close()
            await self.registries.close()
            if self.healthchecks is not None:
                await self.healthchecks.service.close()
            if self.lab_channel is not None:
                await self.lab_channel.server.service.close()
            await self.database.close()

    def _recurring(self) -> list[Coroutine[Any, Any, None]]:
        follow = self.events.listen if self.database.is_postgres else self.events.look
        return [
            forever(self.broker.maintain, MAINTAIN_EVERY, self.broker.wake),
            forever(self.broker.revoke, REVOKE_EVERY, self.broker.wake_revoking),
            forever(self.watcher.tick, self.watcher.every / 3),
            forever(self.s3_keys.tick, self.s3_keys.every / 3),
            *([forever(self.check_watcher.tick, EVERY / 3)] if self.check_watcher else []),
            *([forever(self.lab_channel.follow, PAUSE)] if self.lab_channel else []),
            forever(self.catalogue.tick, self.catalogue.every),
            forever(follow, LOOK),
            forever(self.events.forget_old, CLEAN_EVERY),
            forever(self.reasons.forget_old, CLEAN_EVERY),
        ]
