"""An e-detector over categories: each alternative is a table of what one observation of each category says for it.

decile_mixture.py and trend_mixture.py are such tables; this is what they share.

Rules:
1. A table holds likelihood ratios against the baseline's shares of the categories.
2. The shares were estimated, so a table's mean under the true shares is not known to be 1. Each table is divided by the
   upper confidence bound of its mean. That bounds exactly what the promise rests on, and nothing else: a direction in
   which the baseline is uncertain but the alternative does not look costs nothing.
3. Where the bound holds, the average run length is at least the threshold, in observations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct
from scipy.special import ndtri

from detectors.sequential.contract import ChangeEstimate, Unit
from detectors.sequential.shiryaev_roberts import Component, advance, likeliest, weighted
from detectors.sequential.stored_state import decode, encode

STATE_VERSION = 1


class TableState(Struct, array_like=True):
    components: list[Component]


class TableMixture:
    """Mixture Shiryaev-Roberts e-detector over categories with fixed alternatives.

    Promise: while the categories keep their shares, the average run length is at least the threshold, in observations.

    Parameters
    ----------
    tables
        For each alternative: its e-value for one observation of each category (paid_for divides by the bound).
    weights
        One for each alternative, positive; they are scaled to add up to 1.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024).
    """

    unit: ClassVar[Unit | None] = "observations"
    what: ClassVar[str] = "a table mixture's state"

    def __init__(self, *, tables: Sequence[Sequence[float]], weights: Sequence[float]) -> None:
        if not tables or len({len(table) for table in tables}) != 1 or len(weights) != len(tables):
            raise ValueError("tables have one length, and there is a weight for each")
        if not all(math.isfinite(each) and each > 0 for table in tables for each in table):
            raise ValueError("an e-value is positive and finite")
        if not all(weight > 0 for weight in weights):
            raise ValueError("weights are positive")
        whole = sum(weights)
        self.tables = tuple(tuple(table) for table in tables)
        self.weights = tuple(weight / whole for weight in weights)
        self.categories = len(self.tables[0])

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Any], Sequence[Any]]]:
        rare = cls(tables=[(0.8, 1.5), (0.6, 2.0)], weights=[1.0, 1.0])
        return [(rare, [float(i % 5 == 0) for i in range(3000)], (-1.0, 0.5, 2.0, math.nan, math.inf))]

    def new_state(self) -> TableState:
        return TableState([Component() for _ in self.weights])

    def update(self, state: TableState, value: float, at: float) -> None:
        """Takes in an observation of category ``value``, 0 to K - 1. Raises ValueError for any other."""
        if not (0 <= value < self.categories and value == int(value)):
            raise ValueError(f"a category is a whole number from 0 to {self.categories - 1}")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        category = int(value)
        for component, table in zip(state.components, self.tables, strict=True):
            advance(component, table[category], 1.0, category, at)

    def statistic(self, state: TableState) -> float:
        return weighted(self.weights, state.components)

    def change(self, state: TableState) -> ChangeEstimate | None:
        """The start that maximises the likelihood over alternatives and times; ``total`` is the sum of categories."""
        return likeliest(state.components)

    def leading(self, state: TableState) -> int | None:
        """Which alternative has the most evidence, by its number; None where nothing speaks for any."""
        parts = [w * each.evidence for w, each in zip(self.weights, state.components, strict=True)]
        return parts.index(max(parts)) if max(parts) > 0 else None

    def encode_state(self, state: TableState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> TableState:
        return decode(
            raw,
            STATE_VERSION,
            TableState,
            what=self.what,
            fits=lambda state: len(state.components) == len(self.weights),
        )


def paid_for(
    table: Sequence[float], shares: Sequence[float], n: float, *, level: float, dispersion: float = 1.0
) -> list[float]:
    """``table`` divided by the one-sided upper bound of its mean, given ``shares`` that were estimated from ``n``.

    The bound is normal (delta method): mean + z * sd / sqrt(n / dispersion). A dispersion tempers the e-values first.
    Raises ValueError for a level outside of [0.5, 1), a dispersion below 1 or an empty baseline.
    """
    if not (0.5 <= level < 1 and dispersion >= 1 and n > 0):
        raise ValueError("a baseline has observations, a level in [0.5, 1) and a dispersion of 1 or more")
    tempered = [each ** (1 / dispersion) for each in table]
    mean = sum(share * each for share, each in zip(shares, tempered, strict=True))
    variance = sum(share * (each - mean) ** 2 for share, each in zip(shares, tempered, strict=True))
    untempered = sum(share * each for share, each in zip(shares, table, strict=True))
    # Tempering makes the mean smaller than 1, and that is what pays for the dispersion: it is not divided out.
    scale = untempered ** (1 / dispersion) + float(ndtri(level)) * math.sqrt(dispersion * variance / n)
    return [each / scale for each in tempered]
