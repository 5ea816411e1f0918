"""The relay: publishes what commits left in the outgoing lists of the state partitions that this worker owns.

Rules:
1. At least once: a list is trimmed when the broker has answered for what is trimmed (acks=all, idempotent). Receivers
   drop repeats: observations by (source partition, number), alerts by id, dead letters by key.
2. In order (streams/kafka/ordered_writing.py): no observation is written before one with a smaller number was, whatever fails
   between.
3. A mark says what was so before the lists were read, and is written after what they held. It goes to every partition of
   the observations topic; at most every ``MARK_EVERY_S``, and every ``CAUGHT_UP_EVERY_S`` when no event comes.
4. Broker or store away: said once, tried again with a bounded backoff; the lists keep what waits. Nothing is lost by
   cancelling ``run`` at any point.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from msgspec import Raw, Struct

from detectors.health.tally import SIGNAL as DATA_HEALTH
from schemas.errors import StoreUnavailable
from schemas.observations import decode_observation
from streams.failpoints import reach
from streams.kafka.ordered_writing import OrderedWriter, Record
from streams.kafka.partitioning import partition_of
from streams.kafka.wire import Headers, Mark, Sent, alert_key, dead_letter_record, encode_message
from streams.stores.contract import OutgoingKind, RelayStore, decode_dead_letter

AT_ONCE = 1000
"""entries of a list read, published and trimmed at once"""
MARK_EVERY_S = 1.0
CAUGHT_UP_EVERY_S = 5.0
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 15.0
MARKED_STAGE = "accounts"
KINDS: tuple[OutgoingKind, ...] = ("observations", "alerts", "dead_letters")

_TO_ALL = DATA_HEALTH.encode()

_log = structlog.get_logger("plumbline.relay")

_Owned = tuple[str, int]
"""(stage, state partition)"""


class RelayTopics(Struct, frozen=True, kw_only=True):
    """Names as they are on the broker, prefix included."""

    observations: str
    alerts: str
    dead_letters: str


class _Standing(Struct, frozen=True):
    """How far a partition has come: see ``Mark`` (streams/kafka/wire.py)."""

    watermark: float = 0.0
    caught_up: float = 0.0


class _Partition:
    def __init__(self, watermark: float) -> None:
        self.standing = _Standing(watermark)
        self.pending: set[OutgoingKind] = set(KINDS)
        self.marked = _Standing()
        self.marked_at = -inf


class Relay:
    """One for each worker. To be used within one event loop; ``own``, ``disown``, ``committed`` and ``caught_up`` at
    any time, on its thread.

    ``connection``: what aiokafka's clients need to reach the broker. ``call`` runs a blocking function on a thread that
    may use the store. ``caught_up_every_s`` and ``mark_every_s``: see rule 3.
    """

    def __init__(
        self,
        store: RelayStore,
        connection: Mapping[str, Any],
        topics: RelayTopics,
        *,
        call: Callable[..., Awaitable[Any]] = asyncio.to_thread,
        now: Callable[[], float] = time.time,
        mark_every_s: float = MARK_EVERY_S,
        caught_up_every_s: float = CAUGHT_UP_EVERY_S,
    ) -> None:
        self._store = store
        self._writer = OrderedWriter(connection)
        self._topics = topics
        self._call = call
        self._now = now
        self._mark_every_s = mark_every_s
        self._caught_up_every_s = caught_up_every_s
        self._owned: dict[_Owned, _Partition] = {}
        self._wake = asyncio.Event()
        self._one_round = asyncio.Lock()

    def own(self, stage: str, partition: int, watermark: float) -> None:
        """From now on publishes for this state partition, what a former owner left first. ``watermark``: the claim's."""
        self._owned[stage, partition] = _Partition(watermark)
        self._wake.set()

    def disown(self, stage: str, partition: int) -> None:
        self._owned.pop((stage, partition), None)

    def committed(
        self, stage: str, partition: int, watermark: float, kinds: Collection[OutgoingKind] = KINDS
    ) -> None:
        """To be called after each commit: ``watermark`` is what it brought, ``kinds`` the lists in which it left
        something."""
        owned = self._owned.get((stage, partition))
        if owned is not None:
            owned.standing = _Standing(watermark, owned.standing.caught_up)
            if kinds:
                owned.pending.update(kinds)
                self._wake.set()

    def caught_up(self, stage: str, partition: int, moment: float) -> None:
        """To be called when, at ``moment`` (Unix seconds, clock), all topics of the partition were read to their ends, no
        timer was due and ``committed`` had been called for all of it."""
        owned = self._owned.get((stage, partition))
        if owned is not None:
            owned.standing = _Standing(owned.standing.watermark, moment)

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        backoff = FIRST_BACKOFF_S
        failed = False
        try:
            while True:
                self._wake.clear()
                try:
                    await self.round()
                except (KafkaError, OSError, TimeoutError, StoreUnavailable) as error:
                    if not failed:
                        _log.warning("relay_waits", error=type(error).__name__, tries_again_in_s=backoff)
                    failed = True
                    await self._writer.end()
                    await asyncio.sleep(backoff)
                    backoff = min(2 * backoff, LAST_BACKOFF_S)
                    continue
                if failed:
                    _log.info("relay_goes_on")
                failed, backoff = False, FIRST_BACKOFF_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._mark_every_s)
        finally:
            await self._writer.end()

    async def round(self) -> None:
        """Publishes what there is, then the marks that are due. Raises KafkaError, OSError, TimeoutError or
        StoreUnavailable; then what is not published stays in the lists."""
        # A second round would take lists for empty that the first one still publishes, and mark too early.
        async with self._one_round:
            await self._publish_and_mark()

    async def _publish_and_mark(self) -> None:
        marks: list[tuple[_Partition, int, _Standing]] = []
        for (stage, number), owned in list(self._owned.items()):
            standing = owned.standing
            for kind in KINDS:
                if kind in owned.pending:
                    # Taken out before the list is read: what is committed meanwhile sets it again.
                    owned.pending.discard(kind)
                    try:
                        await self._publish(stage, number, kind)
                    except BaseException:
                        owned.pending.add(kind)
                        raise
            if stage == MARKED_STAGE and self._mark_is_due(owned, standing):
                marks.append((owned, number, standing))
        if marks:
            await self._mark(marks)

    def _mark_is_due(self, owned: _Partition, standing: _Standing) -> bool:
        since = time.monotonic() - owned.marked_at
        if standing.watermark > owned.marked.watermark:
            return since >= self._mark_every_s
        return standing.caught_up > owned.marked.caught_up and since >= self._caught_up_every_s

    async def _publish(self, stage: str, partition: int, kind: OutgoingKind) -> None:
        while True:
            entries = await self._call(self._store.outgoing, stage, partition, kind, 0, AT_ONCE)
            if not entries:
                return
            sending: dict[tuple[str, int], list[Record]] = defaultdict(list)
            for sequence, body in entries:
                topic, key, value, headers = self._record(stage, partition, kind, sequence, body)
                count = await self._writer.partitions(topic)
                # Each partition of the drift stage has to know by itself which sources are ill.
                to_all = kind == "observations" and key == _TO_ALL
                for to in range(count) if to_all else (partition_of(key.decode(), count),):
                    sending[topic, to].append((key, value, headers))
            reach("relay.before_publish")
            await self._writer.write(sending)
            reach("relay.after_publish")
            await self._call(self._store.trim, stage, partition, kind, entries[-1][0])
            reach("relay.after_trim")
            if len(entries) < AT_ONCE:
                return

    def _record(
        self, stage: str, partition: int, kind: OutgoingKind, sequence: int, body: bytes
    ) -> tuple[str, bytes, bytes, Headers]:
        """(topic, key, value, headers) of an entry of a list."""
        if kind == "observations":
            observation = decode_observation(body)
            sent = Sent(
                source=partition,
                sequence=sequence,
                known=observation.known,
                sent=self._now(),
                observation=Raw(body),
            )
            return self._topics.observations, observation.signal.encode(), encode_message(sent), ()
        if kind == "alerts":
            return self._topics.alerts, alert_key(body), body, ()
        letter = decode_dead_letter(body)
        key, headers = dead_letter_record(letter, partition)
        return self._topics.dead_letters, key, letter.body, headers

    async def _mark(self, marks: Sequence[tuple[_Partition, int, _Standing]]) -> None:
        topic = self._topics.observations
        records: list[Record] = [
            (
                None,
                encode_message(
                    Mark(source=number, watermark=standing.watermark, caught_up=standing.caught_up)
                ),
                (),
            )
            for _, number, standing in marks
        ]
        count = await self._writer.partitions(topic)
        await self._writer.write({(topic, to): records for to in range(count)})
        reach("relay.after_mark")
        for owned, _, standing in marks:
            owned.marked, owned.marked_at = standing, time.monotonic()
