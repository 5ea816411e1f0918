"""Sending a history of events to a running service (docs/gateway.md), batch by batch, in the file's order.

Rules:
1. A line is accepted only when the service has said so; the service's answer has to add up to what was sent.
2. What the service asks to be sent later is sent later (Retry-After), what it refuses for good is handed back with its
   line, and a batch that is too large is halved.
3. Sending the same again does no harm: the service drops repeats of a source and id. So an answer that got lost is
   asked for again.
4. The token goes to the address that the user named and nowhere else: redirects are not followed, and proxies of the
   environment are not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import aiohttp
import msgspec
from aiohttp import hdrs
from msgspec import Struct
from yarl import URL

from schemas.errors import PlumblineError, Problem

MAX_LINE_BYTES = 10_000_000
MAX_BATCH_BYTES = 4_000_000
PATIENCE_S = 600.0
_MAX_WAIT_S = 300.0
_RETRIED = frozenset({429, 500, 502, 503, 504})

Line = tuple[int, bytes]
"""(number in the file from 1, the line without its end)"""


class PostFailed(PlumblineError):
    """The service does not take events at all: stop, and say so."""


class Rejected(Struct, frozen=True):
    """One line that the service refuses for good."""

    line: int
    body: bytes
    problem: Problem


class _RefusedEvent(Struct):
    index: int
    code: str
    where: str
    what: str
    remedy: str


class _Answer(Struct):
    accepted: int = 0
    rejected: list[_RefusedEvent] = []
    errors: list[_RefusedEvent] = []
    detail: str = ""


_answer = msgspec.json.Decoder(_Answer)


def read_batches(file: BinaryIO, batch: int) -> Iterator[tuple[list[Line], list[Rejected]]]:
    """Batches of at most ``batch`` lines, blank ones left out; and lines that no service would take."""
    lines: list[Line] = []
    rejected: list[Rejected] = []
    size = number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            rejected.append(Rejected(number, raw[:1000], _too_large(MAX_LINE_BYTES)))
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE_BYTES)
            continue
        line = raw.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").strip(b" \t\r\n")
        if not line:
            continue
        if lines and (len(lines) >= batch or size + len(line) > MAX_BATCH_BYTES):
            yield lines, rejected
            lines, rejected, size = [], [], 0
        lines.append((number, line))
        size += len(line) + 1
    yield lines, rejected


class Sender:
    """Sends batches to the service at ``url`` over ``http``.

    ``patience_s`` bounds how long one batch is tried again; ``waiting`` is told the seconds of each wait, with the
    reason in words.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: URL,
        token: str | None,
        *,
        patience_s: float = PATIENCE_S,
        waiting: Callable[[float, str], None] = lambda seconds, why: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._url = url / "v1" / "events"
        self._headers = {hdrs.CONTENT_TYPE: "application/x-ndjson"}
        if token is not None:
            self._headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        self._patience_s = patience_s
        self._waiting = waiting
        self._sleep = sleep
        self._reached = False

    async def send(self, lines: list[Line]) -> list[Rejected]:
        """The lines of the batch that were refused; all others are durable. Raises PostFailed."""
        waited = 0.0
        pause = 1.0
        while True:
            status, answer, wait, why = await self._try(lines)
            if status not in _RETRIED and status != 0:
                break
            seconds = min(wait or pause, _MAX_WAIT_S)
            pause = min(pause * 2, 60.0)
            if waited + seconds > self._patience_s:
                raise PostFailed(
                    f"{why}, for {waited:.0f} seconds on end",
                    remedy="look into the service, then send the file again: what it has already is dropped as "
                    "repeated",
                )
            self._waiting(seconds, why)
            await self._sleep(seconds)
            waited += seconds
        if status == 413:
            return await self._halve(lines)
        refused = answer.rejected or answer.errors
        places = {one.index for one in refused} & set(range(len(lines)))
        if status in (202, 207, 400, 403) and answer.accepted + len(places) == len(
            lines
        ) == answer.accepted + len(refused):
            return [
                Rejected(
                    *lines[one.index],
                    Problem(code=one.code, what=one.what, where=one.where, remedy=one.remedy),
                )
                for one in refused
            ]
        raise _not_taken(status, answer.detail)

    async def _try(self, lines: list[Line]) -> tuple[int, _Answer, float | None, str]:
        """(status, answer, seconds to wait if the service named them, why it would be tried again); 0: no answer."""
        body = b"\n".join(line for _, line in lines)
        try:
            async with self._http.post(
                self._url, data=body, headers=self._headers, allow_redirects=False
            ) as answer:
                self._reached = True
                raw = await answer.read()
                status, retry_after = answer.status, answer.headers.get(hdrs.RETRY_AFTER, "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not self._reached:
                raise PostFailed(
                    f"there is no service at {self._url.origin()}",
                    remedy="start it with plumbline run, or name its address with --url",
                ) from error
            return 0, _Answer(), None, "the service does not answer"
        wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        why = (
            "the service has more events than it can process"
            if status == 429
            else "the service can't take events"
        )
        try:
            return status, _answer.decode(raw), wait, why
        except (msgspec.DecodeError, UnicodeDecodeError):
            return status, _Answer(), wait, why

    async def _halve(self, lines: list[Line]) -> list[Rejected]:
        if len(lines) == 1:
            return [Rejected(*lines[0], _too_large(len(lines[0][1]) - 1))]
        middle = len(lines) // 2
        return await self.send(lines[:middle]) + await self.send(lines[middle:])


def rejects_path(file: Path) -> Path:
    """Where the lines of ``file`` go that were refused."""
    return (
        file.with_suffix(".rejects.jsonl")
        if file.suffix == ".jsonl"
        else file.with_name(f"{file.name}.rejects.jsonl")
    )


def _too_large(limit_bytes: int) -> Problem:
    return Problem(
        code="too_large",
        what=f"the line has more than {limit_bytes} bytes",
        where="$",
        remedy="send less in text fields, or raise the limits in the service's settings",
    )


def _not_taken(status: int, detail: str) -> PostFailed:
    said = f": {detail}" if detail else ""
    if status in (401, 403):
        return PostFailed(
            f"the service refuses the token ({status}){said}",
            remedy="name the environment variable that holds one with --token env:NAME",
        )
    if 300 <= status < 400:
        return PostFailed(
            f"the service sends elsewhere ({status})", remedy="name the right address with --url"
        )
    if status in (202, 207):
        return PostFailed(
            "the service's answer does not add up to what was sent",
            remedy="see that --url names a Plumbline service",
        )
    return PostFailed(
        f"the service answers {status}{said}", remedy="see that --url names a Plumbline service, and its log"
    )
