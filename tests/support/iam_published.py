"""What an IAM publishes and signs, for tests of what the hub believes."""

from __future__ import annotations

import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from naas_client.errors import Unavailable

ISSUER = "https://iam.example.org"
CLIENT = "naas-hub"
NONCE = "nonce-of-this-browser"


class Published:
    """What an IAM publishes; tests change it, and count how often each address is read."""

    def __init__(self) -> None:
        self.rsa = RSAKey.generate_key(2048, {"kid": "rsa1", "use": "sig"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec1", "use": "sig"})
        self.keys: list[dict[str, Any]] = [self.rsa.as_dict(private=False), self.ec.as_dict(private=False)]
        self.metadata: Any = {
            "issuer": f"{ISSUER}/",
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "jwks_uri": f"{ISSUER}/jwk",
        }
        self.down = False
        self.reads: list[str] = []

    async def fetch(self, url: str) -> Any:
        """The document at an address of this IAM."""
        self.reads.append(url)
        if self.down:
            raise Unavailable("IAM does not answer.", code="iam-down")
        return {"keys": self.keys} if url.endswith("/jwk") else self.metadata

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good ID token, with changes; None leaves a claim out."""
        now = int(time.time())
        good = {"iss": ISSUER, "sub": "sub-alice", "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": NONCE}
        return {key: value for key, value in {**good, **changes}.items() if value is not None}

    def token(self, key: Any = None, *, alg: str = "RS256", kid: str | None = "rsa1", **changes: Any) -> str:
        """A signed ID token."""
        header = {"alg": alg, **({"kid": kid} if kid else {})}
        return jwt.encode(header, self.claims(**changes), key or self.rsa, algorithms=[alg])
