"""Splits the change of a whole's share into mix (other parts than before) and rate (the parts behave otherwise).

Reference: E. M. Kitagawa, "Components of a difference between two rates", Journal of the American Statistical
Association 50 (1955). The two add up to the change exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct

Counts = Mapping[str, tuple[int, int]]
"""part -> (observations, ones)"""


class MixSplit(Struct, frozen=True, kw_only=True):
    """``mix + rate`` is the change of the whole's share, after minus before. By part: its share of the whole before and
    after, and what its own rate added to the change."""

    mix: float
    rate: float
    weights: dict[str, tuple[float, float]]
    rates: dict[str, float]
    rate_z: float
    """ones observed after, minus those expected if each part still had its rate from before, in standard errors"""

    @property
    def mix_share(self) -> float | None:
        """Mix over the whole change: 0 to 1 where both point the same way. None without a change."""
        change = self.mix + self.rate
        return self.mix / change if change else None


def split_change(before: Counts, after: Counts) -> MixSplit | None:
    """None where one side has no observation. A part that is missing on one side is taken to have had the same rate
    there, so that all that it changes is mix."""
    n_before, n_after = sum(n for n, _ in before.values()), sum(n for n, _ in after.values())
    if not n_before or not n_after:
        return None
    mix = expected = variance = 0.0
    weights, rates = {}, {}
    for part in sorted({*before, *after}):
        (n0, ones0), (n1, ones1) = before.get(part, (0, 0)), after.get(part, (0, 0))
        if not n0 and not n1:
            continue
        rate0 = ones0 / n0 if n0 else ones1 / n1
        rate1 = ones1 / n1 if n1 else ones0 / n0
        weight0, weight1 = n0 / n_before, n1 / n_after
        mix += (weight1 - weight0) * (rate0 + rate1) / 2
        expected += n1 * rate0
        variance += n1 * rate0 * (1 - rate0) * (1 + (n1 / n0 if n0 else 0.0))
        rates[part] = (weight0 + weight1) / 2 * (rate1 - rate0)
        weights[part] = (weight0, weight1)
    surplus = sum(ones for _, ones in after.values()) - expected
    rate_z = surplus / math.sqrt(variance) if variance else 0.0
    return MixSplit(mix=mix, rate=sum(rates.values()), weights=weights, rates=rates, rate_z=rate_z)
