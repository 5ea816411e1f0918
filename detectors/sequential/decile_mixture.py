"""The decile e-detector: finds that values spread differently, from where they fall among the baseline's deciles.

Rules:
1. Values come as deciles 0 to 9 of the baseline (within its band), so that units, skew and outliers move nothing.
2. The alternatives are shapes: ``wider``, ``two clusters`` and ``longer tail``, as they look in the deciles. Which of them
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

from detectors.sequential.shiryaev_roberts import advance
from detectors.sequential.table_mixture import TableMixture, TableState, paid_for

DECILES = 10
SMALLEST_BASELINE = 50


def _normal_deciles(clusters: Sequence[tuple[float, float, float]]) -> list[float]:
    """Masses in the deciles of a standard normal, of a mixture of normals (weight, mean, standard deviation)."""
    edges = [-math.inf, *(float(ndtri(i / DECILES)) for i in range(1, DECILES)), math.inf]
    below = [sum(w * float(ndtr((edge - mean) / sd)) for w, mean, sd in clusters) for edge in edges]
    return [after - before for before, after in pairwise(below)]


SHAPES: dict[str, tuple[float, list[float]]] = {
    "wider": (2.0, _normal_deciles([(1, 0, 1.4)])),
    "much wider": (1.0, _normal_deciles([(1, 0, 2.0)])),
    "two clusters": (2.0, _normal_deciles([(0.5, -1.0, 0.6), (0.5, 1.0, 0.6)])),
    "slow cluster": (2.0, _normal_deciles([(0.65, -0.3, 0.9), (0.35, 2.2, 0.9)])),
    "longer tail": (1.0, _normal_deciles([(0.85, 0, 1.0), (0.15, 2.0, 1.0)])),
}
"""name -> (weight, masses in the baseline's deciles). Logs of cycle lengths are near normal (docs/detection.md), and the
deciles are theirs whatever they are."""


class DecileMixture(TableMixture):
    """Mixture Shiryaev-Roberts e-detector on the decile of the baseline that each value falls into.

    Promise: while the deciles keep a tenth each, the average run length is at least the threshold, in observations.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024). That masses between order statistics of a baseline of n vary as a
    Dirichlet's with n + 1 counts: S. S. Wilks, Annals of Mathematical Statistics 12 (1941).
    """

    what: ClassVar[str] = "a decile mixture's state"
    shapes: ClassVar[tuple[str, ...]] = tuple(SHAPES)

    @classmethod
    def from_baseline(cls, n: int, *, level: float = 0.9, dispersion: float = 1.0) -> Self:
        """Against deciles that were taken from ``n`` values. Raises ValueError for fewer than SMALLEST_BASELINE."""
        if n < SMALLEST_BASELINE:
            raise ValueError(f"deciles need {SMALLEST_BASELINE} values, not {n}")
        shares = [1 / DECILES] * DECILES
        tables = [
            paid_for([mass * DECILES for mass in masses], shares, n + 1, level=level, dispersion=dispersion)
            for _, masses in SHAPES.values()
        ]
        return cls(tables=tables, weights=[weight for weight, _ in SHAPES.values()])

    def update_partly(
        self, state: TableState, beyond: int, place: int, at: float, *, ended: bool = False
    ) -> None:
        """Takes in a part of a value that becomes known bit by bit, as a length of time does: of it was known that it is
        beyond the first ``beyond`` deciles, 0 to 8; and now that it is beyond ``place`` of them or, where it ``ended``, that
        it is in decile ``place``.

        What is taken in is the e-value of the whole as far as it can be foreseen (Doob's martingale), so the parts multiply
        to what ``update`` takes in, and the promise is the same: the parts of different values may come in any order that
        does not depend on them. A value must not be told to have ended before others as old are told that they have not.
        Raises ValueError where the parts don't follow one another.
        """
        if not (0 <= beyond < DECILES - 1 and beyond + (not ended) <= place <= DECILES - 1):
            raise ValueError("what is known of a value only grows, decile by decile")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        for component, table in zip(state.components, self.tables, strict=True):
            before = _mean(table[beyond:]) if beyond else 1.0
            after = table[place] if ended else _mean(table[place:])
            advance(component, after / before, 0.0 if beyond else 1.0, place, at)

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        quiet = [float(i * 7 % DECILES) for i in range(3000)]
        impossible = (math.nan, math.inf, -math.inf, -1.0, 0.5, 10.0)
        return [(cls.from_baseline(300), quiet, impossible)]


def _mean(masses: Sequence[float]) -> float:
    return sum(masses) / len(masses)


def decile_edges(values: Sequence[float]) -> list[float]:
    """The nine inner edges of the deciles of ``values`` (order statistics). Raises ValueError for too few values, for
    values that are not finite, and where so many are alike that two edges are the same."""
    if len(values) < SMALLEST_BASELINE or not all(math.isfinite(value) for value in values):
        raise ValueError(f"deciles need {SMALLEST_BASELINE} finite values or more")
    ordered = sorted(values)
    edges = [ordered[(len(ordered) + 1) * i // DECILES - 1] for i in range(1, DECILES)]
    if any(after <= before for before, after in pairwise(edges)):
        raise ValueError("so many values are alike that they have no deciles")
    return edges


def decile_of(edges: Sequence[float], value: float) -> int:
    """0 to 9; a value on an edge belongs to the lower decile."""
    return bisect_left(edges, value)
