"""`python -m naas_local.store CONFIG`: the object store in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from naas_client import logs
from naas_client.errors import NaasError
from naas_client.files import secret_file

from naas_local.store import settings
from naas_local.store.files import Files
from naas_local.store.front import Front
from naas_local.store.identity import IdentityVerifier
from naas_local.store.keys import LongLivedKeys
from naas_local.store.owners import Owners
from naas_local.store.rclone import Rclone
from naas_local.store.sessions import SessionKeys
from naas_local.store.settings import ADMIN_KEY, StoreConfig
from naas_local.store.sts import TokenService
from naas_local.store.upstream import Upstream

READ_BUFFER = 1 << 20
"""Bytes read ahead on a connection; uploads are handled in pieces of this size."""
LONGEST_LINE = 32768
"""Bytes of a request line or header: presigned links carry a session token, keys are percent-encoded."""
STOP_LIMIT = 5.0
"""Seconds that requests in progress have when the store ends."""


@contextlib.asynccontextmanager
async def _front(config: StoreConfig, rclone: Rclone, secret: str) -> AsyncIterator[Front]:
    async with aiohttp.ClientSession() as http:
        reserved = frozenset({config.scratch_bucket} - {""})
        owners = Owners(config.data / "owners.json", config.issuer, reserved, config.kept_names)
        master = bytes.fromhex(secret_file(config.data / "session.key"))
        keys = SessionKeys(master)
        admin = secret_file(config.data / ADMIN_KEY)
        long_lived = LongLivedKeys(config.data / "keys.json", master, admin, owners)
        upstream = Upstream(rclone, secret)
        try:
            sts = TokenService(config, IdentityVerifier(config, http), owners, keys, admin)
            yield Front(config, sts, owners, keys, long_lived, upstream)
        finally:
            await upstream.close()


async def serve(config: StoreConfig) -> None:
    """Run until a signal comes. Raises Unavailable when rclone cannot be kept running, OSError when the port is taken."""
    files = Files(config.buckets)
    config.buckets.mkdir(mode=0o700, parents=True, exist_ok=True)
    if config.scratch_bucket:
        files.make_bucket(config.scratch_bucket)
    for folder in config.folders:
        files.make_bucket(folder.bucket)
        if folder.prefix:
            files.make_folder(folder.bucket, folder.below)
    secret = secret_file(config.data / "rclone.key")
    rclone, stopped = Rclone(config.data, secret), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with _running(rclone) as child, _front(config, rclone, secret) as front:
        runner = web.AppRunner(
            front.application(),
            access_log=None,
            auto_decompress=False,  # an object's own Content-Encoding is none of ours
            read_bufsize=READ_BUFFER,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            shutdown_timeout=STOP_LIMIT,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, config.host, config.port).start()
            await _until(stopped, child)
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def _running(rclone: Rclone) -> AsyncIterator[asyncio.Task[None]]:
    """rclone for as long as requests may come; it ends after the last of them."""
    child = asyncio.create_task(rclone.run())
    try:
        yield child
    finally:
        child.cancel()
        await asyncio.gather(child, return_exceptions=True)


async def _until(stopped: asyncio.Event, child: asyncio.Task[None]) -> None:
    """Wait for the signal. Raises Unavailable at rclone's final failure."""
    signalled = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({child, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if child.done():
            child.result()
    finally:
        signalled.cancel()


def main() -> int:
    """Read the settings named on the command line and serve."""
    logs.configure("store")
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m naas_local.store CONFIG\n")
        return 2
    try:
        asyncio.run(serve(settings.read(Path(sys.argv[1]))))
    except (NaasError, OSError, ValueError) as error:
        sys.stderr.write(f"The store cannot run: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
