"""Since when of acquisition customers leave more often: the median of a posterior over the weeks of acquisition.

As dating.py and rate_dating.py do for shares: all starts are equally likely beforehand, cohorts before the start leave as the
baseline, those since by one of a mixture of ratios; the range holds CREDIBLE of the posterior.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from detectors.sequential.cohort_excess import DEFAULT_STRENGTHS, ExcessWeek
from detectors.signals.dating import CREDIBLE, Dated
from schemas.duration import WEEK


def date_start(weeks: Sequence[ExcessWeek], otherwise: float, unit_s: float = WEEK) -> Dated:
    """``weeks`` in order, whose numbers count ``unit_s``; ``otherwise`` (Unix seconds) is the answer where none may be the
    start. ``n`` is 0, ``ones`` the events since the start."""
    observed = expected = 0.0
    possible: list[tuple[float, int, float]] = []
    for week in reversed(weeks):
        observed += week.observed
        expected += week.expected
        if week.may_start:
            evidence = [observed * math.log(each) - (each - 1) * expected for each, _ in DEFAULT_STRENGTHS]
            most = max(evidence)
            mixed = sum(
                weight * math.exp(each - most)
                for each, (_, weight) in zip(evidence, DEFAULT_STRENGTHS, strict=True)
            )
            possible.append((week.number * unit_s, int(observed), most + math.log(mixed)))
    if not possible:
        return Dated(otherwise, otherwise, otherwise, 0, 0)
    possible.reverse()
    best = max(evidence for *_, evidence in possible)
    weights = [math.exp(evidence - best) for *_, evidence in possible]
    reached = [below / sum(weights) for below in accumulate(weights)]
    tail = (1 - CREDIBLE) / 2
    earliest, middle, latest = (
        possible[min(bisect_left(reached, quantile), len(possible) - 1)] for quantile in (tail, 0.5, 1 - tail)
    )
    return Dated(middle[0], earliest[0], latest[0], 0, middle[1])
