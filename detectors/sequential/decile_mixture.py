"""The decile e-detector: finds that values spread differently, from where they fall among the baseline's deciles.

Rules:
1. Values come as deciles of the baseline (within its band), so that units, skew and outliers move nothing. The first decile is
   cut in three, at a fortieth and a twentieth: of lengths of time the shortest are known first, and a spread that grows shows
   most where there was next to nothing before. The last decile stays whole: what ends there takes longest to be known.
2. The alternatives are shapes: ``wider``, ``two clusters`` and ``longer tail``, as they look in these parts. Which of them
   leads is a first hint; spread_labels.py gives the name.
3. A shift of everything by a little is not among the shapes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Self

from scipy.special import ndtr, ndtri

from detectors.sequential.table_mixture import TableMixture, paid_for

CUTS = (1 / 40, 1 / 20, *(tenth / 10 for tenth in range(1, 10)))
"""the shares of the baseline's values below each inner edge"""
PARTS = len(CUTS) + 1
SHARES = tuple(after - before for before, after in pairwise((0.0, *CUTS, 1.0)))
"""of the baseline's values in each part"""
FIRST_TENTH, MEDIAN, LAST_TENTH = CUTS.index(1 / 10), CUTS.index(5 / 10), CUTS.index(9 / 10)
"""edges by number: the end of the first decile, the median, the begin of the last decile"""
SMALLEST_BASELINE = 50


def _normal_parts(clusters: Sequence[tuple[float, float, float]]) -> list[float]:
    """Masses in the parts of a standard normal, of a mixture of normals (weight, mean, standard deviation)."""
    edges = [-math.inf, *(float(ndtri(cut)) for cut in CUTS), math.inf]
    below = [sum(w * float(ndtr((edge - mean) / sd)) for w, mean, sd in clusters) for edge in edges]
    return [after - before for before, after in pairwise(below)]


SHAPES: dict[str, tuple[float, list[float]]] = {
    "wider": (2.0, _normal_parts([(1, 0, 1.4)])),
    "much wider": (1.0, _normal_parts([(1, 0, 2.0)])),
    "two clusters": (2.0, _normal_parts([(0.5, -1.0, 0.6), (0.5, 1.0, 0.6)])),
    "slow cluster": (2.0, _normal_parts([(0.65, -0.3, 0.9), (0.35, 2.2, 0.9)])),
    "longer tail": (1.0, _normal_parts([(0.85, 0, 1.0), (0.15, 2.0, 1.0)])),
}
"""name -> (weight, masses in the baseline's parts). Logs of cycle lengths are near normal (docs/detection.md), and the
parts are theirs whatever they are."""


class DecileMixture(TableMixture):
    """Mixture Shiryaev-Roberts e-detector on the part of the baseline that each value falls into, 0 to PARTS - 1.

    Promise: while the parts keep their SHARES, the average run length is at least the threshold, in observations.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024). That masses between order statistics of a baseline of n vary as a
    Dirichlet's with n + 1 counts: S. S. Wilks, Annals of Mathematical Statistics 12 (1941).
    """

    what: ClassVar[str] = "a decile mixture's state"
    shapes: ClassVar[tuple[str, ...]] = tuple(SHAPES)

    @classmethod
    def from_baseline(cls, n: int, *, level: float = 0.9, dispersion: float = 1.0) -> Self:
        """Against edges that were taken from ``n`` values. Raises ValueError for fewer than SMALLEST_BASELINE."""
        if n < SMALLEST_BASELINE:
            raise ValueError(f"deciles need {SMALLEST_BASELINE} values, not {n}")
        tables = [
            paid_for(
                [mass / share for mass, share in zip(masses, SHARES, strict=True)],
                SHARES,
                n + 1,
                level=level,
                dispersion=dispersion,
            )
            for _, masses in SHAPES.values()
        ]
        return cls(tables=tables, weights=[weight for weight, _ in SHAPES.values()])

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        # A golden-ratio walk through (0, 1): evenly spread.
        quiet = [float(bisect_left(CUTS, i * 0.6180339887498949 % 1)) for i in range(3000)]
        impossible = (math.nan, math.inf, -math.inf, -1.0, 0.5, float(PARTS))
        return [(cls.from_baseline(300), quiet, impossible)]


def decile_edges(values: Sequence[float]) -> list[float]:
    """The inner edges of the parts of ``values`` (order statistics), one for each of CUTS. Raises ValueError for too few
    values, for values that are not finite, and where so many are alike that two edges are the same."""
    if len(values) < SMALLEST_BASELINE or not all(math.isfinite(value) for value in values):
        raise ValueError(f"deciles need {SMALLEST_BASELINE} finite values or more")
    ordered = sorted(values)
    edges = [ordered[max(int((len(ordered) + 1) * cut + 1e-9), 1) - 1] for cut in CUTS]
    if any(after <= before for before, after in pairwise(edges)):
        raise ValueError("so many values are alike that they have no deciles")
    return edges


def decile_of(edges: Sequence[float], value: float) -> int:
    """The part, 0 to PARTS - 1; a value on an edge belongs to the lower one."""
    return bisect_left(edges, value)
