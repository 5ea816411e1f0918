"""``plumbline gateway``: HTTP in and Kafka behind it, with pages, API and metrics over Redis.

    HTTP -> checks -> event topics (acks=all) -> 202          GET -> Redis -> pages, API

Rules:
1. Nothing is kept here: any number of gateways may run, and one that is killed loses what it has not answered.
2. Events are taken while Redis is away, and pages are shown while Kafka is: readiness is that events can be taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web

from schemas.errors import PlumblineError
from schemas.icp import ICP
from schemas.settings import Settings
from streams.gateway import GatewayDeps, make_gateway_routes, make_runner, protect
from streams.kafka.connection import client_options
from streams.kafka.lag import LagWatch
from streams.kafka.producing import KafkaSink
from streams.kafka.topics import EVENT_TOPICS, event_topics
from streams.listening import listen
from streams.metrics import Metrics
from streams.serving import Serving
from streams.serving.redis import RedisSource
from streams.web.api import api_routes
from streams.web.monitoring import monitoring_routes
from streams.web.pages import page_routes

SERVED = ("plumbline_gateway", "plumbline_lag", "plumbline_accounts")

_log = structlog.get_logger("plumbline.gateway")


class GatewayService:
    """``run`` serves until ``stop`` is called. Raises PlumblineError for settings that can't work."""

    def __init__(
        self, settings: Settings, icps: Sequence[ICP], *, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._now = now
        kafka = settings.kafka
        connection = client_options(kafka)
        source = RedisSource(settings.redis, {"accounts": kafka.partitions, "drift": kafka.drift_partitions})
        self.serving = Serving(source, icps, settings, now)
        self.metrics = Metrics(served=SERVED)
        self._watch = LagWatch(connection, event_topics(kafka), kafka.partitions, source)
        self.sink = KafkaSink(
            connection,
            EVENT_TOPICS,
            prefix=kafka.topic_prefix,
            partitions=kafka.partitions,
            max_event_bytes=settings.max_event_bytes,
            waiting=lambda: self._watch.lag.events,
            now=now,
        )
        self._stopping = asyncio.Event()
        self.url = ""
        """where it listens, once ``run`` has called ``started``"""

    def stop(self) -> None:
        """To be called on the event loop's thread."""
        self._stopping.set()

    async def run(self, started: Callable[[], object] = lambda: None) -> None:
        """``started`` is called when requests are taken; events are, once Kafka is reached."""
        runner = make_runner(self._application())
        await runner.setup()
        try:
            self.url = await listen(runner, self._settings, choose=": --listen 127.0.0.1:PORT")
            async with asyncio.TaskGroup() as group:
                producing = group.create_task(self.sink.run())
                watching = group.create_task(self._watch.run())
                started()
                await self._stopping.wait()
                await runner.cleanup()  # requests under way are answered
                self.sink.stop()
                watching.cancel()
                await producing
        finally:
            await runner.cleanup()
            self.serving.close()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self._settings.max_request_bytes)
        protect(app, self._settings, answered=self.metrics.request_answered)
        app.add_routes(
            make_gateway_routes(
                GatewayDeps(self._settings, self.sink, answered=self.metrics.request_answered, now=self._now)
            )
        )
        # Health and readiness are the gateway's: without Redis it still takes events.
        own = monitoring_routes(self.sink.ready, self._expose)
        taken = {route.path for route in own}
        app.add_routes(own)
        app.add_routes(
            [route for route in api_routes(self.serving, self.sink.ready) if route.path not in taken]
        )
        app.add_routes(page_routes(self.serving))
        return app

    def _expose(self) -> bytes:
        lag = self._watch.lag
        self.metrics.lag(events=lag.events, now=self._now(), watermark=lag.watermark)
        try:
            self.metrics.accounts(self.serving.account_count())
        except PlumblineError as error:
            _log.warning("accounts_not_counted", reason=error.what)
        return self.metrics.expose()
