"""Where accepted events go: one contract, kept by the event log (here) and by Kafka (streams/kafka/producing.py).

Rules:
1. ``keep`` returns when every event is durable. Else it raises NotKept, and the sender is told to send all of them again:
   source and id make a repeat harmless, so nobody needs to know which of them were written.
2. Events of one call keep their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from schemas.errors import PlumblineError
from streams.log import LogUnwritable

RETRY_WHEN_UNWRITABLE_S = 30


class Accepted(Struct, gc=False):
    """An event that is good: one line of JSON, the topic that it belongs to, and its subject."""

    topic: str
    subject: str
    line: bytes


class NotKept(PlumblineError):
    """The events of a request are not all durable. ``code`` is a word for the problem document."""

    def __init__(self, code: str, what: str, *, remedy: str, retry_after_s: int) -> None:
        super().__init__(what, remedy=remedy)
        self.code = code
        self.retry_after_s = retry_after_s


class EventSink(Protocol):
    async def keep(self, events: Sequence[Accepted]) -> None:
        """Makes the events durable, in this order. Raises NotKept."""
        ...

    def waiting(self) -> int:
        """Events that are durable and not processed yet, as far as it is known."""
        ...


class LogSink:
    """The embedded event log. ``append`` makes lines durable (EventLog.append); it is called in a thread.

    ``waiting`` counts the events that are not processed yet.
    """

    def __init__(self, append: Callable[[Sequence[bytes]], int], waiting: Callable[[], int]) -> None:
        self._append = append
        self.waiting = waiting

    async def keep(self, events: Sequence[Accepted]) -> None:
        try:
            await asyncio.to_thread(self._append, [event.line for event in events])
        except LogUnwritable as error:
            raise NotKept(
                "log_unwritable",
                "the events could not be made durable; none was kept",
                remedy="send the same again after the seconds in Retry-After; the service's log says what is wrong",
                retry_after_s=RETRY_WHEN_UNWRITABLE_S,
            ) from error
