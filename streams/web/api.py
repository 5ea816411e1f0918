"""The JSON API: accounts, alerts, drift and the ledger, and whether the service is up. docs/api.md is the same for people.

Rules:
1. It only reads. Every answer is JSON; errors are problem documents (RFC 9457) that name the parameter and what is allowed,
   and never repeat an account's id or anything else that was sent.
2. Reading blocks, so it is done in a thread: the event loop goes on taking events.
3. An alert is answered byte for byte as it went out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Literal, cast, get_args

import msgspec
from aiohttp import web

from detectors.catalogue import VERDICTS_OF
from detectors.signals.contract import VerdictState
from schemas.errors import StateRefused
from schemas.settings import AlertKind
from streams.gateway.problem import RequestRefused
from streams.serving import CursorRefused, Serving, UnknownVariant, Unreadable, Wanted
from streams.web.parameters import Parameters, refused_value

Ready = Callable[[], tuple[bool, str]]
"""Whether the pipeline runs, and if not, why."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
OUT = ("show", "hide")
ORDERS = ("trigger", "fit")
KINDS: tuple[str, ...] = get_args(AlertKind)
STATES: tuple[str, ...] = get_args(VerdictState)


def api_routes(serving: Serving, ready: Ready) -> list[web.RouteDef]:
    """GET (and HEAD) of everything under /v1 but events, /healthz and /readyz."""
    api = _Api(serving, ready)
    routes: list[tuple[str, Handler]] = [
        ("/v1/accounts", api.accounts),
        ("/v1/accounts/{account:.+}", api.account),
        ("/v1/alerts", api.alerts),
        ("/v1/alerts/{alert}", api.alert),
        ("/v1/drift", api.drift),
        ("/v1/ledger", api.ledger),
        ("/readyz", api.readyz),
    ]
    return [
        web.get("/healthz", api.healthz),
        *(web.get(path, answering(handler)) for path, handler in routes),
    ]


def answering(handler: Handler) -> Handler:
    """``handler`` with what reading can raise turned into answers."""

    @wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except CursorRefused:
            raise refused_value("cursor", "use `next` of the answer before, as it is") from None
        except UnknownVariant as error:
            raise refused_value("variant", error.remedy) from None
        except (Unreadable, StateRefused) as error:
            raise RequestRefused(
                503, "not_readable", error.what, remedy=error.remedy, headers={"Retry-After": "5"}
            ) from None

    return handle


def not_found(what: str, remedy: str) -> RequestRefused:
    return RequestRefused(404, "not_found", what, remedy=remedy)


class _Api:
    def __init__(self, serving: Serving, ready: Ready) -> None:
        self._serving = serving
        self._ready = ready

    async def healthz(self, request: web.Request) -> web.Response:
        return _json({"status": "up"})

    async def readyz(self, request: web.Request) -> web.Response:
        ready, reason = self._ready()
        if not ready:
            raise RequestRefused(
                503, "not_ready", reason, remedy="wait for the service to start, or look into its log"
            )
        await asyncio.to_thread(self._serving.check)
        return _json({"status": "ready"})

    async def accounts(self, request: web.Request) -> web.Response:
        parameters = Parameters(request, ("variant", "order", "out", "limit", "cursor"))
        found = await asyncio.to_thread(
            self._serving.accounts,
            parameters.text("variant"),
            cast(Literal["trigger", "fit"], parameters.choice("order", ORDERS, "trigger")),
            parameters.whole("limit", DEFAULT_LIMIT, MAX_LIMIT),
            parameters.text("cursor"),
            with_out=parameters.choice("out", OUT, "show") == "show",
        )
        return _json(found)

    async def account(self, request: web.Request) -> web.Response:
        Parameters(request, ())
        found = await asyncio.to_thread(self._serving.account, request.match_info["account"])
        if found is None:
            raise not_found(
                "nothing is known of this account",
                "the id is the `subject` of its events, percent-encoded in the path",
            )
        return _json(found)

    async def alerts(self, request: web.Request) -> web.Response:
        parameters = Parameters(
            request, ("kind", "account", "variant", "signal", "segment", "since", "limit", "cursor")
        )
        wanted = Wanted(
            kind=parameters.choice("kind", KINDS),
            account=parameters.text("account"),
            variant=parameters.text("variant"),
            signal=parameters.choice("signal", VERDICTS_OF),
            segment=parameters.text("segment"),
            since=parameters.time("since"),
        )
        found = await asyncio.to_thread(
            self._serving.alerts,
            wanted,
            parameters.whole("limit", DEFAULT_LIMIT, MAX_LIMIT),
            parameters.text("cursor"),
        )
        return _json(found)

    async def alert(self, request: web.Request) -> web.Response:
        Parameters(request, ())
        body = await asyncio.to_thread(self._serving.alert, request.match_info["alert"])
        if body is None:
            raise not_found(
                "there is no alert of this id", "take the id from /v1/alerts, or a webhook's webhook-id"
            )
        return web.Response(body=body, content_type="application/json")

    async def drift(self, request: web.Request) -> web.Response:
        parameters = Parameters(request, ("signal", "segment", "state"))
        signal, segment = parameters.choice("signal", VERDICTS_OF), parameters.text("segment")
        state = parameters.choice("state", STATES)
        found = [
            verdict
            for verdict in await asyncio.to_thread(self._serving.drift)
            if signal in (None, verdict.signal)
            and segment in (None, verdict.segment)
            and state in (None, verdict.state)
        ]
        return _json({"verdicts": found})

    async def ledger(self, request: web.Request) -> web.Response:
        Parameters(request, ())
        return _json(await asyncio.to_thread(self._serving.books))


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
