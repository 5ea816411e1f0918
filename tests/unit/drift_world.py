"""A drift stage that writes down what it is given, and a store in memory that holds back: for tests of the drift intake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from detectors.effects import Effects
from schemas.observations import Observation, encode_observation
from streams.kafka.wire import Mark, Sent, encode_message
from streams.stores.contract import Claim, Commit, Committed, Held, OutgoingKind, Source
from streams.stores.memory import MemoryStore

SIGNAL = "plg.conversion_gap"


class WritingStage:
    """Its state is the list of the accounts whose observations came, in the order in which they came."""

    name = "drift"
    tally_key = ""
    beside_key = ""
    signal_names = ()

    def new_state(self, key: str) -> list[str]:
        return []

    def encode_state(self, key: str, state: list[str]) -> bytes:
        return msgspec.json.encode(state)

    def decode_state(self, key: str, raw: bytes) -> list[str]:
        return msgspec.json.decode(raw, type=list[str])

    def step(self, key: str, state: list[str], record: Observation, at: float, effects: Effects) -> bool:
        if record.account == "bug":
            raise RuntimeError("a bug")
        state.append(record.account)
        return True

    def finish(self, effects: Effects) -> None: ...

    def due(self, state: Any) -> float | None:
        return None

    def fire(self, key: str, state: Any, until: float, effects: Effects) -> None: ...


class DriftMemoryStore(MemoryStore):
    """Keeps the drift stage's part of the store contract. ``before`` and ``after`` a commit a test may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[int, Source] = {}
        self.kept: dict[tuple[float, int, int], Held] = {}
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.most_released = 0

    def commit(self, claim: Claim, commit: Commit) -> Committed:
        self.before()
        committed = super().commit(claim, commit)
        if commit.intake is not None:
            for held in commit.intake.held:
                self.kept[held.known, held.source, held.sequence] = held
            for held in commit.intake.released:
                del self.kept[held.known, held.source, held.sequence]
            self.heard.update(commit.intake.sources)
            self.most_released = max(self.most_released, commit.ledger.received - claim.ledger.received)
        self.after()
        return committed

    def sources(self, claim: Claim) -> dict[int, Source]:
        return dict(self.heard)

    def held(self, claim: Claim, until: float, limit: int) -> list[Held]:
        return [self.kept[order] for order in sorted(self.kept) if order[0] <= until][:limit]

    def held_count(self, claim: Claim) -> int:
        return len(self.kept)

    def outgoing(
        self, stage: str, partition: int, kind: OutgoingKind, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        return []

    def trim(self, stage: str, partition: int, kind: OutgoingKind, until: int) -> None: ...

    def taken_in(self) -> list[str]:
        """What the drift stage was given so far, as its committed state says."""
        stored = self._partitions["drift", 0].states.get(SIGNAL)
        return [] if stored is None else msgspec.json.decode(stored.state, type=list[str])


def observation(account: str, known: float) -> Observation:
    return Observation(
        signal=SIGNAL, measure="paid", at=known, began=0.0, value=1.0, account=account, known=known
    )


def sent(source: int, sequence: int, known: float, at: float = 0.0, account: str = "") -> bytes:
    """An observation as its partition writes it; its account names partition and number unless it is given."""
    body = encode_observation(observation(account or f"{source}-{sequence}", known))
    return encode_message(
        Sent(source=source, sequence=sequence, known=known, sent=at, observation=msgspec.Raw(body))
    )


def mark(source: int, watermark: float, caught_up: float = 0.0) -> bytes:
    return encode_message(Mark(source=source, watermark=watermark, caught_up=caught_up))
