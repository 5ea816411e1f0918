"""What went wrong with a request, as a problem document (RFC 9457).

``type`` is ``urn:plumbline:problem:<code>`` with a code from a bounded set; ``detail`` says what is wrong and what to do. Nothing of the
request's body, headers or path is repeated, but for what the sender needs to find a refused event again: its place and
its id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from traceback import extract_tb
from typing import Protocol

import msgspec
import structlog
from aiohttp import web

from schemas.errors import PlumblineError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger(__name__)


class Answered(Protocol):
    """Told of each answer to a request for events (streams/metrics.py): its status, events kept and refused."""

    def __call__(self, code: int, *, kept: int = 0, refused: int = 0) -> None: ...


class RefusedEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event of a request that was not kept.

    ``index`` counts from 0: the place in the array, or the number of the line. ``id`` is the event's own, where it
    could be read. The rest is a Problem (schemas/errors.py).
    """

    index: int
    id: str | None = None
    code: str
    where: str
    what: str
    remedy: str


class RequestRefused(PlumblineError):
    """A request that is answered with a problem document."""

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        remedy: str,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[RefusedEvent] = (),
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.errors = errors

    def response(self) -> web.Response:
        """The answer: application/problem+json."""
        document: dict[str, object] = {
            "type": f"urn:plumbline:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": f"{self.what[:1].upper()}{self.what[1:]}: {self.remedy}",
        }
        if self.errors:
            document["errors"] = self.errors
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(document),
            content_type="application/problem+json",
            headers=self.headers,
        )


def accepted(count: int, refused: Sequence[RefusedEvent]) -> web.Response:
    """202 when all events were kept, 207 when some were refused."""
    body: dict[str, object] = {"accepted": count}
    if refused:
        body["rejected"] = refused
    return web.Response(
        status=207 if refused else 202, body=msgspec.json.encode(body), content_type="application/json"
    )


@web.middleware
async def answer_with_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error, aiohttp's own and unexpected ones too, into a problem document that tells nothing private."""
    try:
        return await handler(request)
    except RequestRefused as refused:
        return refused.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        phrase = HTTPStatus(error.status).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        return RequestRefused(
            error.status, code, phrase, remedy="see the documentation for the paths and methods", headers=kept
        ).response()
    except Exception as error:  # noqa: BLE001 - the last line: answered, and logged without the message's private parts
        # The message of an unexpected error may quote what was sent; its type and places do not.
        places = [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in extract_tb(error.__traceback__)
        ]
        _log.error("request_failed", error=type(error).__name__, places=places[-8:])
        return RequestRefused(
            500,
            "internal_error",
            "an error of Plumbline's own",
            remedy="nothing of this request was kept; look into the service's log",
        ).response()
