"""The trend e-process: finds that values rise (or fall) against a baseline, by rank alone.

Rules:
1. Values are read as their place among the baseline's deciles, or fewer where many are alike (a scale of 1 to 10), and above
   its highest; so any scale will do and an outlier counts as one high value.
2. Each alternative's e-value rises with the value. So it promises nothing less for values that fall: the null is that
   values are not *larger* than the baseline's (in stochastic order), not that they are the same.
3. A trend is a rise that goes on: the evidence of each higher value multiplies, and a single one can't do much.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from detectors.sequential.table_mixture import TableMixture, TableState, paid_for

SMALLEST_BASELINE = 12
TILTS = ((0.4, 1.0), (0.8, 2.0), (1.4, 1.0), (2.2, 1.0))
"""(change of the log density for one standard deviation of the baseline's ranks, weight)"""
RARER = (0.3, 0.4, 1.5)
"""(part of the values, the lowest; the odds by which they become rarer; weight): what a rise looks like where many values can't
rise any more, since they are at the end of their scale already. Only there: values that spread less, too, have fewer low ones"""
MOST_BINS = 10


class TrendMixture(TableMixture):
    """Mixture Shiryaev-Roberts e-detector of a rise in rank against a frozen baseline.

    Promise: while values are not larger than the baseline's, the average run length is at least the threshold, in observations.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024). Exponential tilts of ranks: E. L. Lehmann, "The power of rank
    tests", Annals of Mathematical Statistics 24 (1953).
    """

    what: ClassVar[str] = "a trend mixture's state"

    def __init__(
        self,
        *,
        edges: Sequence[float],
        tables: Sequence[Sequence[float]],
        weights: Sequence[float],
        direction: Literal["rise", "fall"] = "rise",
    ) -> None:
        super().__init__(tables=tables, weights=weights)
        self.edges = tuple(edges)
        self.direction = direction

    @classmethod
    def from_baseline(
        cls,
        values: Sequence[float],
        *,
        direction: Literal["rise", "fall"] = "rise",
        level: float = 0.9,
        dispersion: float = 1.0,
    ) -> Self:
        """Against ``values`` of a stretch without a trend. Raises ValueError for fewer than SMALLEST_BASELINE, for values
        that are not finite, and where all are alike."""
        if len(values) < SMALLEST_BASELINE or not all(math.isfinite(value) for value in values):
            raise ValueError(f"a trend needs {SMALLEST_BASELINE} finite values or more as baseline")
        ordered = sorted(values if direction == "rise" else [-value for value in values])
        edges, counts = places(ordered)
        tables = trend_tables(counts, len(ordered), level=level, dispersion=dispersion)
        return cls(edges=edges, tables=tables, weights=trend_weights(), direction=direction)

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        baseline = [float(i * 37 % 101) for i in range(200)]
        quiet = [float(i * 53 % 101) for i in range(3000)]
        impossible = (math.nan, math.inf, -math.inf)
        scale = [float(1 + i * 3 % 10) for i in range(40)]
        return [
            (cls.from_baseline(baseline), quiet, impossible),
            (cls.from_baseline(baseline, direction="fall"), quiet, impossible),
            (cls.from_baseline(scale), [float(1 + i * 7 % 10) for i in range(3000)], impossible),
        ]

    def update(self, state: TableState, value: float, at: float) -> None:
        if not math.isfinite(value):
            raise ValueError("a value of a trend is finite")
        super().update(state, bisect_left(self.edges, value if self.direction == "rise" else -value), at)


def places(ordered: Sequence[float]) -> tuple[list[float], list[int]]:
    """The upper edges of the bins of a baseline's values, the last one its highest value; and how many values each bin has. Above
    the highest is a bin, too. It counts as one value: so much of what comes lies there, on average. Raises ValueError where all are
    alike."""
    n = len(ordered)
    bins = min(MOST_BINS, n // 4)
    edges = sorted({*(ordered[n * i // bins - 1] for i in range(1, bins)), ordered[-1]})
    if len(edges) < 2:
        raise ValueError("a baseline without any spread has no ranks")
    counts = [0] * (len(edges) + 1)
    for value in ordered:
        counts[bisect_left(edges, value)] += 1
    counts[-1] = 1
    return edges, counts


def trend_weights(*, ended: bool = False) -> list[float]:
    """Of the alternatives in ``trend_tables``."""
    return [*(weight for _, weight in TILTS), *([RARER[-1]] if ended else [])]


def trend_tables(
    counts: Sequence[int],
    n: float,
    *,
    level: float = 0.9,
    dispersion: float = 1.0,
    ended: bool = False,
) -> list[list[float]]:
    """The e-value of each bin of ``places``, for each alternative; the baseline is worth ``n`` values. ``ended``: many values are at
    the end of their scale (RARER)."""
    shares = [count / sum(counts) for count in counts]
    middles = middles_of(counts)
    spread = math.sqrt(sum(share * (m - 0.5) ** 2 for share, m in zip(shares, middles, strict=True)))
    alternatives = [[math.exp(tilt * (m - 0.5) / spread) for m in middles] for tilt, _ in TILTS]
    if ended:
        lowest, odds, _ = RARER
        alternatives.append([odds if m < max(lowest, middles[1]) else 1.0 for m in middles])
    tables = []
    for raw in alternatives:
        whole = sum(share * each for share, each in zip(shares, raw, strict=True))
        density = [each / whole for each in raw]
        tables.append(paid_for(density, shares, n, level=level, dispersion=dispersion))
    return tables


def middles_of(counts: Sequence[int]) -> list[float]:
    """Of each bin: the share of the baseline that lies below its middle, 0 to 1."""
    whole, below, middles = sum(counts), 0, []
    for count in counts:
        middles.append((below + count / 2) / whole)
        below += count
    return middles
