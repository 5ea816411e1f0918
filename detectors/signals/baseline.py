"""The baseline of a share: when a stretch of the past is good enough to be frozen, and what is frozen of it.

Rules:
1. A stretch is frozen when it has enough observations and days, when its lower confidence bound is above WORST_BOUND of
   its estimate (else the fall that the signal is for would lie within the null and could never be found), and when it
   is homogeneous.
2. Homogeneous: no split between two weeks separates it into parts whose shares differ. Tested at EARLY_LOWER where the
   older part is lower, since that is what a recording looks like that was just begun, and dropping it only costs time;
   at EARLY_HIGHER where it is higher. A stretch that fails loses its older part, and learning goes on with the newer.
3. What is frozen keeps its uncertainty: one-sided bounds at BOUND_LEVEL each, of counts divided by the dispersion by week
   (sequential/dispersion.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from scipy.special import ndtr

from detectors.sequential.binomial_interval import log_likelihood, lower_bound, upper_bound
from detectors.sequential.dispersion import dispersion
from detectors.signals.weeks import Week
from schemas.duration import DAY

BOUND_LEVEL = 0.90
"""Averaged over the baselines that chance can give, monitors then alarm no more often than promised from 300 observations
on (bench/detection: 0.97 of the promise; 2.4 at 80 %, 0.4 at 95 %, which takes a quarter longer to find a halving)."""
WORST_BOUND = 2 / 3
ONES_FOR_PRECISION = 15
"""About as many ones are needed for WORST_BOUND where the share is small; fewer where it is large."""
EARLY_LOWER = 0.10
EARLY_HIGHER = 0.01
_SMALLEST_PART = 0.1
"""Share of the observations that each part of a split has at least."""


class Baseline(Struct, array_like=True, frozen=True):
    """Times in Unix seconds (of cohorts), ``low`` and ``high`` one-sided bounds, ``per_day`` observations, ``dispersion`` by
    week."""

    start: float
    end: float
    n: int
    ones: int
    low: float
    high: float
    per_day: float
    dispersion: float


class Split(Struct, frozen=True):
    """The newer part starts with week number ``first``; its share is lower or higher than that of the older part."""

    first: int
    newer: Literal["lower", "higher"]


def freeze(start: float, end: float, n: int, ones: int, weeks: Sequence[Week]) -> Baseline:
    """The baseline from a stretch of cohorts, by ``weeks``, that began from ``start`` to ``end`` (Unix seconds, end > start)."""
    wobble = dispersion([(week.n, week.ones) for week in weeks])
    low, high = (bound(ones / wobble, n / wobble, BOUND_LEVEL) for bound in (lower_bound, upper_bound))
    return Baseline(start, end, n, ones, low, high, n / ((end - start) / DAY), wobble)


def precise_enough(ones: int, n: int) -> bool:
    """Whether a fall to WORST_BOUND of the share would lie outside of the null."""
    return ones > 0 and lower_bound(ones, n, BOUND_LEVEL) >= WORST_BOUND * ones / n


def heterogeneity(weeks: Sequence[Week], *, higher: float = EARLY_HIGHER) -> Split | None:
    """The split that shows ``weeks`` to hold two different shares, or None where none does so at the stated levels; ``higher``:
    that for an older part that is higher.

    Statistic: the largest signed root of the likelihood ratio over all splits with a tenth of the observations on each
    side. Its p-value is the smaller of Bonferroni's and of the limit for a maximally selected chi-square (R. Miller and
    D. Siegmund, Biometrics 38, 1982), halved for one side.
    """
    n = sum(week.n for week in weeks)
    ones = sum(week.ones for week in weeks)
    whole = log_likelihood(ones, n)
    older_n = older_ones = tried = 0
    largest = {"lower": (0.0, 0), "higher": (0.0, 0)}
    for first, week in enumerate(weeks[:-1], start=1):
        older_n += week.n
        older_ones += week.ones
        if not _SMALLEST_PART * n <= older_n <= (1 - _SMALLEST_PART) * n or older_n in (0, n):
            continue
        tried += 1
        newer_n, newer_ones = n - older_n, ones - older_ones
        gain = log_likelihood(older_ones, older_n) + log_likelihood(newer_ones, newer_n) - whole
        side = "lower" if newer_ones / newer_n < older_ones / older_n else "higher"
        largest[side] = max(largest[side], (math.sqrt(max(2 * gain, 0.0)), first))
    # The newer part being higher is the older one being lower.
    if largest["higher"][1] and _p_value(largest["higher"][0], tried) < EARLY_LOWER:
        return Split(largest["higher"][1], "higher")
    if largest["lower"][1] and _p_value(largest["lower"][0], tried) < higher:
        return Split(largest["lower"][1], "lower")
    return None


def _p_value(root: float, tried: int) -> float:
    """One-sided."""
    bonferroni = tried * float(ndtr(-root))
    if root <= 1:
        return min(bonferroni, 1.0)
    density = math.exp(-root * root / 2) / math.sqrt(2 * math.pi)
    spread = 2 * math.log((1 - _SMALLEST_PART) / _SMALLEST_PART)
    selected = ((root - 1 / root) * density * spread + 4 * density / root) / 2
    return min(bonferroni, selected, 1.0)
