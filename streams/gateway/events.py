"""POST /v1/events: one CloudEvent, a batch, or JSON lines.

Rules:
1. 202 means that all events of the request are durable, 207 that those not listed as rejected are. Nothing else keeps
   an event.
2. What is refused is refused before anything is written; the good events of a batch are kept together, by the sink
   (streams/gateway/sink.py).
3. A sender that may come back later is told when: 429 while too many events wait, 503 while none can be kept.
4. Big batches are decoded in portions, so that other requests are answered in between.

Reference: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import hdrs, web

from schemas.settings import Settings
from streams.gateway.auth import EVENTS_PATH, GRANT, NOT_ALLOWED
from streams.gateway.batch import FORMS, Form, judge, split
from streams.gateway.body import defer_continue, read_body
from streams.gateway.problem import Answered, RefusedEvent, RequestRefused, accepted
from streams.gateway.sink import Accepted, EventSink, NotKept

RETRY_WHEN_BEHIND_S = 5
BODY_TIMEOUT_S = 30.0
MAX_BODIES = 64
"""Requests whose bodies are in memory at one time."""

_log = structlog.get_logger(__name__)


def _tell_nobody(code: int, *, kept: int = 0, refused: int = 0) -> None: ...


@dataclass(frozen=True)
class GatewayDeps:
    """What the gateway works with."""

    settings: Settings
    sink: EventSink
    """where accepted events go"""
    answered: Answered = _tell_nobody
    now: Callable[[], float] = time.time
    """Unix seconds"""
    body_timeout_s: float = BODY_TIMEOUT_S


def make_gateway_routes(deps: GatewayDeps) -> list[web.RouteDef]:
    """The routes for events. ``protect`` (streams/gateway/auth.py) must guard the application that takes them."""
    gateway = _Gateway(deps)
    return [web.post(EVENTS_PATH, gateway.post_events, expect_handler=defer_continue)]


class _Gateway:
    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._bodies = 0

    async def post_events(self, request: web.Request) -> web.StreamResponse:
        try:
            kept, refused = await self._take(request)
        except RequestRefused as error:
            _log.info("events_refused", status=error.status, code=error.code, refused=len(error.errors))
            self._deps.answered(error.status, refused=len(error.errors))
            response = error.response()
            if not request.content.at_eof():
                response.force_close()
            return response
        response = accepted(kept, refused)
        self._deps.answered(response.status, kept=kept, refused=len(refused))
        return response

    async def _take(self, request: web.Request) -> tuple[int, list[RefusedEvent]]:
        form = _form_of(request)
        settings = self._deps.settings
        if self._deps.sink.waiting() > settings.max_lag_events or self._bodies >= MAX_BODIES:
            raise RequestRefused(
                429,
                "too_many_waiting",
                "more events wait to be processed than this service takes on",
                remedy="send the same again after the seconds in Retry-After",
                headers={hdrs.RETRY_AFTER: str(RETRY_WHEN_BEHIND_S)},
            )
        self._bodies += 1
        try:
            body = await read_body(request, settings.max_request_bytes, self._deps.body_timeout_s)
            kept, refused = await self._judge(request, split(form, body))
            if refused and not kept:
                raise _all_refused(refused)
            await self._keep(kept)
        finally:
            self._bodies -= 1
        return len(kept), refused

    async def _judge(
        self, request: web.Request, events: list[tuple[int, bytes]]
    ) -> tuple[list[Accepted], list[RefusedEvent]]:
        grant = request.get(GRANT)
        kept: list[Accepted] = []
        refused: list[RefusedEvent] = []
        portions = judge(
            events,
            self._deps.settings.limits,
            self._deps.now(),
            grant.refusal if grant is not None else None,
        )
        for more_kept, more_refused in portions:
            kept += more_kept
            refused += more_refused
            await asyncio.sleep(0)
        return kept, refused

    async def _keep(self, events: list[Accepted]) -> None:
        try:
            await self._deps.sink.keep(events)
        except NotKept as error:
            raise RequestRefused(
                503,
                error.code,
                error.what,
                remedy=error.remedy,
                headers={hdrs.RETRY_AFTER: str(error.retry_after_s)},
            ) from error


def _form_of(request: web.Request) -> Form:
    form = FORMS.get(request.content_type)
    if form is None or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise RequestRefused(
            415,
            "unknown_media_type",
            "this Content-Type is not read" if form is None else "only UTF-8 is read",
            remedy="send application/cloudevents+json for one event, application/cloudevents-batch+json for an array, "
            "or application/x-ndjson for one event a line, in UTF-8",
            headers={hdrs.ACCEPT: ", ".join(FORMS)},
        )
    return form


def _all_refused(refused: list[RefusedEvent]) -> RequestRefused:
    if all(one.code in NOT_ALLOWED for one in refused):
        return RequestRefused(
            403,
            refused[0].code,
            refused[0].what,
            remedy=refused[0].remedy,
            errors=refused,
        )
    one = len(refused) == 1
    return RequestRefused(
        400,
        "bad_event" if one else "bad_events",
        f"the event was refused: {refused[0].what}" if one else f"all {len(refused)} events were refused",
        remedy=refused[0].remedy if one else "see errors for each event's place, reason and remedy",
        errors=refused,
    )
