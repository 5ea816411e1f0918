"""What the monitor of clg.churn_cohorts keeps, and how tenure is cut.

Tenure is cut where leaving changes its nature: the first months, and a year and two years of contract. A hazard is a number
of customers who leave in a day, of those who could.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from msgspec import Struct, field
from scipy.special import gammaincinv

from detectors.sequential.cohort_excess import ExcessState
from detectors.sequential.expected_events import ExpectedState
from detectors.signals.verdict_life_state import DatedDrift, Recovery, StretchLifeState
from detectors.signals.weeks import Week
from schemas.alerts import Interval

TENURE_EDGES = (30.0, 90.0, 180.0, 340.0, 395.0, 705.0, 760.0)
"""Days as a customer at which the next tenure begins."""
TENURES = len(TENURE_EDGES) + 1
PRIOR_EVENTS = 0.5
"""How many events of the whole's hazard a tenure's own is shrunk by: few, for new customers do leave more often."""
SEEN_EXPECTED = 12.0
"""A tenure is known once so many events were to be expected in it by the whole's hazard. With fewer its own hazard is a
guess, and drift can be lost in what is taken for normal."""


class Part(Struct, array_like=True):
    """Days at risk and events in one tenure."""

    days: float = 0.0
    events: float = 0.0


class ChurnWeek(Week, array_like=True):
    """By the week (Monday) in which they were told. ``n`` customer months and ``ones`` events of all who are not elite; then
    observed and expected events: of those acquired late, of those acquired earlier, and of the elite. ``others`` and
    ``elite``: by tenure, while learning."""

    late_observed: float = 0.0
    late_expected: float = 0.0
    earlier_observed: float = 0.0
    earlier_expected: float = 0.0
    elite_observed: float = 0.0
    elite_expected: float = 0.0
    others: dict[int, Part] = field(default_factory=dict)
    elite: dict[int, Part] = field(default_factory=dict)


class ChurnBaseline(Struct, array_like=True):
    """``start`` and ``end`` in Unix seconds, ``n`` customer months with ``events``. By tenure: the ``hazards`` a day (None
    where it was not seen yet), what each is ``worth`` in events. ``level`` is the whole's hazard, ``elite`` the elite's
    level as a factor of the others'."""

    start: float
    end: float
    n: int
    events: float
    dispersion: float
    level: float
    elite: float
    hazards: list[float | None]
    worth: list[float]


class ChurnWatch(Struct, array_like=True):
    """``late``: days at risk by tenure of those acquired late, ``unseen`` what was met of tenures without a hazard."""

    baseline: ChurnBaseline
    high: float
    detection: ExcessState
    late: list[float]
    unseen: dict[int, Part]


class ChurnEpisode(DatedDrift, array_like=True):
    """``ratio``: observed over expected events of those acquired since, when it was found."""

    ratio: float
    recovery: ExpectedState


class ChurnState(StretchLifeState[ChurnWeek, ChurnWatch, ChurnEpisode, Recovery], kw_only=True):
    statistic: float = 0.0
    uniform: float | None = None
    """since when (Unix seconds) churn has risen everywhere, while it is held to have"""
    retaken: bool = False
    """whether a person has taken the baseline anew: what suspects and later customers did until then is usual"""


def new_week(start: float) -> ChurnWeek:
    return ChurnWeek(start, 0, 0, 0.0)


def tenure_of(days: float) -> int:
    return bisect_right(TENURE_EDGES, days)


def pieces(begin: float, end: float) -> list[tuple[int, float]]:
    """(tenure, days) of the days as a customer from ``begin`` to ``end``."""
    found = []
    while begin < end:
        tenure = tenure_of(begin)
        until = min(end, TENURE_EDGES[tenure]) if tenure < len(TENURE_EDGES) else end
        found.append((tenure, until - begin))
        begin = until
    return found


def add(parts: dict[int, Part], tenure: int, days: float, events: float) -> None:
    part = parts.setdefault(tenure, Part())
    part.days += days
    part.events += events


def added(many: Iterable[dict[int, Part]]) -> dict[int, Part]:
    whole: dict[int, Part] = {}
    for parts in many:
        for tenure, part in parts.items():
            add(whole, tenure, part.days, part.events)
    return whole


def hazard_of(part: Part, level: float) -> float:
    """Shrunk towards the ``level`` of the whole."""
    return (part.events + PRIOR_EVENTS) / (part.days + PRIOR_EVENTS / level)


def ratio(observed: float, expected: float) -> Interval | None:
    """Observed over expected events with Garwood's 95 % interval; None where nothing was to be expected."""
    if expected <= 0:
        return None
    low = float(gammaincinv(observed, 0.025)) if observed else 0.0
    high = float(gammaincinv(observed + 1, 0.975))
    return Interval(estimate=observed / expected, low=low / expected, high=high / expected, n=int(observed))
