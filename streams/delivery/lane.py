"""One endpoint's lane: takes its deliveries off the queue and sends them, a few at a time.

Lanes share nothing but the file, so a receiver that is slow or dead holds up its own deliveries only. Deliveries are
begun in order; with several under way, and with retries, their arrival is in order as a rule and not by promise.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

import structlog

from streams.delivery.policy import Answer, GiveUp, Result, decide
from streams.delivery.queue import Queue, Taken
from streams.delivery.sender import Sender
from streams.delivery.signing import UnreadableAlert, payload

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("plumbline.delivery")


class Stopped(Exception):
    """The service stops while the store can't be written: what is unsettled is taken up at the next start."""


class Pulse:
    """Waits to be woken, at most ``poll_s`` seconds; remembers that it is to stop."""

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._event = asyncio.Event()
        self.stopping = False

    def wake(self) -> None:
        self._event.set()

    def stop(self) -> None:
        self.stopping = True
        self._event.set()

    async def wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class QueueThread:
    """Calls the queue in its one thread, and waits for the store where it is locked or full."""

    def __init__(self, queue: Queue, thread: Executor) -> None:
        self.queue = queue
        self._thread = thread

    async def call(self, pulse: Pulse, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises Stopped when ``pulse`` stops while the store is not to be had."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, lambda: function(*args, **kwargs)
                )
            except sqlite3.OperationalError as error:
                log.warning("delivery_store_unavailable", error=str(error))
                if pulse.stopping:
                    raise Stopped from error
                await pulse.wait()


class Lane:
    def __init__(
        self,
        endpoint: str,
        sender: Sender,
        queue: QueueThread,
        pulse: Pulse,
        *,
        now: Callable[[], float],
        rng: random.Random,
        on_result: Callable[[str, str], None],
        concurrency: int,
        grace_s: float,
    ) -> None:
        """``grace_s``: how long, in seconds, what is being sent may go on once the lane is to stop."""
        self._endpoint = endpoint
        self._sender = sender
        self._queue = queue
        self._now = now
        self._rng = rng
        self._on_result = on_result
        self._concurrency = concurrency
        self._grace_s = grace_s
        self.pulse = pulse

    async def run(self) -> None:
        """Until the pulse stops. A programming error surfaces here; a failing receiver or store does not."""
        sending: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while not self.pulse.stopping:
                    taken = await self._take() if len(sending) < self._concurrency else None
                    if taken is None:
                        await self.pulse.wait()
                        continue
                    task = group.create_task(self._deliver(taken))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
                    task.add_done_callback(lambda _: self.pulse.wake())
                if sending:
                    await asyncio.wait(sending, timeout=self._grace_s)
                for task in tuple(sending):
                    task.cancel()
        except* Stopped:
            log.warning("delivery_stopped_unsettled", endpoint=self._endpoint)
        finally:
            await self._sender.close()

    async def _take(self) -> Taken | None:
        return await self._queue.call(self.pulse, self._queue.queue.take, self._endpoint, self._now())

    async def _deliver(self, taken: Taken) -> None:
        try:
            answer = await self._sender.send(taken.alert_id, payload(taken.body), self._now())
        except UnreadableAlert:
            answer = Answer(failure=Result.UNREADABLE)
        except asyncio.CancelledError:
            await self._queue.call(self.pulse, self._queue.queue.give_back, taken, self._now())
            raise
        now = self._now()
        decision = decide(answer, tries=taken.tries, now=now, rng=self._rng)
        await self._queue.call(
            self.pulse, self._queue.queue.settle, taken, self._endpoint, answer, decision, now
        )
        results = [decision.result, Result.DEAD] if isinstance(decision, GiveUp) else [decision.result]
        for result in results:
            self._on_result(self._endpoint, result.value)
        if decision.result is not Result.DELIVERED:
            log.warning(
                "delivery_failed",
                endpoint=self._endpoint,
                alert=taken.alert_id,
                result=results[-1].value,
                status=answer.status,
                detail=answer.detail,
                tries=taken.tries,
            )
