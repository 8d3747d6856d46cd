"""Somebody's own computer: a home folder of its own, the `naas` command in processes, and a person with a browser beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_app import Gateway, HubStandIn, gateway_app
from iam_login import browser, follow, post_form
from naas_client.laptop.iam import DeviceCode, LaptopIam, configuration_of
from naas_client.laptop.person import LaptopPerson, session_of
from naas_client.laptop.sessions import Session, Sessions
from naas_local.iam import CLI_CLIENT, EmbeddedIam, embedded_iam
from naas_local.store import EmbeddedStore, embedded_store

NAAS = str(Path(sys.executable).with_name("naas"))
LIMIT = 60.0
"""Seconds for a command."""
ADDRESS = re.compile(r"https?://\S+user_code=\S+")


def confirm(address: str, username: str, *, refuse: bool = False) -> None:
    """What the person does in a browser at the address with the code in it; the password is the name."""
    with browser() as window:
        asked = post_form(window, window.get(address))
        if refuse:
            assert "You refused" in post_form(window, asked, abort="yes").text
            return
        page = follow(window, post_form(window, asked), "-")
        done = follow(window, post_form(window, page, username=username, password=username), "-")
        assert "Device connected" in done.text, done.text


@dataclass
class Laptop:
    """One account on one computer. ``home`` is its home folder."""

    home: Path

    @property
    def config(self) -> Path:
        """Where its sign-ins are."""
        return self.home / ".config" / "naas"

    @property
    def environment(self) -> dict[str, str]:
        """Of its programs; no display, so no browser is opened."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}

    @property
    def sessions(self) -> Sessions:
        """Its sign-ins, as the command keeps them."""
        return Sessions(self.config)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A `naas` command that goes on."""
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [NAAS, *arguments], env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, text=True, **streams
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `naas` command and its end."""
        process = self.start(*arguments)
        try:
            output, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def say(self, *arguments: str) -> str:
        """What a command prints that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def login(self, service: str, username: str, *, refuse: bool = False) -> subprocess.CompletedProcess[str]:
        """`naas login`, with the person in a browser at the address it shows."""
        process = self.start("login", service, "--no-browser")
        assert process.stdout is not None
        assert process.stderr is not None
        ending = threading.Timer(LIMIT, process.kill)
        ending.start()
        try:
            shown = ""
            while not (found := ADDRESS.search(shown)) and (line := process.stdout.readline()):
                shown += line
            if found:
                confirm(found[0], username, refuse=refuse)
            shown += process.stdout.read()
            errors = process.stderr.read()
            process.wait(LIMIT)
        finally:
            ending.cancel()
            process.kill()
        return subprocess.CompletedProcess(("login",), process.returncode, shown, errors)

    def sign_in(self, service: str, username: str) -> LaptopPerson:
        """The same without processes, and without the seconds between two questions."""
        configuration = configuration_of(service)
        with LaptopIam(service, configuration) as iam:
            code: DeviceCode = iam.begin()
            tokens = iam.wait(code, lambda _seconds: confirm(code.complete_address, username))
        self.sessions.save(session_of(service, configuration, tokens))
        self.sessions.choose(service)
        return LaptopPerson(self.sessions, service)

    def change_session(self, service: str, **values: Any) -> Session:
        """The sign-in at a service with some values changed."""
        session = self.sessions.load(service).model_copy(update=values)
        self.sessions.save(session)
        return session

    def secrets(self) -> list[str]:
        """Everything secret that is kept."""
        found: list[str] = []
        for path in self.config.glob("*"):
            with contextlib.suppress(ValueError):
                found += _strings(json.loads(path.read_text() or "null"))
        return [text for text in found if len(text) > 100 or text.startswith("ey")]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [value] if isinstance(value, str) else []


@dataclass
class Site:
    """IAM, store and gateway, reached as a service is from outside; the hub is a stand-in."""

    iam: EmbeddedIam
    store: EmbeddedStore
    gateway: Gateway
    hub: HubStandIn

    @property
    def url(self) -> str:
        """The address to sign in to."""
        return self.gateway.url

    def stop_store(self) -> None:
        """The store answers no more."""
        self.store.stop()

    def start_store(self) -> None:
        """Start it again if it is stopped, with its data at its address."""
        self.store.start()


@contextlib.contextmanager
def laptop_site(folder: Path, **storage: Any) -> Iterator[Site]:
    """A service where alice has been before: her bucket is there, with a file. Parameters: ``storage``, settings of that section."""
    with (
        embedded_iam(folder) as iam,
        embedded_store(folder / "store", iam.issuer) as store,
        HubStandIn().serving() as hub,
        gateway_app(
            folder / "gateway",
            iam,
            iam={"cli_client_id": CLI_CLIENT},
            gateway={"hub_api_url": hub.url, "public_hub_url": "https://hub.example.org"},
            storage={"url": store.url, "admin_secret_key_file": str(store.admin_key_file), **storage},
        ) as gateway,
    ):
        hub.service_token = gateway.hub_token
        gateway.sign_in("alice")
        assert not gateway.hub.prepare_storage("alice").degraded
        (store.buckets / "alice" / "welcome.txt").write_text("hello alice\n")
        site = Site(iam, store, gateway, hub)
        try:
            yield site
        finally:
            site.stop_store()
