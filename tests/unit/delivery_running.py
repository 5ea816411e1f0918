"""What the dispatcher's tests stand on: a clock moved by hand, receivers on loopback, a dispatcher under way."""

from __future__ import annotations

import asyncio
import base64
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from schemas.alerts import Alert, encode_alert
from schemas.settings import Settings
from streams.delivery.dispatcher import Dispatcher
from tests.unit.delivery_alerts import AT

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or more").decode()
START = AT.timestamp() + 60


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> float:
        return self.at


class Receiver:
    """A webhook receiver on loopback. ``answer`` decides the status; every request is kept."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.statuses: list[int] = []
        self.answer: Callable[[web.BaseRequest], Awaitable[web.Response]] = self.accept
        self.changed = asyncio.Condition()
        self.url = ""

    async def accept(self, _: web.BaseRequest) -> web.Response:
        return web.Response()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        assert msgspec.json.decode(body)["data"]["id"] == request.headers["webhook-id"]
        async with self.changed:
            self.ids.append(request.headers["webhook-id"])
            self.changed.notify_all()
        return await self.answer(request)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def put(db: sqlite3.Connection, *alerts: Alert) -> None:
    db.executemany(
        "INSERT INTO outbox(id, kind, at, body) VALUES (?, ?, ?, ?)",
        [(a.id, a.__struct_config__.tag, a.at.timestamp(), encode_alert(a)) for a in alerts],
    )


def settings(urls: dict[str, str], subscriptions: list[dict[str, object]] | None = None) -> Settings:
    return Settings.model_validate(
        {
            "endpoints": [{"name": n, "url": url, "secrets": [SECRET]} for n, url in urls.items()],
            "subscriptions": [{"endpoint": n} for n in urls] if subscriptions is None else subscriptions,
            "egress": {"allow_networks": ["127.0.0.0/8"]},
        }
    )


class Running:
    """A dispatcher under way, what it reported, and a way to wait for that."""

    def __init__(self, path: Path, configured: Settings, clock: Clock, **options: object) -> None:
        self.results: Counter[tuple[str, str]] = Counter()
        self.changed = asyncio.Event()
        self.dispatcher = Dispatcher(
            path,
            configured,
            now=clock,
            rng=random.Random(1),
            on_result=self._on_result,
            poll_s=0.02,
            **options,  # type: ignore[arg-type]
        )

    def _on_result(self, endpoint: str, result: str) -> None:
        self.results[endpoint, result] += 1
        self.changed.set()

    async def until(self, **wanted: int) -> None:
        """Until each endpoint__result has been reported so often."""
        async with asyncio.timeout(20):
            while any(self.results[tuple(key.split("__"))] < count for key, count in wanted.items()):  # type: ignore[index]
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running(
    path: Path, configured: Settings, clock: Clock, **options: object
) -> AsyncIterator[Running]:
    made = Running(path, configured, clock, **options)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.dispatcher.run())
        try:
            yield made
        finally:
            await made.dispatcher.stop()
            await task
