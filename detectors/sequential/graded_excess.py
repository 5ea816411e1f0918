"""The graded excess detector: events come more often to whatever began since some week, perhaps in one grade more than another.

As in cohort_excess.py, events and what the baseline wants of them are summed by the week in which what they come to began, so
what is older dilutes nothing. Here they are told by *grade* as well (by age, say). A change that raises the rare grades tenfold and
the common one hardly is lost in one sum; among grades it is plain.

Rules:
1. The null is that in every grade at most ``highs`` times the expected events come.
2. Each grade has a bound of its own, by its own events in the baseline: what is hardly known pays for that.
3. The alternatives rise alike in all grades, or the more the higher the grade: by the ratio to the power of its place.
4. Exposure must be known before its events: ``expected`` may not depend on what was observed in the same update.
5. The promise is counted in days of cohorts: a week of them is one more start that could be wrong.
6. At most MAX_WEEKS weeks are kept; what an older one tells is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from msgspec import Struct
from scipy.special import gammaincinv

from detectors.sequential.cohort_excess import (
    DEFAULT_STRENGTHS,
    LARGEST_LOG,
    MAX_WEEKS,
    WEEK_DAYS,
    week_numbered,
)
from detectors.sequential.contract import CEILING, ChangeEstimate, Unit
from detectors.sequential.stored_state import decode, encode
from schemas.duration import WEEK

LEVEL = 0.8
"""Of the bound of each grade. A sum over grades is over its bounds less often than one grade is: simulated with four grades, 95 to 99 of
100 baselines keep the promise. At 0.9 a change is found five days later."""
LEAST_EVENTS = 0.5
"""What is expected in a grade in which the baseline had no event."""
STATE_VERSION = 1


class Graded(Struct, frozen=True):
    """Of one ``grade`` of what began at ``began`` (Unix seconds): ``observed`` events (a whole number) where ``expected`` (positive)
    were to be expected."""

    began: float
    grade: int
    observed: float
    expected: float


class GradedWeek(Struct, array_like=True):
    """``number``: weeks since 1970; events by grade."""

    number: int
    observed: list[float]
    expected: list[float]


class GradedState(Struct, array_like=True):
    weeks: list[GradedWeek]


class GradedExcess:
    """Shiryaev-Roberts e-detector over the starts of cohorts whose alternatives differ by grade.

    For hazard ratios rho_g against bounds b_g, a cohort with O_g events where E_g are expected has
    ``l = sum over g of O_g log rho_g - (rho_g - 1) b_g E_g``. For each start, T is the sum of l over all cohorts since; the
    statistic is the sum of ``exp T`` over the starts, seven days each, averaged over the alternatives.

    Promise: while every grade keeps its hazard ratio within its bound, the average number of *days* until the alarm is at least
    the threshold.

    Parameters
    ----------
    highs
        By grade: bounds of the null for observed / expected, positive.
    strengths
        (hazard ratio against the bound, weight) above 1: each counts half as a rise in all grades alike, half as a rise by its power
        1, 2, 3, ... from the first grade on.
    dispersion
        How many times more counts vary than a Poisson's, 1 or more: O and E count as 1/dispersion of events.

    References
    ----------
    P. Biswas, J. D. Kalbfleisch, "A risk-adjusted CUSUM in continuous time based on the Cox model", Statistics in Medicine 27 (2008),
    for failures by the time of entry. J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024).
    """

    unit: ClassVar[Unit | None] = "days"

    def __init__(
        self,
        *,
        highs: Sequence[float],
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
        dispersion: float = 1.0,
    ) -> None:
        if not highs or not all(0 < high < math.inf for high in highs):
            raise ValueError(f"the null needs a positive bound for each grade, not {list(highs)}")
        if not strengths or not all(1 < ratio < math.inf and weight > 0 for ratio, weight in strengths):
            raise ValueError("every strength is a ratio above 1 with a positive weight")
        if not (math.isfinite(dispersion) and dispersion >= 1):
            raise ValueError("a dispersion is 1 or more")
        self.highs = tuple(highs)
        places = range(1, len(highs) + 1)
        whole = 2 * sum(weight for _, weight in strengths)
        self._lines = tuple(
            (
                weight / whole,
                [math.log(ratio) * power / dispersion for power in powers],
                [
                    (ratio**power - 1) * high / dispersion
                    for power, high in zip(powers, self.highs, strict=True)
                ],
            )
            for ratio, weight in strengths
            for powers in ([1 for _ in places], list(places))
        )

    @classmethod
    def from_baseline(cls, events: Sequence[float], *, level: float = LEVEL, dispersion: float = 1.0) -> Self:
        """Against hazards that were learned from so many events by grade: Garwood's exact bound of each at the one-sided
        ``level``; a hazard without any is that of LEAST_EVENTS. Raises ValueError for impossible counts."""
        if not all(0 <= each < math.inf for each in events):
            raise ValueError("a baseline's events are 0 or more")
        return cls(
            highs=[
                float(gammaincinv(each / dispersion + 1, level)) * dispersion / max(each, LEAST_EVENTS)
                for each in events
            ],
            dispersion=dispersion,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Graded], Sequence[Graded]]]:
        # An observation an hour; one in ten is an event, a week after its cohort began.
        quiet = [
            Graded(max(hour - 168, 0) * 3600.0, hour % 3, float(hour % 10 == 0), 0.1) for hour in range(3000)
        ]
        impossible = [
            *(Graded(0.0, 0, wrong, 0.1) for wrong in (-1.0, 0.5, math.nan, math.inf)),
            *(Graded(0.0, 0, 1.0, wrong) for wrong in (0.0, -0.1, math.nan, math.inf)),
            *(Graded(wrong, 0, 1.0, 0.1) for wrong in (math.nan, math.inf, -math.inf)),
            *(Graded(0.0, wrong, 1.0, 0.1) for wrong in (-1, 3)),
        ]
        return [(cls(highs=(1.1, 1.3, 1.5)), quiet, impossible)]

    def new_state(self) -> GradedState:
        return GradedState([])

    def update(self, state: GradedState, value: Graded, at: float) -> None:
        if not (0 <= value.observed < math.inf and value.observed == int(value.observed)):
            raise ValueError("observed events are a whole number, 0 or more")
        if not 0 < value.expected < math.inf:
            raise ValueError("expected events are positive")
        if not (math.isfinite(value.began) and math.isfinite(at)):
            raise ValueError("a cohort needs a finite time")
        if not 0 <= value.grade < len(self.highs):
            raise ValueError(f"a grade is 0 to {len(self.highs) - 1}")
        week = week_numbered(state.weeks, int(value.began // WEEK), self._new_week)
        if week is not None:
            week.observed[value.grade] += value.observed
            week.expected[value.grade] += value.expected

    def statistic(self, state: GradedState) -> float:
        total = sum(
            weight * WEEK_DAYS * math.exp(min(gained, LARGEST_LOG))
            for weight, _, gained in self._starts(state)
        )
        return min(total, CEILING)

    def change(self, state: GradedState) -> ChangeEstimate | None:
        """The start of cohorts that maximises the likelihood; ``n`` weeks of cohorts since then, ``total`` events."""
        found = max(((gained, week.number) for _, week, gained in self._starts(state)), default=(0.0, 0))
        if found[0] <= 0:
            return None
        since = [week for week in state.weeks if week.number >= found[1]]
        return ChangeEstimate(found[1] * WEEK, len(since), sum(sum(week.observed) for week in since))

    def encode_state(self, state: GradedState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> GradedState:
        grades = len(self.highs)
        return decode(
            raw,
            STATE_VERSION,
            GradedState,
            what="a graded excess's state",
            fits=lambda state: (
                len(state.weeks) <= MAX_WEEKS
                and all(len(week.observed) == len(week.expected) == grades for week in state.weeks)
            ),
        )

    def _new_week(self, number: int) -> GradedWeek:
        return GradedWeek(number, [0.0] * len(self.highs), [0.0] * len(self.highs))

    def _starts(self, state: GradedState) -> Iterator[tuple[float, GradedWeek, float]]:
        """By alternative: its weight, each week, and the log likelihood ratio of a change that began with it."""
        for weight, by_event, by_exposure in self._lines:
            gained = 0.0
            for week in reversed(state.weeks):
                for observed, expected, more, less in zip(
                    week.observed, week.expected, by_event, by_exposure, strict=True
                ):
                    gained += observed * more - expected * less
                yield weight, week, gained
