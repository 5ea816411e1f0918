"""The store contract: states, timers, outbox and offsets that go together or not at all.

``Store`` is what the processor needs; ``EmbeddedStore`` lets the two stages of one process commit together,
``RelayStore`` what leaves a state partition for a topic, ``DriftStore`` what the drift stage holds back.

Rules that every store keeps (tests/contract/test_stores.py):
1. ``commit`` is atomic: after a crash at any point all of it is there, or nothing.
2. ``claim`` raises the version of a state partition. ``commit`` raises Fenced unless version and offsets are still
   those of the claim, and returns the claim to go on with.
3. ``load`` gives the states of all asked keys, and of all keys whose timer is due, in one round trip.
4. Outbox rows with an id that is there already are dropped: an alert exists once.
5. States are bytes; their meaning, version and migration are the stage's.
6. What leaves a partition gets the numbers 1, 2, 3, ... in the commit that brings it, for each kind apart.
7. A store that can't be reached or can't write raises StoreUnavailable. Whether a commit is in is then not known: the
   processor is of no more use, and a new claim tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from math import inf
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from detectors.effects import Listing


class Ledger(Struct, kw_only=True):
    """received = applied + duplicate + late + dead_lettered, always."""

    received: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    dead_lettered: int = 0

    @property
    def balanced(self) -> bool:
        return self.received == self.applied + self.duplicate + self.late + self.dead_lettered


class Claim(Struct, frozen=True, kw_only=True):
    """The right to commit to one state partition of one stage, and where it stood."""

    stage: str
    partition: int
    version: int
    offsets: dict[str, int]
    """topic -> offset of the next record to read"""
    watermark: float
    """newest event time applied so far, Unix seconds; 0 before the first"""
    ledger: Ledger

    def after(self, commit: Commit) -> Claim:
        """As ``commit`` leaves it: every commit raises the version."""
        return Claim(
            stage=self.stage,
            partition=self.partition,
            version=self.version + 1,
            offsets={**self.offsets, **commit.offsets},
            watermark=commit.watermark,
            ledger=commit.ledger,
        )


class Stored(Struct):
    """One loaded state. ``row`` is the store's own handle, to be given back with the state (0: not stored yet)."""

    state: bytes
    row: int
    due: float | None


class StateWrite(Struct, gc=False):
    """``due``: when the earliest timer of this key fires (Unix seconds), or None. ``due_changed`` spares an index."""

    key: str
    state: bytes
    row: int
    due: float | None
    due_changed: bool


class OutboxRow(Struct, gc=False):
    id: str
    kind: str
    at: float
    body: bytes


class DeadLetter(Struct, gc=False):
    topic: str
    offset: int
    reason: str
    detail: str
    body: bytes


class Held(Struct, gc=False, frozen=True):
    """One observation that the drift stage holds back, from account partition ``source``.

    ``known``: the watermark of its partition when it was made (Unix seconds), or the due time of the timer that made it.
    ``sequence``: its number in its partition. The order of release is (known, source, sequence).
    """

    known: float
    source: int
    sequence: int
    body: bytes


class Source(Struct, gc=False, frozen=True, kw_only=True):
    """How far the drift stage has heard one account partition.

    ``sequence``: number of its last observation taken in; ``watermark`` (Unix seconds) as in its last mark;
    ``caught_up``: the newest moment (Unix seconds, clock) at which a mark said that the partition was read to its end,
    so that it holds back nothing that was sent before. 0: never.
    """

    sequence: int = 0
    watermark: float = 0.0
    caught_up: float = 0.0


class Intake(Struct, kw_only=True):
    """What a commit of the drift stage changes in what it holds back: ``released`` ones are in the states now.

    ``sources``: those that changed, by number of the account partition.
    """

    held: Sequence[Held] = ()
    released: Sequence[Held] = ()
    sources: dict[int, Source] = {}


class Commit(Struct, kw_only=True):
    """All that one batch changes. ``intake`` is for a DriftStore."""

    states: Sequence[StateWrite] = ()
    listings: Sequence[Listing] = ()
    outbox: Sequence[OutboxRow] = ()
    observations: Sequence[bytes] = ()
    dead_letters: Sequence[DeadLetter] = ()
    intake: Intake | None = None
    offsets: dict[str, int] = {}
    watermark: float = 0.0
    ledger: Ledger


class Committed(Struct, frozen=True, kw_only=True):
    claim: Claim
    rows: dict[str, int]
    """rows given to keys that were new"""


class Loaded(Struct, kw_only=True):
    states: dict[str, Stored]
    """asked keys that exist, and keys whose timer is due"""
    due_keys: list[str]
    """keys with a timer due, in order of (due, key)"""


class Store(Protocol):
    """What the processor needs. Serving and delivery read through their own connections (see stores/sqlite.py)."""

    def claim(self, stage: str, partition: int) -> Claim: ...

    def load(
        self, claim: Claim, keys: Iterable[str], due_until: float | None, due_after: float = -inf
    ) -> Loaded:
        """``due_after`` < due <= ``due_until`` is when a timer is asked for; None asks for none."""
        ...

    def commit(self, claim: Claim, commit: Commit) -> Committed: ...

    def next_due(self, claim: Claim) -> float | None:
        """When the earliest timer of the partition fires; None without one."""
        ...

    def close(self) -> None: ...


class EmbeddedStore(Store, Protocol):
    """What both stages in one process need (streams/pipeline.py)."""

    def together(self) -> AbstractContextManager[None]:
        """The commits inside are atomic together: after a crash at any point all of them are in, or none. Where an exception
        passes through, the claims are of no more use, and nothing outlives the process that the commits brought."""
        ...

    def read_observations(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Committed observations with a sequence number above ``after``, in order: an earlier version left them for later."""
        ...

    def drop_observations(self, until: int) -> None:
        """Forgets those up to the sequence number ``until``, which the drift stage has committed."""
        ...


OutgoingKind = Literal["observations", "alerts", "dead_letters"]


class RelayStore(Store, Protocol):
    """What the relay needs: the lists of what a state partition has to publish.

    Both methods go by stage and partition, not by a claim: to publish twice does no harm, and what was published may be
    trimmed whoever did it.
    """

    def outgoing(
        self, stage: str, partition: int, kind: OutgoingKind, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        """The first ``limit`` (number, body) above the number ``after`` that are not trimmed yet, in order.

        A body is the encoded observation, the encoded alert, or a DeadLetter (decode_dead_letter)."""
        ...

    def trim(self, stage: str, partition: int, kind: OutgoingKind, until: int) -> None:
        """Forgets those up to the number ``until``, which the broker has."""
        ...


class DriftStore(RelayStore, Protocol):
    """What the drift stage in distributed mode needs."""

    def sources(self, claim: Claim) -> dict[int, Source]:
        """How far each account partition was heard; without those that were not heard yet."""
        ...

    def held(self, claim: Claim, until: float, limit: int) -> list[Held]:
        """The first ``limit`` observations held with known <= ``until``, in order of release."""
        ...

    def held_count(self, claim: Claim) -> int: ...


_dead_letter_encoder = msgspec.msgpack.Encoder()
_dead_letter_decoder = msgspec.msgpack.Decoder(DeadLetter)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """MessagePack: the body is bytes, and may be anything."""
    return _dead_letter_encoder.encode(letter)


def decode_dead_letter(raw: bytes) -> DeadLetter:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _dead_letter_decoder.decode(raw)
