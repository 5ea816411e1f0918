"""When a standardised share changed: from the weeks' ones, observed against expected.

As dating.py does for a plain share: a posterior over the starts of weeks, all equally likely beforehand, with the level
before the start at its likeliest (the baseline counts towards it) and a mixture of alternatives to it as the prior of the
level after; the median is the answer, and the range holds CREDIBLE of it. A level is an odds ratio against the strata's
shares; its likelihood is taken at the mean expected share, which is exact where the strata of a stretch are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import logsumexp

from detectors.sequential.bernoulli_mixture import DEFAULT_STRENGTHS
from detectors.signals.dating import Dated, posterior
from detectors.signals.rate_state import RateWeek, Way

_STRONG = ((0.2, 0.5), (0.1, 0.25), (0.04, 0.125))
"""Alternatives beside the detector's own, for shares that were next to nothing before."""


def date_change(baseline: tuple[int, int], weeks: Sequence[RateWeek], way: Way, otherwise: float) -> Dated:
    """Dates a change within ``weeks`` (in order of time), which follow a baseline of (observations, ones).

    ``otherwise`` (Unix seconds) is the answer where no week speaks for one. ``n`` and ``ones`` of the answer are judged
    ones since the median start.
    """
    ratios = [
        (1 / ratio if way == "rise" else ratio, weight) for ratio, weight in DEFAULT_STRENGTHS + _STRONG
    ]
    before = [baseline[0], baseline[1], float(baseline[1])]
    after = [0, 0, 0.0]
    for week in weeks:
        _add(before, week, 1)
    possible: list[tuple[float, int, int, float]] = []
    for week in reversed(weeks):
        _add(before, week, -1)
        _add(after, week, 1)
        if week.judged and before[0]:
            level = _level(before)
            mixed = [math.log(weight) + _log_likelihood(after, level * ratio) for ratio, weight in ratios]
            evidence = _log_likelihood(before, level) + float(logsumexp(mixed))
            possible.append((week.start, int(after[0]), int(after[1]), evidence))
    if not possible:
        return Dated(otherwise, otherwise, otherwise, 0, 0)
    return posterior(possible[::-1])


def _add(sums: list[float], week: RateWeek, sign: int) -> None:
    sums[0] += sign * week.judged
    sums[1] += sign * week.judged_ones
    sums[2] += sign * week.expected


def _level(sums: list[float]) -> float:
    """The likeliest odds ratio, with half a one added to each count so that it is always finite."""
    n, ones, expected = sums
    return (ones + 0.5) / (n - ones + 0.5) * (n - expected + 0.5) / (expected + 0.5)


def _log_likelihood(sums: list[float], ratio: float) -> float:
    n, ones, expected = sums
    return ones * math.log(ratio) - n * math.log1p((ratio - 1) * expected / n) if n > 0 else 0.0
