"""What serving reads, whatever the store: states, ranked lists, alerts, drift states and books.

Rules that every source keeps (tests/contract/test_serving.py):
1. Reading changes nothing and holds up no commit. ``relist`` alone writes, and only listings.
2. ``snapshot`` is for one answer and one thread; a source may be used by several threads at the same time.
3. What is read is committed. A SQLite snapshot is of one moment. A Redis one is not: each account and each list entry
   is as of some commit made by the time it is read, and no account comes twice.
4. A store that can't be read now raises Unreadable, and the next snapshot tries anew.
5. State partitions are the source's own affair: lists come merged, and counts are sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Protocol

from msgspec import Meta, Struct

from schemas.errors import PlumblineError
from streams.serving.versions import Versions
from streams.serving.views import DeadLetterView, EndpointView
from streams.stores.contract import Ledger


class Unreadable(PlumblineError):
    """The store is not there, or can't be read now."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which alerts; what is None is not asked for. ``since`` in Unix seconds, included."""

    kind: str | None = None
    account: str | None = None
    variant: str | None = None
    signal: str | None = None
    segment: str | None = None
    since: float | None = None


class AlertPlace(Struct, array_like=True, frozen=True):
    """A place among the alerts. ``tie`` orders those of one moment, in a way of the source's own."""

    at: float
    tie: Annotated[int, Meta(ge=0, le=2**63 - 1)] | str


class Progress(Struct, kw_only=True):
    """How far one state partition is. ``watermark``: newest event time applied (Unix seconds), 0 before the first."""

    partition: int
    offsets: dict[str, int]
    """topic -> offset of the next record to read"""
    watermark: float
    ledger: Ledger


Archived = tuple[float, int | str, bytes]
"""place (time in Unix seconds, tie) of an alert, and the alert word for word as it went out"""

Listed = tuple[str, float, float, bytes]
"""account, what the list is ordered by, when it was listed (Unix seconds), state"""


class Snapshot(Protocol):
    """What one answer is made from. All of it raises Unreadable."""

    def state(self, account: str) -> bytes | None: ...

    def account_states(self) -> Iterator[tuple[str, bytes]]:
        """All accounts with their states, in any order; no visitors or products."""
        ...

    def account_count(self) -> int: ...

    def listed_under(self, variant: str) -> str | None:
        """The scoring that the variant's order was written under everywhere (versions.py); None if there is none."""
        ...

    def by_rank(self, variant: str) -> Iterator[Listed]:
        """Highest rank first (detectors/effects.py)."""
        ...

    def by_fit(self, variant: str, unknown: float, after: tuple[float, str] | None) -> Iterator[Listed]:
        """Highest fit first, then by account; those behind ``after`` (fit, account). An account that was listed without
        a profile counts as ``unknown``."""
        ...

    def listed_before(self, variant: str, at: float) -> Iterator[tuple[str, bytes]]:
        """Accounts whose listing is from before ``at`` (Unix seconds), with their states, in any order."""
        ...

    def alerts(self, wanted: Wanted, limit: int, after: AlertPlace | None) -> Sequence[Archived]:
        """The newest first, at most ``limit`` behind ``after``. Raises CursorRefused for another source's place."""
        ...

    def alert(self, alert_id: str) -> bytes | None: ...

    def alerts_by_kind(self) -> dict[str, int]: ...

    def drift_states(self, signals: Sequence[str]) -> dict[str, bytes]:
        """Those of ``signals`` that have a state."""
        ...

    def progress(self, stage: str) -> list[Progress]:
        """By state partition, those that have an owner or had one."""
        ...

    def dead_letters(self, limit: int) -> list[DeadLetterView]:
        """The newest first, without their bodies."""
        ...

    def dead_letters_by_reason(self) -> dict[str, int]:
        """The most frequent first."""
        ...

    def deliveries(self) -> list[EndpointView]:
        """By endpoint; empty where webhooks are sent by another process with books of its own."""
        ...


class Source(Protocol):
    """A store that answers can be made from."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Raises Unreadable, StateRefused, also at the first reading."""
        ...

    def relist(self, versions: Versions, now: float, pause: Callable[[float], bool]) -> int | None:
        """Brings the stored order of all lists up to date with the ICP file in force at ``now`` (Unix seconds); how many
        listings were written. ``pause`` waits so many seconds; if it says True, that is the end, and the answer is None."""
        ...

    def close(self) -> None: ...
