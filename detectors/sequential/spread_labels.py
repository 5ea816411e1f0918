"""How values spread differently: ``wider``, ``two clusters`` or ``longer tail``, from a baseline and a recent sample.

The tests that put a name to what the decile e-detector found (decile_mixture.py), or judge two samples of a fixed size.

Rules:
1. Found is what one of two tests finds: Brown-Forsythe for a wider spread, the bimodality coefficient for a new shape.
   They share ``alpha`` as SHAPE_PART says, so that it holds for both together.
2. The coefficient is calibrated by sample size on normal samples (logs of cycle lengths are near normal). The familiar
   bound of 5/9 finds hardly anything in 100 values. A baseline that is bimodal itself raises the bound.
3. A name is given only where something was found. Two clusters look wider too, so that name goes first; a long tail
   raises the coefficient as well, and is told apart by its skew.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from statistics import fmean, median
from typing import Literal

from msgspec import Struct
from scipy.special import stdtr

Label = Literal["wider", "two clusters", "longer tail"]

SMALLEST_SAMPLE = 30
SHAPE_PART = 0.3
TAIL_SKEW = 0.75
"""Skew gained against the baseline from which on a shape is a tail: 100 values with two clusters at three standard
deviations have it in fewer than one in twenty cases."""
QUANTILES: dict[int, tuple[float, float, float, float]] = {
    30: (0.4733, 0.5225, 0.5400, 0.5600),
    50: (0.4517, 0.4927, 0.5085, 0.5230),
    100: (0.4217, 0.4511, 0.4607, 0.4710),
    200: (0.3966, 0.4190, 0.4272, 0.4350),
    400: (0.3786, 0.3955, 0.4015, 0.4085),
    1000: (0.3619, 0.3725, 0.3766, 0.3803),
}
"""Sample size -> quantiles of the bimodality coefficient of a normal sample at the levels of LEVELS; 40,000 samples each."""
LEVELS = (0.05, 0.01, 0.005, 0.0025)


class Spread(Struct, frozen=True):
    """What was found. ``wider_p`` one-sided; ``coefficient`` of the recent sample beside the value it must exceed."""

    label: Label | None
    wider_p: float
    coefficient: float
    needed: float
    skew: float


def label_spread(baseline: Sequence[float], recent: Sequence[float], *, alpha: float = 0.01) -> Spread:
    """Compares the spread of ``recent`` to that of ``baseline``, at a false-alarm rate of at most about ``alpha`` (0.01 to
    0.1 is calibrated).

    References: M. B. Brown, A. B. Forsythe, "Robust tests for the equality of variances", Journal of the American
    Statistical Association 69 (1974). R. Pfister et al., "Good things peak in pairs: a note on the bimodality coefficient",
    Frontiers in Psychology 4 (2013).

    Raises ValueError for fewer than SMALLEST_SAMPLE values on a side, values that are not finite, or no spread at all.
    """
    for values in (baseline, recent):
        if len(values) < SMALLEST_SAMPLE or not all(math.isfinite(value) for value in values):
            raise ValueError(
                f"a comparison of spreads needs {SMALLEST_SAMPLE} finite values or more on each side"
            )
        if min(values) == max(values):
            raise ValueError("values that are all alike have no spread")
    wider_p = brown_forsythe(baseline, recent)
    coefficient, skew = bimodality(recent)
    own, own_skew = bimodality(baseline)
    # What the baseline's own shape is above a normal's is no news.
    excess = max(own - critical(len(baseline), 0.05), 0.0)
    needed = critical(len(recent), alpha * SHAPE_PART) + excess
    found = wider_p < alpha * (1 - SHAPE_PART) or coefficient > needed
    label: Label | None = None
    if found:
        shape: Label = "two clusters" if coefficient > critical(len(recent), 0.05) + excess else "wider"
        label = "longer tail" if abs(skew - own_skew) >= TAIL_SKEW else shape
    return Spread(label, wider_p, coefficient, needed, skew)


def brown_forsythe(baseline: Sequence[float], recent: Sequence[float]) -> float:
    """One-sided p-value that ``recent`` spreads wider: t-test of the absolute deviations from the medians."""
    centres = median(baseline), median(recent)
    before, now = (
        [abs(value - centre) for value in values]
        for values, centre in zip((baseline, recent), centres, strict=True)
    )
    degrees = len(before) + len(now) - 2
    means = fmean(before), fmean(now)
    squares = sum((d - means[0]) ** 2 for d in before) + sum((d - means[1]) ** 2 for d in now)
    if squares == 0:
        return 0.0 if means[1] > means[0] else 1.0
    t = (means[1] - means[0]) / math.sqrt(squares / degrees * (1 / len(before) + 1 / len(now)))
    return float(stdtr(degrees, -t))


def bimodality(values: Sequence[float]) -> tuple[float, float]:
    """The bimodality coefficient with its correction for small samples (a third for a normal, 5/9 for a uniform), and the
    skew that is part of it. Needs four values that are not all alike."""
    n = len(values)
    mean = fmean(values)
    second, third, fourth = (fmean([(value - mean) ** power for value in values]) for power in (2, 3, 4))
    skew = third / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
    return (skew * skew + 1) / (kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))), skew


def critical(n: int, level: float) -> float:
    """What the coefficient of ``n`` normal values exceeds with probability ``level``; between the sizes and levels of the
    table it is interpolated (in 1 / sqrt(n) and log level), outside of them the nearest is taken."""
    sizes = sorted(QUANTILES)
    logs = [math.log(each) for each in reversed(LEVELS)]
    rows = [_interpolated(logs, QUANTILES[size][::-1], math.log(level)) for size in sizes]
    places = [-1 / math.sqrt(size) for size in sizes]
    return _interpolated(places, rows, -1 / math.sqrt(n))


def _interpolated(places: Sequence[float], heights: Sequence[float], at: float) -> float:
    """``places`` in rising order."""
    if at <= places[0]:
        return heights[0]
    if at >= places[-1]:
        return heights[-1]
    right = bisect_left(places, at)
    part = (at - places[right - 1]) / (places[right] - places[right - 1])
    return heights[right - 1] + part * (heights[right] - heights[right - 1])
