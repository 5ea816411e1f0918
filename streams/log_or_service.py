"""Puts a few events where an embedded service reads them: into its log, or over HTTP while it runs.

While the service runs it alone may write to its log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from yarl import URL

from streams.log import EventLog, LogInUse
from streams.posting import Rejected, Sender

TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)


def put_events(directory: Path, lines: Sequence[bytes], url: URL, token: str | None) -> list[Rejected]:
    """Those that the running service refused; all others are durable. ``directory`` holds the service's data; ``url`` and
    ``token`` are how it is reached. Raises PostFailed."""
    # The log is a line an event; an event from elsewhere may hold line breaks between its fields.
    lines = [line.replace(b"\r", b" ").replace(b"\n", b" ") for line in lines]
    try:
        with EventLog(directory / "log") as log:
            log.append(lines)
    except LogInUse:
        return post_events(lines, url, token)
    return []


def post_events(lines: Sequence[bytes], url: URL, token: str | None) -> list[Rejected]:
    """Those that the service at ``url`` refused. Raises PostFailed."""

    async def send() -> list[Rejected]:
        async with aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as http:
            return await Sender(http, url, token).send(list(enumerate(lines, start=1)))

    return asyncio.run(send())
