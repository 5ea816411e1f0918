"""Since when of acquisition customers leave more often: the median of a posterior over the weeks of acquisition.

As dating.py and rate_dating.py do for shares: all starts are equally likely beforehand, cohorts before the start leave as the
baseline, those since by one of a mixture of ratios; the range holds CREDIBLE of the posterior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from detectors.sequential.cohort_excess import DEFAULT_STRENGTHS, ExcessWeek
from detectors.signals.dating import Dated, posterior
from schemas.duration import WEEK


def date_start(weeks: Sequence[ExcessWeek], otherwise: float, unit_s: float = WEEK) -> Dated:
    """``weeks`` in order, whose numbers count ``unit_s``; ``otherwise`` (Unix seconds) is the answer where none may be the
    start. ``n`` is 0, ``ones`` the events since the start."""
    observed = expected = 0.0
    possible: list[tuple[float, int, int, float]] = []
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
            possible.append((week.number * unit_s, 0, int(observed), most + math.log(mixed)))
    if not possible:
        return Dated(otherwise, otherwise, otherwise, 0, 0)
    return posterior(possible[::-1])
