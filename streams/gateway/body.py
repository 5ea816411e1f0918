"""Reading a request's body within bounds of size and time, inflated or not.

Rules:
1. A body over the limit is refused by its Content-Length before it is read, and by its real size while it is read;
   for gzip the limit holds for what arrives and for what it becomes.
2. The whole body has to arrive within a time limit, or a sender could hold memory for ever by dripping.
3. ``Expect: 100-continue`` is answered only when the body is wanted, so that a refused sender need not send it.
4. A gzip body must be complete: a cut one would lose events in silence.
"""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.web_exceptions import HTTPExpectationFailed

from streams.gateway.problem import RequestRefused

_GZIP = zlib.MAX_WBITS | 16
_MAX_GZIP_MEMBERS = 1_000


async def defer_continue(request: web.Request) -> None:
    """A route's ``expect_handler``: leaves it to read_body to say 100 Continue."""
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        raise HTTPExpectationFailed(text="only 100-continue is understood")


async def read_body(request: web.Request, limit_bytes: int, timeout_s: float) -> bytes:
    """The body, inflated. Raises RequestRefused: 400 (broken), 408 (too slow), 413 (too large), 415 (encoding).

    The server must hand the bytes on as they came (streams/gateway/server.py): aiohttp's own inflating does not
    notice a body that was cut.
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RequestRefused(
            415,
            "unknown_encoding",
            "this Content-Encoding is not read",
            remedy="send the body as it is, or with gzip",
            headers={hdrs.ACCEPT_ENCODING: "gzip"},
        )
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    if request.version >= HttpVersion11 and hdrs.EXPECT in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    inflate = _Inflate(limit_bytes) if encoding == "gzip" else None
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
                parts.append(inflate.feed(chunk) if inflate else chunk)
    except TimeoutError:
        raise RequestRefused(
            408,
            "too_slow",
            f"the body did not arrive within {timeout_s:g} seconds",
            remedy="send smaller batches",
        ) from None
    except (web.RequestPayloadError, ConnectionError):
        raise RequestRefused(
            400, "broken_body", "the body is not what its headers announce", remedy="send it again"
        ) from None
    if inflate:
        inflate.finish()
    return b"".join(parts)


class _Inflate:
    """gzip in several members (RFC 1952, 2.2), never to more than a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._left = limit_bytes
        self._member = zlib.decompressobj(_GZIP)
        self._members = 0

    def feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._member.eof or not self._members:
                self._member = zlib.decompressobj(_GZIP)
                self._members += 1
            if self._members > _MAX_GZIP_MEMBERS:
                raise _not_gzip()
            try:
                part = self._member.decompress(chunk, self._left + 1)
            except zlib.error:
                raise _not_gzip() from None
            self._left -= len(part)
            if self._left < 0:
                raise _too_large(self._limit)
            parts.append(part)
            chunk = self._member.unconsumed_tail or self._member.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        if self._members and not self._member.eof:
            raise _not_gzip()


def _too_large(limit_bytes: int) -> RequestRefused:
    return RequestRefused(
        413,
        "too_large",
        f"the body has more than {limit_bytes} bytes",
        remedy="send smaller batches, or raise the limit max_request_bytes in the settings",
    )


def _not_gzip() -> RequestRefused:
    return RequestRefused(
        400,
        "broken_body",
        "the body is not a complete gzip stream",
        remedy="compress it again and send all of it",
    )
