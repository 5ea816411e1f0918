"""The baseline of churn: when a stretch is good enough, what is frozen of it, and how sure it is for other tenures.

Rules:
1. Precise enough is a stretch from which half more churn would lie outside of the null (FEWEST_EVENTS), and homogeneous one
   by the week (baseline.py), a rise being a fall of those who stay.
2. Each tenure has its own hazard, shrunk towards the whole's. A tenure that was not seen has none, until customers who were
   acquired early have reached it.
3. The bound of the null is Garwood's upper one for the events that the hazards rest on *in the tenures of those who are
   judged*: new customers are compared with what is known of new customers, however much is known of old ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy.special import gammaincinv

from detectors.sequential.dispersion import dispersion
from detectors.signals.baseline import BOUND_LEVEL, Split, heterogeneity
from detectors.signals.clg_churn_cohorts_state import (
    PRIOR_EVENTS,
    SEEN_EXPECTED,
    TENURES,
    ChurnBaseline,
    ChurnWeek,
    Part,
    added,
    hazard_of,
)
from detectors.signals.weeks import Week, total

FEWEST_EVENTS = 40
"""The upper bound of a hazard that rests on so many lies below 1.3 times its estimate."""
LEAST_DAYS = 90.0
"""Churn comes in lumps, at renewals and at the ends of quarters: a shorter stretch has too many or too few of them."""
ELITE_PRIOR = 2.0
"""Events at the others' level that the elite's own is shrunk by."""


def split(stretch: Sequence[ChurnWeek]) -> Split | None:
    """``newer`` is ``lower`` where those who stay have become fewer."""
    return heterogeneity([Week(week.start, week.n, week.n - week.ones, 0.0) for week in stretch])


def freeze(stretch: Sequence[ChurnWeek], start: float, end: float) -> ChurnBaseline:
    """From weeks with an event; ``start`` to ``end`` in Unix seconds."""
    others, elite = added(week.others for week in stretch), added(week.elite for week in stretch)
    n, events = total(stretch, 0.0)
    level = events / sum(part.days for part in others.values())
    hazards: list[float | None] = [None] * TENURES
    worth = [0.0] * TENURES
    for tenure, part in others.items():
        if part.days * level >= SEEN_EXPECTED:
            hazards[tenure], worth[tenure] = hazard_of(part, level), part.events + PRIOR_EVENTS
    return ChurnBaseline(
        start=start,
        end=end,
        n=n,
        events=float(events),
        dispersion=dispersion([(week.n, week.ones) for week in stretch]),
        level=level,
        elite=_elite(elite, hazards),
        hazards=hazards,
        worth=worth,
    )


def _elite(parts: Mapping[int, Part], hazards: Sequence[float | None]) -> float:
    """Shrunk towards 1: an elite is small, and nothing is known of one that nobody left."""
    observed = expected = ELITE_PRIOR
    for tenure, part in parts.items():
        hazard = hazards[tenure]
        if hazard is not None:
            observed += part.events
            expected += part.days * hazard
    return observed / expected


def meet(baseline: ChurnBaseline, unseen: dict[int, Part]) -> None:
    """Gives a hazard to the tenures of which enough was seen by now."""
    for tenure in [each for each, part in unseen.items() if part.days * baseline.level >= SEEN_EXPECTED]:
        part = unseen.pop(tenure)
        baseline.hazards[tenure] = hazard_of(part, baseline.level)
        baseline.worth[tenure] = part.events + PRIOR_EVENTS


def worth_to(baseline: ChurnBaseline, late: Sequence[float]) -> float:
    """The events that the hazards rest on, for customers with so many expected events in each tenure."""
    whole = sum(late)
    if not whole:
        return baseline.events
    variance = sum(
        (expected / whole) ** 2 / worth for expected, worth in zip(late, baseline.worth, strict=True) if worth
    )
    return min(baseline.events, 1 / variance)


def bound(baseline: ChurnBaseline, late: Sequence[float]) -> float:
    """Of observed over expected events, for such customers."""
    counted = worth_to(baseline, late) / baseline.dispersion
    return float(gammaincinv(counted + 1, BOUND_LEVEL)) / counted
