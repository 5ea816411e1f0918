"""What is kept of the life of a verdict (verdict_life.py): the head that the states of monitors have in common.

A monitor's own state derives from the head and adds what only it keeps. In a drift's and a recovery's encoded form (arrays)
``dated`` and ``at`` come first, and what a monitor adds comes after.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct, field

from detectors.signals.dating import Dated
from detectors.signals.weeks import Week

WeekT = TypeVar("WeekT", bound=Week)
WatchT = TypeVar("WatchT")
DriftT = TypeVar("DriftT")
RecoveryT = TypeVar("RecoveryT")


class DatedDrift(Struct, array_like=True):
    """A drift that is on, and when it began."""

    dated: Dated

    @property
    def since(self) -> float:
        return self.dated.since

    @property
    def margin_days(self) -> float:
        return self.dated.margin_days


class Recovery(Struct, array_like=True):
    """When the end of a drift was noticed, and when it likely was; Unix seconds."""

    at: float
    since: float


class LifeState(Struct, Generic[WeekT, WatchT, DriftT, RecoveryT], kw_only=True):
    """``n`` observations were counted in, ever; the ``newest`` began then (Unix seconds). There is no ``watch`` while
    learning, a ``drift`` while one is on, and a ``recovery`` as long as ``resolved`` is shown. ``episode``: monitor.py."""

    n: int = 0
    newest: float = 0.0
    weeks: list[WeekT] = field(default_factory=list)
    watch: WatchT | None = None
    drift: DriftT | None = None
    recovery: RecoveryT | None = None
    episode: int = 0


class StretchLifeState(LifeState[WeekT, WatchT, DriftT, RecoveryT], kw_only=True):
    """``learn_from``: when the stretch began that the baseline is learned from, Unix seconds; None before the first
    observation."""

    learn_from: float | None = None
