"""Fewer or slower? What the shape of the lag says of young cohorts that convert less than the baseline's hazard wants.

Fewer: a part of the conversions is missing at every age. Slower: all come, but each at ``stretch`` times its age, so that
the young cohorts miss most and the older ones catch up. Both have begun with some cohort, all of which are as likely.

Method: the Bayes factor of the two families, each a small grid with the stated weights, over the starts. The lag's
distribution is the baseline's own (life table), stretched by interpolation; a part BACKGROUND of it is spread evenly, so
that one conversion at an age where the baseline saw none decides nothing. No change at all is in neither family: that is
what the detector has refuted before anybody asks here.

Reference for stretched lags: accelerated failure time, J. D. Kalbfleisch, R. L. Prentice, "The Statistical Analysis of
Failure Time Data" (2002), chapter 2; cures by missing part: J. W. Boag, JRSS B 11 (1949).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate

import numpy as np
from msgspec import Struct
from scipy.special import logsumexp

from detectors.signals.dating import CREDIBLE
from detectors.signals.plg_conversion_gap_cohorts import Counts, Floats

FEWER = tuple(
    (part, stretch, weight)
    for part in (0.75, 0.6, 0.45, 0.3, 0.1)
    for stretch, weight in ((1.0, 0.14), (1.5, 0.04), (2.5, 0.02))
)
"""(part of the conversions that is left, stretch of the lag, weight)"""
SLOWER = tuple((1.0, stretch, 0.25) for stretch in (1.33, 1.75, 2.5, 4.0))
BACKGROUND = 0.02
SURE = math.log(299.0)
"""Of the log odds. It is looked at each day from an alarm on: in simulated slowdowns to twice the lag, 12 activated accounts a
day, 1 of 30 was told as fewer within 180 days; at 99 to 1 it was 4, and a halving is then found 5 days sooner."""
FOLLOWED = 0.95
"""Of the horizon: so long must cohorts since the change have been followed before they are said to be slower, for then it is
seen whether they catch up. Those that made the detector alarm just now have few conversions at the youngest ages, whatever
the cause; and a small baseline has a lag of its own by chance."""


class Shape(Struct, frozen=True):
    """``log_odds`` of fewer against slower; which cohort (its number) began it if it is fewer: earliest, median, latest;
    ``followed``: from the median on, over the horizon."""

    log_odds: float
    followed: float
    earliest: int
    middle: int
    latest: int

    @property
    def fewer(self) -> bool:
        return self.log_odds >= SURE

    @property
    def slower(self) -> bool:
        return self.log_odds <= -SURE and self.followed >= FOLLOWED


def shape(came: Counts, risked: Counts, hazard: Floats, converted: int) -> Shape:
    """From conversions and accounts at risk by cohort (one at least, the oldest first) and age, and the baseline's hazard,
    learned from so many who ``converted``."""
    # Two samples are compared, not one with the truth: evidence counts as much as the smaller one allows.
    known = converted / (converted + int(came.sum()))
    ages = np.arange(hazard.size + 1)
    reached = 1 - np.concatenate([[1.0], np.cumprod(1 - hazard)])
    reached = (1 - BACKGROUND) * reached + BACKGROUND * reached[-1] * ages / hazard.size
    before = _log_likelihoods(came, risked, reached)
    weighed = []
    for family in (FEWER, SLOWER):
        by_member = []
        for part, stretch, weight in family:
            after = part * np.interp(ages / stretch, ages, reached)
            gain = known * (_log_likelihoods(came, risked, after) - before)
            # Whoever started at the change or later is under the alternative.
            by_member.append(np.cumsum(gain[::-1])[::-1] + math.log(weight))
        weighed.append(logsumexp(np.array(by_member), axis=0))
    fewer, slower = weighed
    parts = np.exp(fewer - fewer.max())
    passed = list(accumulate((parts / parts.sum()).tolist()))
    tail = (1 - CREDIBLE) / 2
    earliest, middle, latest = (
        min(bisect_left(passed, quantile), len(passed) - 1) for quantile in (tail, 0.5, 1 - tail)
    )
    log_odds = float(logsumexp(fewer) - logsumexp(slower))
    return Shape(log_odds, (len(came) - middle) / hazard.size, earliest, middle, latest)


def _log_likelihoods(came: Counts, risked: Counts, reached: Floats) -> Floats:
    """By cohort, of conversions by age where ``reached`` have converted before each age (and the horizon)."""
    chance = np.diff(reached) / np.maximum(1 - reached[:-1], 1e-9)
    chance = np.clip(chance, 1e-9, 1 - 1e-9)
    found: Floats = came @ np.log(chance) + (risked - came) @ np.log1p(-chance)
    return found
