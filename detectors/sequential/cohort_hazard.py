"""The cohort-start hazard detector: finds that cohorts from some day on convert less (or more), long before they mature.

Accounts are counted as days at risk by days since their start; a baseline hazard says how many conversions those days want.
A change is looked for among the *starts* of cohorts: "whoever started since that day converts at half the rate".

Rules:
1. The hazard of each day since the start was learned from a mature stretch, up to a horizon. Only its level is judged, so
   young cohorts, growth and a shift of the day of the week move nothing: they have as few days at risk as conversions.
2. A day's evidence is taken in when the day is over (when an observation of a later day comes). So the order within a day
   means nothing. What arrives late is counted on the day on which it arrives; an account that is told late is at risk from
   then on.
3. The promise is counted in days, whatever the flow.
4. After the horizon an account is not at risk any more, and what it does says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar, Literal, Self

from msgspec import Struct
from scipy.special import gammaincinv

from detectors.sequential.bernoulli_mixture import FALL_WEIGHT, mixture_weights
from detectors.sequential.contract import CEILING, ChangeEstimate, Direction, Unit
from detectors.sequential.stored_state import decode, encode
from schemas.duration import DAY

Kind = Literal["entered", "converted", "left"]

DEFAULT_STRENGTHS = ((0.6, 1.0), (0.45, 1.0))
"""(hazard ratio against the bound, weight)"""
DEFAULT_LEVEL = 0.65
"""Of the hazard's bound. Enough for the promise on average over the baselines that chance can give from a mature year
(bench/detection); raise it where each single baseline must keep it."""
LATEST = 253_402_300_800.0
"""Unix seconds of the year 10,000"""
STATE_VERSION = 1


class CohortEvent(Struct, frozen=True):
    """One account ``entered`` the risk of converting, ``converted``, or ``left`` it; ``began`` (Unix seconds) is its start,
    the same in all of its events."""

    kind: Kind
    began: float


class Cohort(Struct, array_like=True):
    """The accounts that started on one day. ``today`` have converted on the day that is not over yet."""

    at_risk: int = 0
    today: int = 0
    entered: int = 0
    converted: int = 0
    expected: float = 0.0


class Closed(Struct, array_like=True):
    """One alternative's sums over the cohorts that are past the horizon: Shiryaev-Roberts, and the restart that dates."""

    evidence: float = 0.0
    support: float = 0.0
    since: float = 0.0
    n: int = 0
    converted: int = 0


class CohortState(Struct, array_like=True):
    """``cohorts`` are those of the days up to ``day`` (days since 1970), without a gap, the oldest first."""

    day: int | None
    cohorts: list[Cohort]
    closed: list[Closed]
    statistic: float


class CohortHazard:
    """Shiryaev-Roberts e-detector over the starts of cohorts, with a learned discrete hazard.

    For each hazard ratio rho, the cohort of one day has ``L = rho ** O * exp((1 - rho) * b * E)`` with O its conversions,
    E those that the baseline hazard wants for its days at risk until now, and b the bound of the baseline's level up to now;
    ``R <- (R + 1) * L`` from the oldest cohort to the newest, where the L of young cohorts still change from day to day.
    (The CUSUM over cohort starts is the maximum over starts; the sum over starts has the promise below, and delays are
    alike.) L is an e-value for conversions of a discrete hazard too, since 1 + x <= exp(x).

    Promise: while cohorts convert with a hazard within the bounds, the average number of *days* until the alarm is at least
    the threshold.

    Parameters
    ----------
    hazard
        Probability of converting on each day since the start (day 0 is the day of the start), in [0, 1).
    low, high
        Bounds of its level up to each day (or one for all), as factors: for a fall only ``low`` counts, for a rise ``high``.
    direction
        ``fall``, ``rise`` or ``both``.
    strengths
        (hazard ratio against the bound, weight) of each alternative, in (0, 1); inverted for a rise.
    dispersion
        How many times more counts vary than independent accounts' do, 1 or more.

    References
    ----------
    P. Biswas, J. D. Kalbfleisch, "A risk-adjusted CUSUM in continuous time based on the Cox model", Statistics in
    Medicine 27 (2008), for failures by the time of entry. J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024).
    """

    unit: ClassVar[Unit | None] = "days"

    def __init__(
        self,
        *,
        hazard: Sequence[float],
        low: float | Sequence[float] = 1.0,
        high: float | Sequence[float] = 1.0,
        direction: Direction = "fall",
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
        dispersion: float = 1.0,
        fall_weight: float = FALL_WEIGHT,
    ) -> None:
        if not hazard or not all(0 <= each < 1 for each in hazard) or not any(hazard):
            raise ValueError("a hazard has a probability below 1 for each day, and not all are 0")
        lows, highs = (
            (each,) * len(hazard) if isinstance(each, int | float) else tuple(each) for each in (low, high)
        )
        if len(lows) != len(hazard) or not all(
            0 <= below <= above < math.inf for below, above in zip(lows, highs, strict=True)
        ):
            raise ValueError("the null needs 0 <= low <= high, one for all days or one for each")
        weights = mixture_weights(direction, strengths, dispersion, fall_weight)
        self.hazard = tuple(hazard)
        self.low = lows
        self.high = highs
        self.weights = tuple(weight for _, weight in weights)
        # For each alternative: what an event adds, and what an expected event adds by days since the start.
        self._lines = tuple(
            (
                math.log(ratio) / dispersion,
                tuple((1 - ratio) * bound / dispersion for bound in (lows if ratio < 1 else highs)),
            )
            for ratio, _ in weights
        )

    @classmethod
    def from_baseline(
        cls,
        conversions: Sequence[int],
        at_risk: Sequence[int],
        *,
        direction: Direction = "fall",
        level: float = DEFAULT_LEVEL,
        dispersion: float = 1.0,
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
    ) -> Self:
        """From a mature stretch: conversions, and accounts at risk, on each day since the start, up to the horizon.

        The bounds are Garwood's, one-sided, for the conversions up to each day: the first days of a cohort are judged by the
        few conversions that were ever seen on them. Raises ValueError for impossible counts.
        """
        if len(conversions) != len(at_risk) or not all(
            0 <= came <= risked for came, risked in zip(conversions, at_risk, strict=True)
        ):
            raise ValueError("a baseline has 0 <= conversions <= accounts at risk for each day")
        if not sum(conversions):
            raise ValueError("a baseline without a conversion has no hazard to fall from")
        seen = [events / dispersion for events in accumulate(conversions)]
        return cls(
            # A day on which every account of a small baseline converted can't be certain.
            hazard=[
                min(came / risked, 0.999) if risked else 0.0
                for came, risked in zip(conversions, at_risk, strict=True)
            ],
            low=[float(gammaincinv(events, 1 - level)) / events if events else 0.0 for events in seen],
            high=[float(gammaincinv(events + 1, level)) / events if events else 1.0 for events in seen],
            direction=direction,
            dispersion=dispersion,
            strengths=strengths,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[CohortEvent], Sequence[CohortEvent]]]:
        # An observation an hour; each day one account converts and one leaves.
        quiet: list[CohortEvent] = []
        for hour in range(3000):
            day, later = divmod(hour, 24)
            kind: Kind = "converted" if later == 20 else "left" if later == 22 else "entered"
            began = max(day - 2, 0) if kind == "converted" else day
            quiet.append(CohortEvent(kind, began * DAY))
        impossible = [
            *(CohortEvent("entered", began) for began in (math.nan, math.inf, -math.inf, 1e9)),
            CohortEvent("converted", -40 * DAY),
            CohortEvent("vanished", 0.0),  # type: ignore[arg-type]
        ]
        hazard = [0.0, 0.0, 1 / 21] + [0.0] * 87
        return [(cls(hazard=hazard, low=0.8, high=1.2, direction=way), quiet, impossible) for way in _WAYS]

    def new_state(self) -> CohortState:
        return CohortState(None, [], [Closed() for _ in self.weights], 0.0)

    def update(self, state: CohortState, value: CohortEvent, at: float) -> None:
        if not (0 <= at < LATEST and -LATEST < value.began < LATEST):
            raise ValueError("a cohort's times are Unix seconds of this era")
        if value.kind not in ("entered", "converted", "left"):
            raise ValueError("an account entered, converted or left")
        began, day = int(value.began // DAY), int(at // DAY)
        day = max(day, state.day) if state.day is not None else day
        if began > day:
            raise ValueError("a cohort can't begin after the day on which it is told")
        if day - began >= len(self.hazard):
            self._pass_to(state, day)
            return
        if value.kind != "entered" and not self._at_risk(state, began):
            raise ValueError(f"an account {value.kind} that is not at risk")
        self._pass_to(state, day)
        while len(state.cohorts) <= day - began:
            state.cohorts.insert(0, Cohort())
        cohort = state.cohorts[began - day - 1]
        if value.kind == "entered":
            cohort.at_risk += 1
            cohort.entered += 1
        elif value.kind == "converted":
            cohort.today += 1
            cohort.converted += 1
        else:
            cohort.at_risk -= 1

    def end_days(self, state: CohortState, at: float) -> None:
        """Takes in the days that are over at ``at`` (Unix seconds), as an observation of that day would. Raises ValueError
        for a time that can't be."""
        if not 0 <= at < LATEST:
            raise ValueError("a cohort's times are Unix seconds of this era")
        day = int(at // DAY)
        if state.day is None or day > state.day:
            self._pass_to(state, day)

    def statistic(self, state: CohortState) -> float:
        """As of the end of the last day that is over."""
        return state.statistic

    def change(self, state: CohortState) -> ChangeEstimate | None:
        """The cohort start that maximises the likelihood; ``n`` accounts entered since then, ``total`` converted."""
        best: Closed | None = None
        if state.day is None:
            return None
        newest = len(state.cohorts) - 1
        for closed, line in zip(state.closed, self._lines, strict=True):
            run = Closed(0.0, closed.support, closed.since, closed.n, closed.converted)
            oldest = state.day - len(state.cohorts) + 1
            for number, cohort in enumerate(state.cohorts):
                _restart(run, cohort, _evidence(cohort, line, newest - number), oldest + number)
            if run.support > 0 and (best is None or run.support > best.support):
                best = run
        return ChangeEstimate(best.since, best.n, best.converted) if best is not None else None

    def encode_state(self, state: CohortState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> CohortState:
        return decode(
            raw,
            STATE_VERSION,
            CohortState,
            what="a cohort hazard's state",
            fits=lambda state: (
                len(state.closed) == len(self.weights) and len(state.cohorts) <= len(self.hazard)
            ),
        )

    def _at_risk(self, state: CohortState, began: int) -> int:
        """How many of the cohort of day ``began`` could still convert or leave today."""
        if state.day is None or not 0 <= state.day - began < len(state.cohorts):
            return 0
        cohort = state.cohorts[began - state.day - 1]
        return cohort.at_risk - cohort.today

    def _pass_to(self, state: CohortState, day: int) -> None:
        if state.day is None:
            state.day = day
            state.cohorts.append(Cohort())
            return
        for _ in range(min(day - state.day, len(self.hazard) + 1)):
            self._end_day(state)
        if day > state.day:
            # Nobody is left at risk: what remains of the gap are starts that nothing speaks for or against.
            for closed in state.closed:
                closed.evidence = min(closed.evidence + day - state.day, CEILING)
            state.day = day

    def _end_day(self, state: CohortState) -> None:
        newest = len(state.cohorts) - 1
        for number, cohort in enumerate(state.cohorts):
            if cohort.at_risk:
                cohort.expected += cohort.at_risk * self.hazard[newest - number]
                cohort.at_risk -= cohort.today
                cohort.today = 0
        statistic = 0.0
        for weight, closed, line in zip(self.weights, state.closed, self._lines, strict=True):
            evidence = closed.evidence
            for number, cohort in enumerate(state.cohorts):
                evidence = _grown(evidence, _evidence(cohort, line, newest - number))
            statistic += weight * evidence
        state.statistic = min(statistic, CEILING)
        assert state.day is not None  # noqa: S101  # only called once a day is known
        if len(state.cohorts) == len(self.hazard):
            oldest = state.cohorts.pop(0)
            began = state.day - len(self.hazard) + 1
            for closed, line in zip(state.closed, self._lines, strict=True):
                step = _evidence(oldest, line, len(self.hazard) - 1)
                closed.evidence = _grown(closed.evidence, step)
                _restart(closed, oldest, step, began)
        state.cohorts.append(Cohort())
        state.day += 1


_WAYS: tuple[Direction, ...] = ("fall", "rise", "both")


def _evidence(cohort: Cohort, line: tuple[float, tuple[float, ...]], age: int) -> float:
    by_event, by_exposure = line
    return cohort.converted * by_event + cohort.expected * by_exposure[age]


def _grown(evidence: float, step: float) -> float:
    return min((evidence + 1) * math.exp(min(step, 700.0)), CEILING)


def _restart(run: Closed, cohort: Cohort, step: float, day: int) -> None:
    run.support += step
    if run.support <= 0:
        run.support, run.n, run.converted = 0.0, 0, 0
        return
    if run.n == 0 and run.converted == 0:
        run.since = day * DAY
    run.n += cohort.entered
    run.converted += cohort.converted
