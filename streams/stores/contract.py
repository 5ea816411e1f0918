"""The store contract: states, timers, outbox and offsets that go together or not at all.

Rules that every store keeps (tests/contract/test_stores.py):
1. ``commit`` is atomic: after a crash at any point all of it is there, or nothing.
2. ``claim`` raises the version of a state partition. ``commit`` raises Fenced unless version and offsets are still
   those of the claim, and returns the claim to go on with.
3. ``load`` gives the states of all asked keys, and of all keys whose timer is due, in one round trip.
4. Outbox rows with an id that is there already are dropped: an alert exists once.
5. States are bytes; their meaning, version and migration are the stage's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Protocol

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


class Commit(Struct, kw_only=True):
    """All that one batch changes."""

    states: Sequence[StateWrite] = ()
    listings: Sequence[Listing] = ()
    outbox: Sequence[OutboxRow] = ()
    observations: Sequence[bytes] = ()
    dead_letters: Sequence[DeadLetter] = ()
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

    def read_observations(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Committed observations with a sequence number above ``after``, in order."""
        ...

    def drop_observations(self, until: int) -> None:
        """Forgets those up to the sequence number ``until``, which the drift stage has committed."""
        ...

    def close(self) -> None: ...
