"""``plumbline deliver``: alerts from the topic into a queue of its own, and from there by webhook to the receivers.

    alerts topic --(AlertsReader)--> outbox in plumbline.db --(Dispatcher)--> webhooks

One process owns a data directory. Several with directories of their own would each send every alert: receivers drop the
repeats by id, but one is enough.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.intake import Intake
from streams.kafka.alerts_reader import AlertsReader
from streams.kafka.connection import client_options
from streams.kafka.topics import ALERTS
from streams.metrics import Metrics
from streams.web.monitoring import monitoring

SERVED = ("plumbline_deliver", "plumbline_alerts_topic")
LOCK = "deliver.lock"


class QueueInUse(PlumblineError):
    """Another process delivers from this directory."""

    exit_code = 3


class DeliveryService:
    """``run`` delivers until ``stop`` is called. ``metrics_at``: host:port for health and metrics, or None.

    Raises PlumblineError for settings that can't work: no Kafka, an endpoint that can never be sent to.
    """

    def __init__(
        self, settings: Settings, *, metrics_at: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._metrics_at = metrics_at
        self._connection = client_options(settings.kafka)
        self._path = settings.data_dir / "plumbline.db"
        self.metrics = Metrics(served=SERVED)
        self._dispatcher = Dispatcher(
            self._path, settings, now=now, rng=random.Random(), on_result=self.metrics.delivery_result
        )
        self._stopping = asyncio.Event()
        self._reader: AlertsReader | None = None

    def stop(self) -> None:
        """To be called on the event loop's thread."""
        self._stopping.set()

    async def run(self, started: Callable[[str], object] = lambda url: None) -> None:
        """``started`` is called with the URL of the metrics port, empty without one. Raises QueueInUse."""
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        with _owned(self._settings.data_dir), ThreadPoolExecutor(1, thread_name_prefix="intake") as thread:
            intake = await asyncio.get_running_loop().run_in_executor(thread, Intake.open, self._path)
            try:
                await self._deliver(intake, thread, started)
            finally:
                thread.submit(intake.close)

    async def _deliver(
        self, intake: Intake, thread: ThreadPoolExecutor, started: Callable[[str], object]
    ) -> None:
        reader = self._reader = AlertsReader(
            self._connection,
            self._settings.kafka.topic_prefix + ALERTS,
            intake,
            thread,
            taken=lambda new: self._dispatcher.wake(),
            lost=self.metrics.alerts_lost,
        )
        async with (
            monitoring(self._metrics_at, self._settings, reader.ready, self._expose) as url,
            asyncio.TaskGroup() as group,
        ):
            reading = group.create_task(reader.run())
            sending = group.create_task(self._dispatcher.run())
            started(url)
            await self._stopping.wait()
            reader.stop()
            await reading
            await self._dispatcher.stop()
            await sending

    def _expose(self) -> bytes:
        if self._reader is not None:
            self.metrics.alerts_topic(waiting=self._reader.waiting())
        self.metrics.delivery_backlog(
            {name: (each.waiting, each.oldest_s) for name, each in self._dispatcher.backlog().items()}
        )
        return self.metrics.expose()


@contextmanager
def _owned(directory: Path) -> Iterator[None]:
    file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise QueueInUse(
                "another process delivers from this data directory",
                remedy="stop the other plumbline deliver, or give this one a data_dir of its own",
            ) from None
        yield
    finally:
        os.close(file)
