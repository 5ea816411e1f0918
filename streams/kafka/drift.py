"""Takes one partition of the observations topic into the drift stage: repeats dropped, held back, released in order.

Rules:
1. Messages are heard one by one (streams/kafka/hold_back.py), so that batches change nothing of what is released when.
2. What is heard, what is released and the drift states that come of it are committed together, with the offset reached.
   After a crash or a new owner all of it goes on from there.
3. One commit releases at most ``RELEASED_AT_ONCE`` observations, however many are held.
4. A message that can't be Plumbline's own is dead-lettered and holds nothing up.
5. It says once, and again when it is over, that observations have waited for an account partition for long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from math import inf

import structlog
from msgspec import Struct

from detectors.drift import DriftStage, all_verdicts
from detectors.signals.contract import Signal, Verdict
from schemas.errors import EventRefused
from streams.batch_result import BatchResult
from streams.chosen_baselines import say_what_is_not_in_force
from streams.kafka.hold_back import WINDOW, HoldBack
from streams.kafka.wire import Sent, decode_message, decode_sent
from streams.processor import Processor
from streams.stage import one_by_one
from streams.stores.contract import Claim, Commit, Committed, DriftStore, Held, Intake, Loaded

RELEASED_AT_ONCE = 10_000
WAITS_LONG_S = 60.0
_OFFSET_BYTES = 8

_log = structlog.get_logger("plumbline.drift")


class Waiting(Struct, frozen=True, kw_only=True):
    """What the drift stage holds back, for metrics and log lines.

    ``for_partition``: the account partition that is furthest behind of those that the next observation waits for, by
    ``behind_s`` seconds of event time; ``waited_s``: since that observation was sent.
    """

    held: int
    for_partition: int | None = None
    behind_s: float = 0.0
    waited_s: float = 0.0


class DriftIntake:
    """Owns one state partition of the drift stage. Used by one thread at a time; of no more use after Fenced or
    StoreUnavailable.

    ``topic``: the observations topic; its partition is the state partition. ``account_partitions``: how many write to it.
    Claims the partition, and so raises what the store raises.
    """

    def __init__(
        self,
        store: DriftStore,
        stage: DriftStage,
        topic: str,
        partition: int,
        account_partitions: int,
        *,
        now: Callable[[], float] = time.time,
        window: int = WINDOW,
        released_at_once: int = RELEASED_AT_ONCE,
    ) -> None:
        self._store = _StoreWithIntake(store)
        self._topic = topic
        self._partition = partition
        self._account_partitions = account_partitions
        self._now = now
        self._window = window
        self._released_at_once = released_at_once
        self._stage = stage
        self._processor = Processor(self._store, stage, one_by_one(decode_sent), partition=partition)
        self._hold_back = HoldBack(account_partitions, store.sources(self.claim), window)
        self._refill()
        self._held = store.held_count(self.claim)
        self._said = False
        self._ready: list[tuple[str, int, bytes]] = []
        """what goes to the drift stage with the next commit: topic, offset, message"""
        self._results: list[BatchResult] = []
        self._offset = self.next_offset
        say_what_is_not_in_force(stage, store, self.claim)

    @property
    def claim(self) -> Claim:
        return self._processor.claim

    @property
    def next_offset(self) -> int:
        """Of the next message to be read."""
        return self._processor.next_offset(self._topic)

    def take(self, records: Sequence[tuple[int, bytes]]) -> list[BatchResult]:
        """Takes messages (offset, value) in, in order; those that were committed before are passed over. Returns what
        the commits brought. Raises Fenced or StoreUnavailable; then what is not committed is not in."""
        self._results = []
        begin = self._offset = self.next_offset
        # What a former owner heard and had not released yet, or a commit left because it was full.
        self._release()
        for offset, body in records:
            if offset < begin:
                continue
            self._offset = offset + 1
            self._hear(offset, body)
            self._release()
        if self._offset != self.next_offset or self._ready:
            self._commit()
        return self._results

    def verdicts(self, signals: Sequence[Signal]) -> list[Verdict]:
        """Those of ``signals``, whose states are in this partition, as they are committed; of data.health at the end, when it has
        heard of a source. Raises StoreUnavailable."""
        names = [self._stage.beside_key, *(signal.name for signal in signals)]
        stored = self._store.load(self.claim, names, None).states
        states = {name: self._stage.decode_state(name, each.state) for name, each in stored.items()}
        return all_verdicts(self._stage, signals, states)

    def waiting(self) -> Waiting:
        """What is held back as of now, and for whom."""
        waits = self._hold_back.waits_for()
        if waits is None:
            return Waiting(held=self._held)
        number, behind_s, sent = waits
        return Waiting(
            held=self._held,
            for_partition=number,
            behind_s=max(behind_s, 0.0),
            waited_s=max(self._now() - sent, 0.0),
        )

    def say_who_holds_back(self) -> None:
        """Logs, once, that observations have waited for long, and for which account partition; and when that is over."""
        waiting = self.waiting()
        if (waiting.waited_s >= WAITS_LONG_S) == self._said:
            return
        self._said = not self._said
        if self._said:
            _log.warning(
                "drift_waits",
                partition=self._partition,
                for_account_partition=waiting.for_partition,
                behind_s=round(waiting.behind_s),
                waited_s=round(waiting.waited_s),
                held=waiting.held,
            )
        else:
            _log.info("drift_goes_on", partition=self._partition, held=waiting.held)

    def _hear(self, offset: int, body: bytes) -> None:
        try:
            message = decode_message(body, self._account_partitions)
        except EventRefused:
            # The processor finds the same, and makes a dead letter of it.
            self._ready.append((self._topic, offset, body))
            return
        if not isinstance(message, Sent):
            self._hold_back.hear_mark(message)
        else:
            self._hold_back.hear_observation(message, _keep(offset, body))

    def _release(self) -> None:
        while True:
            held = self._hold_back.release()
            if held is not None:
                self._ready.append((self._topic, *_kept(held.body)))
                if len(self._ready) >= self._released_at_once:
                    self._commit()
            elif self._hold_back.needs_refill:
                self._commit()
                self._refill()
            else:
                return

    def _commit(self) -> None:
        changes = self._hold_back.changes()
        self._store.intake = changes
        result = self._processor.process_merged(self._ready, {self._topic: self._offset})
        self._results.append(result)
        self._hold_back.committed()
        self._held += len(changes.held) - len(changes.released)
        self._ready = []

    def _refill(self) -> None:
        held = self._store.held(self.claim, inf, self._window)
        self._hold_back.refill([(each, _sent(each)) for each in held])


class _StoreWithIntake:
    """The store, whose next commit also takes ``intake`` in."""

    def __init__(self, store: DriftStore) -> None:
        self._store = store
        self.intake = Intake()
        self.claim = store.claim
        self.next_due = store.next_due
        self.held = store.held
        self.close = store.close

    def load(
        self, claim: Claim, keys: Iterable[str], due_until: float | None, due_after: float = -inf
    ) -> Loaded:
        return self._store.load(claim, keys, due_until, due_after)

    def commit(self, claim: Claim, commit: Commit) -> Committed:
        commit.intake = self.intake
        return self._store.commit(claim, commit)


def _keep(offset: int, body: bytes) -> bytes:
    """A message as it is held: with its offset, which a dead letter names."""
    return offset.to_bytes(_OFFSET_BYTES) + body


def _kept(held: bytes) -> tuple[int, bytes]:
    return int.from_bytes(held[:_OFFSET_BYTES]), held[_OFFSET_BYTES:]


def _sent(held: Held) -> float:
    """When a held observation was sent; 0, so that it waits for nobody's mark, if that can't be told any more."""
    try:
        message = decode_message(_kept(held.body)[1], held.source + 1)
    except EventRefused:
        return 0.0
    return message.sent if isinstance(message, Sent) else 0.0
