"""Requests to rclone: signed with the one key, bodies streamed, answers handed on."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from naas_local.store import sigv4
from naas_local.store.address import encode_path, encode_query
from naas_local.store.body import Body
from naas_local.store.errors import S3Error
from naas_local.store.rclone import ACCESS_KEY, REMOTE, Rclone

REGION = "us-east-1"
SMALL_BODY = 1 << 20
"""Bytes up to which a body is read and verified before rclone hears of it."""
CONNECTIONS = 256
STATS_AT_ONCE = 16
"""Objects of a listing that rclone looks at together."""
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=900)
"""Seconds; a server-side copy or the last step of an upload of many GiB answers only when it is done."""
READY_TIMEOUT = aiohttp.ClientTimeout(total=1.5)

Query = Iterable[tuple[str, str]]
Content = bytes | AsyncIterator[bytes]


class Upstream:
    """The way to rclone."""

    def __init__(self, rclone: Rclone, secret: str) -> None:
        self._rclone, self._secret = rclone, secret
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def answers(self) -> bool:
        """Whether rclone serves now."""
        try:
            async with self.send("GET", "/", timeout=READY_TIMEOUT) as answer:
                return answer.status == 200
        except S3Error:
            return False

    async def etags(self, bucket: str, keys: list[str]) -> list[str]:
        """The ETags of objects, in one question to rclone's remote control; empty for those that are not there.

        Raises S3Error: SlowDown when rclone does not answer.
        """
        options = {"showHash": True, "hashTypes": ["md5"], "filesOnly": True, "noModTime": True, "noMimeType": True}
        ask = {"_path": "operations/stat", "fs": f"{REMOTE}{bucket}", "opt": options}
        wish = {"concurrency": STATS_AT_ONCE, "inputs": [{**ask, "remote": key} for key in keys]}
        if not keys:
            return []
        if not self._rclone.control:
            raise _unavailable()
        try:
            asking = self._http.post(
                f"{self._rclone.control}/job/batch",
                data=json.dumps(wish).encode(),
                headers={"Content-Type": "application/json"},
                auth=aiohttp.BasicAuth(ACCESS_KEY, self._secret),
            )
            async with asking as answer:
                results = (await answer.json())["results"]
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
            raise _unavailable() from error
        return [((one.get("item") or {}).get("Hashes") or {}).get("md5", "") for one in results]

    @contextlib.asynccontextmanager
    async def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        headers: CIMultiDict[str] | None = None,
        content: Content | None = None,
        length: int = 0,
        body: Body | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer of rclone. Parameters: ``path`` decoded; ``body`` the caller's, or ``content`` of ``length`` bytes.

        Raises S3Error: what was wrong with the body, or SlowDown when rclone does not answer.
        """
        if body is not None:
            length = body.length
            content = await body.read(SMALL_BODY) if length <= SMALL_BODY else body.verified()
        if not self._rclone.url:
            raise _unavailable()
        url = URL(f"{self._rclone.url}{encode_path(path)}?{encode_query(query)}".rstrip("?"), encoded=True)
        signed = self._sign(method, path, query, headers or CIMultiDict(), url)
        signed["Content-Length"] = str(length)
        try:
            answer = await self._http.request(method, url, headers=signed, data=content or None, timeout=timeout)
        except (aiohttp.ClientError, OSError) as error:
            raise (body and body.error) or _unavailable() from error
        try:
            yield answer
        finally:
            answer.release()

    def _sign(self, method: str, path: str, query: Query, headers: CIMultiDict[str], url: URL) -> CIMultiDict[str]:
        now = dt.datetime.now(dt.UTC).strftime(sigv4.TIME_FORMAT)
        signed = CIMultiDict(headers)
        signed.update({"Host": url.raw_authority, "x-amz-date": now, "x-amz-content-sha256": sigv4.UNSIGNED})
        names = sorted({"host", *(name.lower() for name in signed if name.lower().startswith("x-amz-"))})
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        request = sigv4.canonical_request(method, path, query, signed, names, sigv4.UNSIGNED)
        key = sigv4.signing_key(self._secret, now[:8], REGION)
        signature = sigv4.sign(key, sigv4.ALGORITHM, now, scope, sigv4.digest(request))
        signed["Authorization"] = (
            f"{sigv4.ALGORITHM} Credential={ACCESS_KEY}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return signed


def source_header(bucket: str, key: str) -> str:
    """``x-amz-copy-source`` as rclone reads it: it decodes ``+`` to a space, so everything special is percent-encoded."""
    return quote(f"{bucket}/{key}", safe="/-_.~")


def _unavailable() -> S3Error:
    return S3Error("SlowDown", "The store is just starting again. Try again in a few seconds.")
