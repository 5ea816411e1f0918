"""The embedded service: log, both stages, webhooks, API and pages in one process. The default way to run Plumbline.

    HTTP -> event log (durable) -> pipeline (one thread) -> SQLite -> pages, API, metrics
                                                               '----> outbox -> webhooks

Rules:
1. One process owns a data directory; the log's lock sees to it before the store is touched.
2. Time goes on without events at the speed of the clock, from the newest event on, and never past the present. So a
   back-fill does not make years of timers fire between two requests, and a quiet night does not stop them.
3. Stopping lets the batch in hand be committed; nothing else is needed, since the log remembers the rest.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog
from aiohttp import web

from schemas.errors import PlumblineError
from schemas.icp import ICP
from schemas.settings import Settings
from streams.batch_result import BatchResult
from streams.delivery.dispatcher import Dispatcher
from streams.flood_gate import FloodGate
from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.gateway.auth import protect
from streams.gateway.events import GatewayDeps, make_gateway_routes
from streams.gateway.server import make_runner
from streams.gateway.sink import LogSink
from streams.listening import listen
from streams.log import EventLog
from streams.metrics import CONTENT_TYPE, Metrics
from streams.pipeline import Pipeline
from streams.serving import Serving
from streams.stores.sqlite import SqliteStore
from streams.stores.stops import SqliteStops
from streams.web.api import api_routes
from streams.web.pages import page_routes

IDLE_S = 1.0
"""How often the clock is looked at while no event comes."""
SETTLING_S = 0.2
LOG_LOOK_S = 3600.0

_log = structlog.get_logger("plumbline.embedded")


class EmbeddedPipeline:
    """Log and pipeline over one data directory, without HTTP: what the service runs, and ``plumbline run --drain``.

    ``stops``: whether a flood of dead letters holds it still, until somebody says go on (streams/flood_gate.py); a drain
    has somebody who looks on. Raises LogInUse when another process owns the directory.
    """

    def __init__(
        self,
        settings: Settings,
        icps: Sequence[ICP],
        now: Callable[[], float] = time.time,
        *,
        stops: bool = False,
    ) -> None:
        self._now = now
        self._by_clock = settings.clock == "wall"
        self._batch_events = settings.batch_events
        self.log = EventLog(settings.data_dir / "log")
        self.store = SqliteStore(settings.data_dir / "plumbline.db")
        limit = FloodLimit(settings.dead_letters) if stops else None
        self.gate = None if limit is None else FloodGate(limit, SqliteStops(self.store.path), now=now)
        self.pipeline = Pipeline(self.store, icps, settings, now, flood_limit=limit)
        self._reader = self.log.reader()
        self._last_arrival = now()
        self._keep_log_s = settings.keep_log
        self._log_looked_at = 0.0

    @property
    def lag(self) -> int:
        """Events that are durable and not processed yet."""
        return self.log.end - self.pipeline.next_offset

    def turn(self) -> list[BatchResult] | None:
        """Does what there is to do: the next batch of the log, else the timers that are due. None: nothing."""
        if self.gate is not None and not self.gate.open():
            return None
        records = self._reader.read(self.pipeline.next_offset, self._batch_events)
        if records:
            try:
                results = self.pipeline.process(records)
            except DeadLetterFlood as flood:
                if self.gate is None:
                    raise
                self.gate.shut(flood)
                return None
            self._last_arrival = self._now()
            return results
        now = self._now()
        self._forget_old_log(now)
        if self._by_clock:
            event_time = min(now, self.pipeline.watermark + (now - self._last_arrival))
            due = self.pipeline.next_due()
            if due is not None and due <= event_time:
                results = self.pipeline.fire_timers(event_time)
                # Timers that fail are kept: they are due, and there is nothing to do.
                return results if results[0].touched else None
        return None

    def _forget_old_log(self, now: float) -> None:
        """Removes segments that are processed and older than the settings ask to keep."""
        if self._keep_log_s is None or now < self._log_looked_at + LOG_LOOK_S:
            return
        self._log_looked_at = now
        offset = min(self.log.first_offset_since(now - self._keep_log_s), self.pipeline.next_offset)
        # What may have to be read again after a power failure must not go.
        removed = self.log.delete_before(offset) if self.store.make_durable() else 0
        if removed:
            _log.info("log segments removed", segments=removed)

    def close(self) -> None:
        self._reader.close()
        self.store.close()
        self.log.close()


class EmbeddedService:
    """The whole service. ``run`` serves until ``stop`` is called."""

    def __init__(self, settings: Settings, icps: Sequence[ICP], now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._now = now
        self._engine = EmbeddedPipeline(settings, icps, now, stops=True)
        database = self._engine.store.path
        self.metrics = Metrics(segments_per_signal=settings.drift.max_segments + 1)
        self.serving = Serving(database, icps, settings, self._serving_time)
        self._dispatcher = Dispatcher(
            database,
            settings,
            now=now,
            rng=random.Random(),
            on_result=self.metrics.delivery_result,
        )
        self._grown = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = asyncio.Event()
        self._alive = False
        self.url = ""
        """where it listens, once ``run`` has called ``started``"""

    async def run(self, started: Callable[[], object] = lambda: None) -> None:
        """Serves until ``stop``. ``started`` is called when requests are taken. Raises PlumblineError when the
        address can't be listened on, and whatever ends the pipeline (Fenced, StateRefused, a full disk)."""
        loop = asyncio.get_running_loop()
        runner = make_runner(self._application(loop))
        thread = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
        try:
            await loop.run_in_executor(thread, self._done, self._engine.pipeline.begin())
            await runner.setup()
            self.url = await listen(runner, self.settings, choose=": --listen 127.0.0.1:PORT")
            self._alive = True
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work(loop, thread))
                send = group.create_task(self._dispatcher.run())
                started()
                lists = loop.run_in_executor(None, self._refresh_lists)
                await self._stopping.wait()
                await runner.cleanup()
                self.serving.close()
                await lists
                await work
                await self._dispatcher.stop()
                await send
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        finally:
            self._alive = False
            await runner.cleanup()
            self.serving.close()
            thread.shutdown()
            self._engine.close()

    async def delivered(self) -> None:
        """Returns when all events are processed and every delivery has had its first try."""
        loop = asyncio.get_running_loop()
        while True:
            await self._idle.wait()
            if await loop.run_in_executor(None, self._dispatcher.settled) and self._idle.is_set():
                return
            await asyncio.sleep(SETTLING_S)

    def alerts(self) -> list[bytes]:
        """All alerts so far, as encoded, in order of (time, id)."""
        return self._engine.store.alerts()

    def stop(self) -> None:
        """Ends ``run``. To be called on the event loop's thread."""
        self._stopping.set()
        self._grown.set()

    async def _work(self, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> None:
        try:
            while not self._stopping.is_set():
                self._grown.clear()
                if await loop.run_in_executor(thread, self._turn):
                    self._idle.clear()
                    self._dispatcher.wake()
                    continue
                self._idle.set()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._grown.wait(), IDLE_S)
        finally:
            self._alive = False
            self._stopping.set()

    def _turn(self) -> bool:
        results = self._engine.turn()
        if results is None:
            return False
        self._done(results)
        return True

    def _refresh_lists(self) -> None:
        """After a change of the ICP file. Lists are right without it too, but slow: a failure does no harm."""
        try:
            written = self.serving.relist()
        except (sqlite3.Error, PlumblineError) as error:
            _log.warning("lists were not rebuilt", error=type(error).__name__)
            return
        if written:
            _log.info("lists rebuilt for the ICP file", listings=written)

    def _done(self, results: Sequence[BatchResult]) -> None:
        """Counts what was committed. The first result of a turn is the account stage's, any others the drift stage's."""
        pipeline = self._engine.pipeline
        for result in results:
            self.metrics.batch_done(result.stage, result, watermark=pipeline.watermark)
        if len(results) > 1 or not self._alive:
            self.metrics.verdicts(pipeline.verdicts())

    def _serving_time(self) -> float:
        """The time as of which scores are shown: the present, or with the events' clock the newest event."""
        return self._now() if self.settings.clock == "wall" else self._engine.pipeline.watermark

    def _ready(self) -> tuple[bool, str]:
        if not self._alive:
            return False, "the pipeline does not run"
        reason = "" if self._engine.gate is None else self._engine.gate.reason
        return not reason, reason

    def _application(self, loop: asyncio.AbstractEventLoop) -> web.Application:
        def append(lines: Sequence[bytes]) -> int:
            last = self._engine.log.append(lines)
            loop.call_soon_threadsafe(self._grown.set)
            return last

        deps = GatewayDeps(
            settings=self.settings,
            sink=LogSink(append, lambda: self._engine.lag),
            answered=self.metrics.request_answered,
            now=self._now,
        )
        app = web.Application(client_max_size=self.settings.max_request_bytes)
        protect(app, self.settings, answered=self.metrics.request_answered)
        app.add_routes(make_gateway_routes(deps))
        app.add_routes(api_routes(self.serving, self._ready))
        app.add_routes(page_routes(self.serving))
        app.add_routes([web.get("/metrics", self._metrics)])
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        body = await asyncio.get_running_loop().run_in_executor(None, self._expose)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    def _expose(self) -> bytes:
        self.metrics.lag(events=self._engine.lag, now=self._now(), watermark=self._engine.pipeline.watermark)
        self.metrics.partitions_stopped(
            1 if self._engine.gate is not None and self._engine.gate.reason else 0
        )
        self.metrics.accounts(self.serving.account_count())
        self.metrics.delivery_backlog(
            {name: (each.waiting, each.oldest_s) for name, each in self._dispatcher.backlog().items()}
        )
        return self.metrics.expose()
