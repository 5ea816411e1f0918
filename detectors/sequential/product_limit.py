"""How many had got there by each day since their start: the product-limit estimate, with its 95 % interval by day.

Accounts that have not been followed that far yet count for the days on which they were. Without such accounts the estimate is the
plain share, and its interval the exact one of binomial_interval.py; with them the interval is that of as many accounts as the
estimate is worth by Greenwood's variance. It is of each day by itself, not of the whole curve.

References: E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958); M. Greenwood, "The
natural duration of cancer" (1926); K. J. Rothman, "Estimation of confidence limits for the cumulative probability of survival
in life table analysis", Journal of Chronic Diseases 31 (1978), for the number of accounts that it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from scipy.special import betaincinv

from detectors.sequential.binomial_interval import TWO_SIDED_LEVEL

FEWEST_AT_RISK = 10
"""A curve ends where fewer are followed: what they do would bend it by chance."""


class Curve(Struct, frozen=True):
    """By day since the start, the day of the start first: the share that had got there by its end, and its interval."""

    share: list[float]
    low: list[float]
    high: list[float]


def product_limit(came: Sequence[int], risked: Sequence[int]) -> Curve:
    """From who got there, and who could have, on each day since the start. Raises ValueError for impossible counts."""
    if len(came) != len(risked) or not all(0 <= one <= of for one, of in zip(came, risked, strict=True)):
        raise ValueError("on each day at least 0, and at most all at risk, get there")
    days = next((day for day, number in enumerate(risked) if number < FEWEST_AT_RISK), len(risked))
    if not days:
        return Curve([], [], [])
    events, at_risk = np.array(came[:days], dtype=float), np.array(risked[:days], dtype=float)
    left = np.cumprod(1 - events / at_risk)
    share = 1 - left
    # Where nobody is left the variance is 0; the sum below would divide by it.
    spread = np.cumsum(events / (at_risk * np.maximum(at_risk - events, 1e-9)))
    variance = left**2 * spread
    worth = np.where(variance > 0, share * left / np.where(variance > 0, variance, 1.0), at_risk)
    # It is worth no more than who began, and no fewer than who are still followed.
    worth = np.clip(worth, at_risk, at_risk[0])
    ones, side = share * worth, (1 - TWO_SIDED_LEVEL) / 2
    low = np.where(ones > 0, betaincinv(np.maximum(ones, 1e-9), worth - ones + 1, side), 0.0)
    high = np.where(ones < worth, betaincinv(ones + 1, np.maximum(worth - ones, 1e-9), 1 - side), 1.0)
    return Curve(share.tolist(), low.tolist(), high.tolist())
