"""Observed over expected events of customers, with an interval that holds for all that was estimated.

Two things are not known: how many events the baseline's customers would have had in the long run, and since when of acquisition
a drift is on. So the interval is that of a ratio of two Poisson rates, and the widest over the starts that are possible: a start
that was searched for makes what comes after it look worse than it is.

References
----------
J. Przyborowski, H. Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31 (1940): given
the sum of two Poisson counts, one of them is binomial. The interval of that share is Clopper and Pearson's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from scipy.special import betaincinv

from detectors.sequential.cohort_excess import ExcessWeek
from detectors.signals.dating import Dated
from schemas.alerts import Interval
from schemas.duration import WEEK

_TAIL = 0.025


def compared(observed: float, expected: float, worth: float) -> Interval | None:
    """With its 95 % interval, where the hazards that ``expected`` comes from rest on ``worth`` events (above 0); None where
    nothing was to be expected."""
    if expected <= 0:
        return None
    low = float(betaincinv(observed, worth + 1, _TAIL)) if observed else 0.0
    high = float(betaincinv(observed + 1, worth, 1 - _TAIL))
    by_odds = worth / expected
    return Interval(
        estimate=observed / expected,
        low=by_odds * low / (1 - low),
        high=by_odds * high / (1 - high),
        n=int(observed),
    )


def events_since(weeks: Sequence[ExcessWeek], since: float) -> tuple[float, float]:
    """Observed and expected events of those acquired since then (Unix seconds)."""
    chosen = [week for week in weeks if week.number * WEEK >= since]
    return sum(week.observed for week in chosen), sum(week.expected for week in chosen)


def compared_since(dated: Dated, weeks: Sequence[ExcessWeek], worth: float) -> Interval | None:
    """Of those acquired since the drift began: the widest over its possible starts."""
    estimate = compared(*events_since(weeks, dated.since), worth)
    if estimate is None:
        return None
    starts = (week.number * WEEK for week in weeks)
    possible = [
        compared(*events_since(weeks, each), worth)
        for each in starts
        if dated.earliest <= each <= dated.latest
    ]
    found = [estimate, *(each for each in possible if each is not None)]
    return msgspec.structs.replace(
        estimate, low=min(each.low for each in found), high=max(each.high for each in found)
    )
