"""Exact (Clopper-Pearson) bounds and the likelihood of a share, from a count of ones.

Reference: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26 (1934).
"""

from __future__ import annotations

import math

from scipy.special import betaincinv

from schemas.alerts import Interval

TWO_SIDED_LEVEL = 0.95
"""Level of the intervals that people read."""


def lower_bound(ones: float, n: float, level: float) -> float:
    """One-sided: the true share is at least this with probability ``level`` or more. Needs 0 <= ones <= n, n > 0.

    Counts that vary more than a binomial's are divided by their dispersion, and need not be whole then.
    """
    _check(ones, n)
    return float(betaincinv(ones, n - ones + 1, 1 - level)) if ones else 0.0


def upper_bound(ones: float, n: float, level: float) -> float:
    """One-sided: the true share is at most this with probability ``level`` or more. Needs 0 <= ones <= n, n > 0."""
    _check(ones, n)
    return float(betaincinv(ones + 1, n - ones, level)) if ones < n else 1.0


def interval(ones: int, n: int) -> Interval:
    """Share with its 95 % interval; from nothing observed follows nothing (0 to 1)."""
    if n == 0:
        return Interval(estimate=0.0, low=0.0, high=1.0, n=0)
    side = 1 - (1 - TWO_SIDED_LEVEL) / 2
    return Interval(estimate=ones / n, low=lower_bound(ones, n, side), high=upper_bound(ones, n, side), n=n)


def log_likelihood(ones: int, n: int) -> float:
    """At its maximum, without the binomial coefficient; 0 where all are alike or nothing was observed."""
    if ones in (0, n):
        return 0.0
    share = ones / n
    return ones * math.log(share) + (n - ones) * math.log1p(-share)


def _check(ones: float, n: float) -> None:
    if not 0 <= ones <= n or n == 0:
        raise ValueError(f"a share needs 0 <= ones <= n and n > 0, not {ones} of {n}")
