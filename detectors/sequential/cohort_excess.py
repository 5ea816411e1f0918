"""The cohort excess detector: finds that events come more (or less) often to whatever began since some week than age explains.

Events and the number of events that the baseline wants are summed by the week in which what they come to began: a customer
was acquired, a deal created. A change is looked for among the *starts* of cohorts, so what is older dilutes nothing. One bad
stretch may be forgiven: the worst ``set_apart`` adjacent weeks then never count.

Rules:
1. The null is that every cohort, but those of one stretch of ``set_apart`` weeks, has at most ``high`` times (for a fall: at
   least ``low`` times) the events that are expected of it.
2. Exposure must be known before its events: ``expected`` may not depend on what was observed in the same update.
3. The promise is counted in days of cohorts: a week of them is one more start that could be wrong.
4. At most MAX_WEEKS weeks are kept; what an older one tells is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal, Protocol, Self, TypeVar

from msgspec import Struct
from scipy.special import gammaincinv

from detectors.sequential.contract import CEILING, ChangeEstimate, Unit
from detectors.sequential.stored_state import decode, encode
from schemas.duration import WEEK

DEFAULT_STRENGTHS = ((1.5, 1.0), (2.0, 1.0), (3.0, 1.0))
"""(hazard ratio against the bound, weight); inverted for a fall"""
SET_APART = 6
"""Weeks: as many as a stretch of 31 days can touch, and one more at its fading edge."""
MAX_WEEKS = 156
WEEK_DAYS = 7.0
LARGEST_LOG = 700.0
STATE_VERSION = 1

Side = Literal["fall", "rise"]


class Acquired(Struct, frozen=True):
    """Of what began at ``began`` (Unix seconds): ``observed`` events (a whole number) where ``expected`` (0 or more)
    were to be expected; not both 0. ``may_start``: whether a change may begin with them."""

    began: float
    observed: float
    expected: float
    may_start: bool = True


class ExcessWeek(Struct, array_like=True):
    """``number``: weeks since 1970."""

    number: int
    observed: float = 0.0
    expected: float = 0.0
    may_start: bool = False


class Numbered(Protocol):
    number: int


AnyWeek = TypeVar("AnyWeek", bound=Numbered)


class ExcessState(Struct, array_like=True):
    weeks: list[ExcessWeek]


class CohortExcess:
    """Shiryaev-Roberts e-detector over the starts of cohorts, which can forgive one bad stretch.

    For a hazard ratio rho against the bound b, a cohort with O events where E are expected has
    ``l = O log rho - (rho - 1) b E``. For each start s, ``T(s)`` is the sum of l over all cohorts since s, less the largest
    sum of ``set_apart`` adjacent ones; the statistic is the sum of ``exp T(s)`` over s, seven days each, averaged over rho.
    With one bad stretch, T(s) is at most the sum over the other cohorts, whose exponential is an e-value; so the sum over
    starts has the promise below whatever the bad stretch does.

    Promise: while every cohort outside of one stretch of ``set_apart`` weeks keeps its hazard ratio within the bound, the
    average number of *days* until the alarm is at least the threshold.

    Parameters
    ----------
    low, high
        Bounds of the null for observed / expected, positive: ``low`` counts for a fall, ``high`` for a rise.
    direction
        ``fall`` or ``rise``.
    strengths
        (hazard ratio against the bound, weight) of each alternative, above 1; inverted for a fall.
    dispersion
        How many times more counts vary than a Poisson's, 1 or more: O and E count as 1/dispersion of events.
    set_apart
        Weeks of the stretch that is forgiven, 0 where none is.

    References
    ----------
    P. Biswas, J. D. Kalbfleisch, "A risk-adjusted CUSUM in continuous time based on the Cox model", Statistics in
    Medicine 27 (2008), for failures by the time of entry. J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024).
    """

    unit: ClassVar[Unit | None] = "days"

    def __init__(
        self,
        *,
        low: float = 1.0,
        high: float = 1.0,
        direction: Side = "rise",
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
        dispersion: float = 1.0,
        set_apart: int = SET_APART,
    ) -> None:
        if not 0 < low <= high < math.inf:
            raise ValueError(f"the null needs bounds with 0 < low <= high, not {low} and {high}")
        if not strengths or not all(1 < ratio < math.inf and weight > 0 for ratio, weight in strengths):
            raise ValueError("every strength is a ratio above 1 with a positive weight")
        if not (math.isfinite(dispersion) and dispersion >= 1):
            raise ValueError("a dispersion is 1 or more")
        if set_apart < 0:
            raise ValueError("the stretch that is set apart has 0 weeks or more")
        self.low, self.high = low, high
        self._set_apart = set_apart
        bound, power = (high, 1) if direction == "rise" else (low, -1)
        whole = sum(weight for _, weight in strengths)
        self._lines = tuple(
            (weight / whole, power * math.log(ratio) / dispersion, (ratio**power - 1) * bound / dispersion)
            for ratio, weight in strengths
        )

    @classmethod
    def from_baseline(
        cls,
        events: float,
        *,
        direction: Side = "rise",
        level: float = 0.9,
        dispersion: float = 1.0,
        set_apart: int = SET_APART,
    ) -> Self:
        """Against a hazard that was learned from so many events: Garwood's exact bounds at the one-sided ``level``. Raises
        ValueError where there were none."""
        if not 0 < events < math.inf:
            raise ValueError("a baseline needs events")
        counted = events / dispersion
        return cls(
            low=float(gammaincinv(counted, 1 - level)) / counted,
            high=float(gammaincinv(counted + 1, level)) / counted,
            direction=direction,
            dispersion=dispersion,
            set_apart=set_apart,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Acquired], Sequence[Acquired]]]:
        # An observation an hour; one in ten leaves, a week after it was acquired.
        quiet = [Acquired(max(hour - 168, 0) * 3600.0, float(hour % 10 == 0), 0.1) for hour in range(3000)]
        impossible = [
            *(Acquired(0.0, wrong, 0.1) for wrong in (-1.0, 0.5, math.nan, math.inf)),
            *(Acquired(0.0, 1.0, wrong) for wrong in (-0.1, math.nan, math.inf)),
            *(Acquired(wrong, 1.0, 0.1) for wrong in (math.nan, math.inf, -math.inf)),
            Acquired(0.0, 0.0, 0.0),
        ]
        fewer = cls(low=0.9, direction="fall", set_apart=0)
        return [(cls(high=1.1), quiet, impossible), (fewer, quiet, impossible)]

    def new_state(self) -> ExcessState:
        return ExcessState([])

    def update(self, state: ExcessState, value: Acquired, at: float) -> None:
        if not (0 <= value.observed < math.inf and value.observed == int(value.observed)):
            raise ValueError("observed events are a whole number, 0 or more")
        if not (0 <= value.expected < math.inf and (value.observed or value.expected)):
            raise ValueError("expected events are 0 or more, and above 0 where nothing was observed")
        if not (math.isfinite(value.began) and math.isfinite(at)):
            raise ValueError("a cohort needs a finite time")
        week = week_numbered(state.weeks, int(value.began // WEEK), ExcessWeek)
        if week is not None:
            week.observed += value.observed
            week.expected += value.expected
            week.may_start = week.may_start or value.may_start

    def statistic(self, state: ExcessState) -> float:
        total = 0.0
        for weight, by_event, by_exposure in self._lines:
            for start, gain in starts(state.weeks, by_event, by_exposure, self._set_apart):
                if start.may_start:
                    total += weight * WEEK_DAYS * math.exp(min(gain, LARGEST_LOG))
        return min(total, CEILING)

    def change(self, state: ExcessState) -> ChangeEstimate | None:
        """The start of cohorts that maximises the likelihood; ``n`` weeks of cohorts since then, ``total`` events."""
        best: tuple[float, int] | None = None
        for _, by_event, by_exposure in self._lines:
            for start, gain in starts(state.weeks, by_event, by_exposure, self._set_apart):
                if start.may_start and gain > 0 and (best is None or gain > best[0]):
                    best = (gain, start.number)
        if best is None:
            return None
        since = [week for week in state.weeks if week.number >= best[1]]
        return ChangeEstimate(best[1] * WEEK, len(since), sum(week.observed for week in since))

    def encode_state(self, state: ExcessState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> ExcessState:
        return decode(
            raw,
            STATE_VERSION,
            ExcessState,
            what="a cohort excess's state",
            fits=lambda state: len(state.weeks) <= MAX_WEEKS,
        )


def week_numbered(weeks: list[AnyWeek], number: int, new: Callable[[int], AnyWeek]) -> AnyWeek | None:
    """The week of that number, made by ``new(number)`` if need be; None where it is older than what is kept."""
    at = len(weeks)
    while at and weeks[at - 1].number > number:
        at -= 1
    if at and weeks[at - 1].number == number:
        return weeks[at - 1]
    if at == 0 and len(weeks) == MAX_WEEKS:
        return None
    weeks.insert(at, new(number))
    if len(weeks) > MAX_WEEKS:
        del weeks[0]
        at -= 1
    return weeks[at]


def starts(
    weeks: Sequence[ExcessWeek], by_event: float, by_exposure: float, set_apart: int = SET_APART
) -> Iterable[tuple[ExcessWeek, float]]:
    """Each week with the log likelihood ratio of a change that began with it, the worst stretch since then set apart."""
    gained = worst = 0.0
    newer: list[tuple[int, float]] = []
    for week in reversed(weeks):
        gain = week.observed * by_event - week.expected * by_exposure
        gained += gain
        if set_apart:
            newer = [(number, sum_ + gain) for number, sum_ in newer if number < week.number + set_apart]
            newer.append((week.number, gain))
            worst = max(worst, *(sum_ for _, sum_ in newer))
        yield week, gained - worst
