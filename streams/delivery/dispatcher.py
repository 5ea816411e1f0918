"""From the outbox to the endpoints: fans out, runs a lane for each endpoint, stops in order.

    outbox --(fan-out: subscriptions)--> deliveries --(one lane an endpoint)--> sender --> receiver

The outbox is polled; ``wake`` shortens the wait, and is all that the processor has to know. Alerts that were committed
while no dispatcher ran are found at the next start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import structlog

from schemas.alerts import decode_alert
from schemas.errors import BadInput, PlumblineError
from schemas.settings import Endpoint, Settings
from streams.delivery.egress import Destination, endpoint_destination
from streams.delivery.lane import Lane, Pulse, QueueThread, Stopped
from streams.delivery.queue import Backlog, Queue
from streams.delivery.sender import LookUp, Sender, system_look_up
from streams.delivery.signing import signers
from streams.delivery.subscriptions import Routed, routes

FAN_OUT_ROWS = 500

log = structlog.get_logger("plumbline.delivery")


class Dispatcher:
    """``now`` gives Unix seconds by the wall clock (receivers check it, so never event time); ``on_result`` hears of each
    try and each end, with the endpoint's name and a word of policy.Result, on the event loop's thread.
    """

    def __init__(
        self,
        db_path: Path,
        settings: Settings,
        *,
        now: Callable[[], float],
        rng: random.Random,
        on_result: Callable[[str, str], None],
        look_up: LookUp = system_look_up,
        poll_s: float = 1.0,
        concurrency: int = 4,
        grace_s: float = 5.0,
    ) -> None:
        """Raises PlumblineError for an endpoint that can never be sent to: bad URL, refused address, bad secret."""
        self._db_path = db_path
        self._settings = settings
        self._now = now
        self._rng = rng
        self._on_result = on_result
        self._look_up = look_up
        self._poll_s = poll_s
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._destinations = {endpoint.name: self._destination(endpoint) for endpoint in settings.endpoints}
        self._pulse = Pulse(poll_s)
        self._lanes: dict[str, Lane] = {}
        self._finished = asyncio.Event()
        self._finished.set()

    def _destination(self, endpoint: Endpoint) -> Destination:
        try:
            signers(endpoint.secrets)
            return endpoint_destination(endpoint.url, self._settings.egress.allow_networks)
        except PlumblineError as error:
            raise BadInput(f"endpoint {endpoint.name}: {error.what}", remedy=error.remedy) from None

    def wake(self) -> None:
        """Something may be in the outbox. To be called on the event loop's thread."""
        self._pulse.wake()

    def backlog(self) -> dict[str, Backlog]:
        """By endpoint. Reads the file through a connection of its own; may be called from any thread."""
        with closing(Queue.open(self._db_path)) as queue:
            return queue.backlog(self._now())

    def settled(self) -> bool:
        """Whether every alert so far is fanned out and every delivery has had its first try. From any thread."""
        with closing(Queue.open(self._db_path)) as queue:
            return queue.settled()

    async def run(self) -> None:
        """Until ``stop``. Raises PlumblineError when the file can't be used."""
        self._finished.clear()
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="delivery-queue") as thread:
                queue = await asyncio.get_running_loop().run_in_executor(thread, Queue.open, self._db_path)
                try:
                    await self._run(QueueThread(queue, thread))
                finally:
                    thread.submit(queue.close)  # after whatever is still being written
        finally:
            self._finished.set()

    async def stop(self) -> None:
        """Lets what is being sent finish for a few seconds, gives the rest back to the queue, and returns when all is done."""
        self._pulse.stop()
        for lane in self._lanes.values():
            lane.pulse.stop()
        await self._finished.wait()

    async def _run(self, queue: QueueThread) -> None:
        names = list(self._destinations)
        try:
            await queue.call(self._pulse, queue.queue.start, names, self._now())
        except Stopped:
            return
        if self._pulse.stopping:
            return
        self._lanes = {
            endpoint.name: Lane(
                endpoint.name,
                Sender(
                    self._destinations[endpoint.name],
                    signers(endpoint.secrets),
                    self._settings.egress.allow_networks,
                    look_up=self._look_up,
                ),
                queue,
                Pulse(self._poll_s),
                now=self._now,
                rng=self._rng,
                on_result=self._on_result,
                concurrency=self._concurrency,
                grace_s=self._grace_s,
            )
            for endpoint in self._settings.endpoints
        }
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes.values():
                group.create_task(lane.run())
            group.create_task(self._fan_out(queue))

    async def _fan_out(self, queue: QueueThread) -> None:
        subscribed = sorted({subscription.endpoint for subscription in self._settings.subscriptions})
        while not self._pulse.stopping:
            try:
                done = await queue.call(
                    self._pulse,
                    queue.queue.fan_out,
                    self._route,
                    subscribed,
                    self._now(),
                    limit=FAN_OUT_ROWS,
                )
            except Stopped:
                return
            for endpoint, result in done.counted:
                self._on_result(endpoint, result.value)
            if done.rows:
                for lane in self._lanes.values():
                    lane.pulse.wake()
            else:
                await self._pulse.wait()

    def _route(self, body: bytes) -> list[Routed] | None:
        try:
            alert = decode_alert(body)
        except msgspec.DecodeError:
            log.error("alert_unreadable", remedy="it was written by another version of Plumbline")
            return None
        return list(routes(alert, self._destinations, self._settings.subscriptions, self._now()))
