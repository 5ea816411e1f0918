"""What the monitor of a share keeps (rate_monitor.py), and sums over its weeks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from detectors.sequential.bernoulli_mixture import MixtureState
from detectors.sequential.exposure_mixture import ExposureState
from detectors.signals.dating import Dated
from detectors.signals.strata import Strata
from detectors.signals.verdict_life_state import DatedDrift, StretchLifeState
from detectors.signals.weeks import Week
from schemas.alerts import Interval

Way = Literal["rise", "fall"]


class RateWeek(Week, array_like=True):
    """``judged`` of the ``n`` observations had a baseline share of their own; of these ``judged_ones`` were ones where
    ``expected`` were to be expected. ``parts``: counts by number of the stratum, while
    learning and of the last weeks."""

    judged: int = 0
    judged_ones: int = 0
    expected: float = 0.0
    parts: dict[int, tuple[int, int]] = field(default_factory=dict)


class RateBaseline(Struct, array_like=True, frozen=True):
    """Times in Unix seconds; ``low`` and ``high`` bound the odds against the strata's shares, ``dispersion`` by week."""

    start: float
    end: float
    n: int
    ones: int
    low: float
    high: float
    per_day: float
    dispersion: float


class RateWatch(Struct, array_like=True):
    """``low`` and ``high``: the bounds of the null for the strata of the last weeks, never within the baseline's. ``ended``: when
    the last drift did (Unix seconds), 0 without one."""

    baseline: RateBaseline
    low: float
    high: float
    threshold: float
    detection: ExposureState
    plain: MixtureState
    """the detector of the plain share, for ``mix``"""
    ended: float = 0.0


class RateEpisode(DatedDrift, array_like=True):
    halfway: float
    """odds ratio that separates drifting from back"""
    recovery: ExposureState


class RateRecovery(Struct, array_like=True):
    """When the end was noticed (Unix seconds), and when it was."""

    at: float
    dated: Dated

    @property
    def since(self) -> float:
        return self.dated.since


class RateState(StretchLifeState[RateWeek, RateWatch, RateEpisode, RateRecovery], kw_only=True):
    strata: Strata = field(default_factory=Strata)
    mix_told: float | None = None
    """when ``mix`` was noticed last, Unix seconds"""


class Unsteady(Struct, frozen=True):
    """A stretch that was being learned fell apart; its newer part began at ``since`` (Unix seconds)."""

    older: Interval
    newer: Interval
    since: float


class Mix(Struct, frozen=True):
    """The plain share since ``since`` (Unix seconds), though the strata each behave as before."""

    now: Interval
    since: float


class Sums(Struct, frozen=True):
    """Of a stretch: all observations, and those that had a baseline share of their own (judged)."""

    n: int
    ones: int
    judged: int
    judged_ones: int
    expected: float

    @property
    def newcomer_ones(self) -> int:
        return self.ones - self.judged_ones

    @property
    def odds_ratio(self) -> float:
        """Observed odds over the expected ones, with half a one added to both sides so that it is always finite."""
        observed = (self.judged_ones + 0.5) / (self.judged - self.judged_ones + 0.5)
        return observed * (self.judged - self.expected + 0.5) / (self.expected + 0.5)


def sums_since(weeks: Sequence[RateWeek], since: float) -> Sums:
    chosen = [week for week in weeks if week.start >= since]
    return Sums(
        n=sum(week.n for week in chosen),
        ones=sum(week.ones for week in chosen),
        judged=sum(week.judged for week in chosen),
        judged_ones=sum(week.judged_ones for week in chosen),
        expected=sum(week.expected for week in chosen),
    )


def new_week(start: float) -> RateWeek:
    return RateWeek(start, 0, 0, 0.0)
