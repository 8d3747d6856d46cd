"""A person with a browser, without the browser: signs in through hub and IAM, starts a server, runs code in its kernel."""

from __future__ import annotations

import contextlib
import json
import ssl
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import websocket
from waiting import wait_for

LIMIT = 60.0
"""Seconds for a word from a kernel."""


class _Form(HTMLParser):
    """The first form of a page: its address and fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = values.get("action") or ""
        elif tag == "input" and values.get("name") and values.get("type") != "submit":
            self.fields[str(values["name"])] = values.get("value") or ""


class HubSession:
    """One signed-in person.

    Parameters: ``url``, the hub's public address; ``name``, a demo user (the password is the name); ``tls``, whom to trust, for https.
    """

    def __init__(self, url: str, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.url, self.name, self.tls = url, name, tls
        self.http = httpx.Client(
            base_url=url, timeout=30, headers={"Sec-Fetch-Site": "same-origin"}, verify=tls or True
        )

    def __enter__(self) -> HubSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def sign_in(self, password: str | None = None) -> httpx.Response:
        """Walk from the hub through IAM's login page and back; the answer is the page where it ends."""
        answer = self.http.get("/hub/oauth_login?next=%2Fhub%2Fhome", follow_redirects=True)
        return self.submit(answer, {"username": self.name, "password": password or self.name})

    def submit(self, answer: httpx.Response, fields: dict[str, str] | None = None) -> httpx.Response:
        """Send the first form of a page, as a browser (or its script) does."""
        form = _Form()
        form.feed(answer.text)
        page = urlsplit(str(answer.url))
        origin = {"Origin": f"{page.scheme}://{page.netloc}"}
        data = {**form.fields, **(fields or {})}
        return self.http.post(
            urljoin(str(answer.url), form.action or ""), data=data, headers=origin, follow_redirects=True
        )

    def sign_out(self) -> httpx.Response:
        """Sign out of hub and IAM; IAM's page presses its button by itself in a browser."""
        return self.submit(self.http.get("/hub/logout", follow_redirects=True), {"logout": "yes"})

    @property
    def xsrf(self) -> dict[str, str]:
        """The header for writes: the cookie of the path in question, echoed."""
        tokens = [cookie.value for cookie in self.http.cookies.jar if cookie.name == "_xsrf" and cookie.path == "/hub/"]
        return {"X-XSRFToken": tokens[0] or ""} if tokens else {}

    def hub(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of the hub's API with this person's session."""
        return self.http.request(
            method, f"/hub/api{path}", headers={**self.xsrf, "Referer": f"{self.url}/hub/home"}, **more
        )

    def start_server(self, **options: Any) -> None:
        """Start the default server and wait until it answers this session."""
        answer = self.hub("POST", f"/users/{self.name}/server", json=options)
        assert answer.status_code in (201, 202), answer.text
        wait_for(self._server_ready, f"the server of {self.name}")
        lab = self.http.get(f"/user/{self.name}/lab", follow_redirects=True)
        assert lab.status_code == 200, lab.text[:500]

    def _server_ready(self) -> bool:
        servers = self.hub("GET", f"/users/{self.name}").json().get("servers", {})
        return bool(servers.get("", {}).get("ready"))

    def wait_connected(self) -> None:
        """Wait until all folders of the server are listed and read."""

        def connected() -> bool:
            status = self.server("GET", "naas/api/storage").json()
            return status["state"] == "mounted" and all(folder["state"] == "ok" for folder in status["folders"])

        wait_for(connected, f"the folders of {self.name}")

    def stop_server(self) -> None:
        """Stop the default server and wait until it is gone."""
        assert self.hub("DELETE", f"/users/{self.name}/server").status_code in (202, 204)
        wait_for(
            lambda: not self.hub("GET", f"/users/{self.name}").json().get("servers"), f"the end of {self.name}'s server"
        )

    def server(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of the person's own Jupyter server."""
        prefix = f"/user/{self.name}/"
        tokens = [cookie.value for cookie in self.http.cookies.jar if cookie.name == "_xsrf" and cookie.path == prefix]
        headers = {"X-XSRFToken": tokens[0] or ""} if tokens else {}
        return self.http.request(method, prefix + path.lstrip("/"), headers=headers, **more)

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """A kernel for the length of a `with` block."""
        answer = self.server("POST", "api/kernels", json={"name": "python3"})
        assert answer.status_code == 201, answer.text
        kernel = Kernel(self, answer.json()["id"])
        try:
            yield kernel
        finally:
            kernel.close()
            self.server("DELETE", f"api/kernels/{kernel.id}")


class Kernel:
    """A running kernel over its websocket (Jupyter messaging protocol, JSON form)."""

    def __init__(self, session: HubSession, kernel_id: str) -> None:
        self.id = kernel_id
        base = session.url.replace("http", "ws", 1)
        address = f"{base}/user/{session.name}/api/kernels/{kernel_id}/channels"
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.http.cookies.jar)
        trusted = {"context": session.tls} if session.tls else None
        self.socket = websocket.create_connection(
            address, timeout=LIMIT, cookie=cookies, origin=session.url, sslopt=trusted
        )

    def close(self) -> None:
        """Leave the kernel; it goes on."""
        self.socket.close()

    def run(self, code: str) -> str:
        """What the code prints; an exception in it fails the test with its traceback."""
        message_id = uuid.uuid4().hex
        header = {
            "msg_id": message_id,
            "msg_type": "execute_request",
            "username": "",
            "session": "tests",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message))
        printed = ""
        while True:
            answer = json.loads(self.socket.recv())
            if answer["parent_header"].get("msg_id") != message_id:
                continue
            kind, body = answer["msg_type"], answer["content"]
            if kind == "stream":
                printed += body["text"]
            elif kind == "error":
                raise AssertionError("\n".join(body["traceback"]))
            elif kind == "status" and body["execution_state"] == "idle":
                return printed
