"""An issuer that signs whatever it is told to: for tokens that a real IAM would never give."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from naas_local.iam.keys import signing_key

SUBJECTS = {
    "alice": "0f1e2d3c-alice",
    "bob": "0f1e2d3c-bob",
    "erin": "0f1e2d3c-erin",
    "mallory": "0f1e2d3c-mallory",
}


class TokenIssuer:
    """Discovery and keys over HTTP, and `token` to sign claims. ``keys`` are the published ones, newest last."""

    def __init__(self) -> None:
        self.keys = [self.new_key("key-1")]
        self.userinfo: dict[str, Any] = {}
        self.requests: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @staticmethod
    def new_key(kid: str) -> RSAKey:
        return RSAKey.import_key({**signing_key(), "kid": kid})

    def claims(self, user: str, **changes: Any) -> dict[str, Any]:
        """The claims of a good token; a change to None removes one."""
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/",
            "sub": SUBJECTS[user],
            "aud": "object",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "preferred_username": user,
            "groups": ["users/naas", "users/s3"],
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(self, user: str, *, key: RSAKey | None = None, **changes: Any) -> str:
        key = key or self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, self.claims(user, **changes), key)

    def _answer(self, path: str) -> dict[str, Any] | None:
        return {
            "/.well-known/openid-configuration": {
                "issuer": f"{self.url}/",
                "jwks_uri": f"{self.url}/jwk",
                "userinfo_endpoint": f"{self.url}/userinfo",
            },
            "/jwk": {"keys": [key.as_dict(private=False) for key in self.keys]},
            "/userinfo": self.userinfo,
        }.get(path)

    def _handler(issuer) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                document = issuer._answer(self.path.replace("//", "/"))  # RGW asks //.well-known
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keep the tests' output clean."""

        return Handler

    @contextlib.contextmanager
    def running(self) -> Iterator[TokenIssuer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
