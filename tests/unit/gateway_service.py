"""A real gateway on a loopback port with a real log, for tests: what it keeps can be read back."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from schemas.settings import Settings
from streams.gateway import EventSink, GatewayDeps, LogSink, make_gateway_routes, make_runner, protect
from streams.log import EventLog

NOW = 1_793_000_000.0  # 2026-10-26, as all times in these tests
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A good event; ``changes`` replace attributes, ``...`` leaves one out."""
    attributes = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "app.acme.example",
        "type": "product.event",
        "subject": "acct-1",
        "time": "2026-10-20T10:15:30Z",
        "data": {"name": "report_viewed", "properties": {"note": "ä \n ü"}},
        **changes,
    }
    return {name: value for name, value in attributes.items() if value is not ...}


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Service:
    """A running gateway."""

    url: str
    port: int
    log: EventLog
    http: aiohttp.ClientSession
    answers: list[tuple[int, int, int]] = field(default_factory=list)
    """(status, kept, refused) of each answer, as metrics are told"""
    has_answered: asyncio.Event = field(default_factory=asyncio.Event)
    lag: int = 0

    async def post(
        self, body: bytes, media_type: str = ONE, **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """(status, the JSON of the answer, its headers)"""
        sent = {"Content-Type": media_type, **{name.replace("_", "-"): v for name, v in headers.items()}}
        async with self.http.post(f"{self.url}/v1/events", data=io.BytesIO(body), headers=sent) as answer:
            return answer.status, await answer.json(content_type=None), dict(answer.headers)

    def kept(self) -> list[bytes]:
        """All lines of the log."""
        return [line for _, line in self.log.reader().read(0, 1_000_000, 1 << 30)]


@asynccontextmanager
async def serve(
    directory: Path,
    settings: Settings | None = None,
    *,
    append: Callable[[Sequence[bytes]], int] | None = None,
    sink: EventSink | None = None,
    body_timeout_s: float = 30.0,
    idle_s: float = 75.0,
) -> AsyncIterator[Service]:
    """The gateway, with a page beside it that lists accounts, /healthz, and /broken, which fails."""
    settings = settings or Settings()
    app = web.Application()
    with EventLog(directory) as log:
        async with aiohttp.ClientSession() as http:
            service = Service("", 0, log, http)

            def answered(code: int, *, kept: int = 0, refused: int = 0) -> None:
                service.answers.append((code, kept, refused))
                service.has_answered.set()

            async def page(_: web.Request) -> web.Response:
                return web.Response(text="accounts")

            async def broken(_: web.Request) -> web.Response:
                raise RuntimeError("jo@customer.example")

            protect(app, settings, answered=answered)
            app.add_routes(
                make_gateway_routes(
                    GatewayDeps(
                        settings,
                        sink or LogSink(append or log.append, lambda: service.lag),
                        answered=answered,
                        now=lambda: NOW,
                        body_timeout_s=body_timeout_s,
                    )
                )
            )
            app.router.add_get("/", page)
            app.router.add_post("/change", page)
            app.router.add_get("/healthz", page)
            app.router.add_get("/readyz", page)
            app.router.add_get("/broken", broken)
            runner = make_runner(app, idle_s=idle_s)
            await runner.setup()
            try:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                service.port = runner.addresses[0][1]
                service.url = f"http://127.0.0.1:{service.port}"
                yield service
            finally:
                await runner.cleanup()
