"""A real JupyterHub with our pages and form, and a spawner whose progress and pace the test decides: a jupyterhub_config.py.

``PAGES_HUB`` names a JSON file: ports, data folder, and ``script``, a file (a JSON document a line) in which the test says when a
step of a start is over: ``{"place": ""}``, ``{"folders": "trouble or nothing"}``, ``{"image": ""}``; ``{"fail": "sentence"}`` ends it.
``{"gpus": [GpuState, …]}`` is what the gateway would say of GPUs, the last one counts.
"""

import asyncio
import datetime as dt
import json
import os
import sys
from pathlib import Path

from jupyterhub.auth import DummyAuthenticator
from jupyterhub.handlers import BaseHandler
from jupyterhub.spawner import SimpleLocalProcessSpawner
from naas_authenticator.refusal import NotAdmitted, open_groups, page_context
from naas_client.errors import Unavailable
from naas_client.models import Claims, GpuState, StopReason, StoragePlan
from naas_client.settings import validate
from naas_hub import pages
from naas_hub.settings import SiteSettings
from naas_spawner import phases
from naas_spawner.mixin import NaasSpawnerMixin

HUB = json.loads(Path(os.environ["PAGES_HUB"]).read_text())
SETTINGS = validate(HUB["settings"], SiteSettings, "the test")
SCRIPT = Path(HUB["script"])
SERVER = """
import http.server, os, urllib.parse
address = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
class Lab(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/html"); self.end_headers()
        self.wfile.write(b"<title>Lab</title>the lab of the test")
http.server.ThreadingHTTPServer((address.hostname, address.port), Lab).serve_forever()
"""


async def said(step):
    """What the test says about a step of the start, as soon as it has written ``{step: …}``. Raises what it says with ``fail``."""
    end = asyncio.get_running_loop().time() + 60
    while asyncio.get_running_loop().time() < end:
        for document in map(json.loads, SCRIPT.read_text().splitlines()):  # noqa: ASYNC240 - a small local file
            if document.get("fail"):
                raise Unavailable(document["fail"], code="test")
            if step in document:
                return document[step]
        await asyncio.sleep(0.05)
    raise Unavailable(f"The test said nothing about {step} within 60 s.", code="test")


class ScriptedSpawner(NaasSpawnerMixin, SimpleLocalProcessSpawner):
    """The mixin on top of a small web server; each step is over when the test says so."""

    phases = (phases.GROUPS, phases.BUCKET, phases.FOLDERS, phases.PLACE, phases.IMAGE, phases.SERVER, phases.LAB)
    home_dir_template = str(Path(HUB["data"]) / "{username}")

    def get_args(self):
        return []

    async def gpu_states(self):
        documents = map(json.loads, SCRIPT.read_text().splitlines())  # noqa: ASYNC240 - a small local file
        told = [document["gpus"] for document in documents if "gpus" in document]
        return [GpuState.model_validate(state) for state in told[-1]] if told else None

    async def prepare_storage(self):
        return StoragePlan(folders=[{"name": self.user.name, "bucket": self.user.name}])

    async def place(self):
        await said("place")

    async def connect_folders(self, _plan):
        return await said("folders")

    async def launch(self, progress):
        progress.begin(phases.IMAGE, "1.4 of 3.4 GiB, 66 MiB/s")
        await said("image")
        progress.end(phases.IMAGE, "3.4 GiB")
        progress.begin(phases.SERVER)
        address = await SimpleLocalProcessSpawner.start(self)
        progress.end(phases.SERVER)
        progress.begin(phases.LAB)
        progress.end(phases.LAB)
        return "http://{}:{}".format(*address)

    async def end_server(self, now):
        await SimpleLocalProcessSpawner.stop(self, now)


for phase, seconds in {"image": 52, "server": 2, "lab": 1, "": 55}.items():
    ScriptedSpawner.usual.add("standard", phase, seconds)


class RefusedHandler(BaseHandler):
    async def get(self):
        claims = Claims(
            issuer="https://iam.cloud.example.org",
            subject="3fa1c0de-0000-4000-8000-000000000091",
            preferred_username="carol",
            email="carol@example.org",
            groups=[],
            fetched_at=dt.datetime.now(dt.UTC),
        )
        texts = {name: group.model_dump() for name, group in SETTINGS.groups.items()}
        groups = open_groups(["users/naas", "developers"], texts, claims.issuer)
        context = page_context(
            NotAdmitted(claims), groups=groups, contact=SETTINGS.site.contact, sign_in_url="/hub/login"
        )
        self.set_status(403)
        self.finish(await self.render_template("naas_refused.html", **context))


class Gate(DummyAuthenticator):
    login_service = "INDIGO IAM"
    allow_all = True

    def get_handlers(self, app):
        return [*super().get_handlers(app), ("/refused", RefusedHandler)]


async def reasons(name):
    return [StopReason.model_validate(reason) for reason in HUB["reasons"].get(name, [])]


c = get_config()  # noqa: F821 - traitlets provides it
c.JupyterHub.bind_url = HUB["url"]
c.JupyterHub.hub_port = HUB["hub_port"]
c.JupyterHub.db_url = f"sqlite:///{HUB['data']}/hub.sqlite"
c.JupyterHub.cookie_secret = b"x" * 32
c.JupyterHub.authenticator_class = Gate
c.JupyterHub.spawner_class = ScriptedSpawner
c.JupyterHub.load_groups = {name: {"users": users} for name, users in HUB["groups"].items()}
c.NaasSpawnerMixin.profiles = HUB["settings"]["profiles"]
c.NaasSpawnerMixin.storage_groups = ["users/s3"]
c.NaasSpawnerMixin.group_notes = {name: group.model_dump() for name, group in SETTINGS.groups.items()}
c.NaasSpawnerMixin.join_url = SETTINGS.iam.issuer
c.NaasSpawnerMixin.contact = SETTINGS.site.contact
c.JupyterHub.template_paths = pages.TEMPLATE_PATHS
c.JupyterHub.template_vars = pages.template_vars(SETTINGS, reasons)
c.Spawner.cmd = [sys.executable, "-c", SERVER]
c.Authenticator.admin_users = {"dana"}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_proxy = True
c.ConfigurableHTTPProxy.command = [HUB["proxy"]]
c.ConfigurableHTTPProxy.api_url = HUB["proxy_api"]
c.ConfigurableHTTPProxy.auth_token = HUB["token"]
c.ConfigurableHTTPProxy.pid_file = f"{HUB['data']}/proxy.pid"
