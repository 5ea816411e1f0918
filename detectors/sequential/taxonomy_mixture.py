"""The taxonomy e-detector: finds that the shares of several categories have changed, in whatever way.

Rules:
1. The alternative is not chosen beforehand: for each possible start, it is the Dirichlet-multinomial's prediction from what
   was seen since that start, so it learns where the shares went to.
2. Starts and evidence are taken in blocks of BLOCK observations, and at most STARTS starts are remembered: the NEWEST,
   and of the others those with the most evidence. Forgetting one makes the statistic smaller, never larger.
3. The baseline's uncertainty is paid for in each block (table_mixture.paid_for): the prediction is a table, and its mean
   is divided by the upper bound of that mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct

from detectors.sequential.contract import CEILING, ChangeEstimate, Unit
from detectors.sequential.stored_state import decode, encode
from detectors.sequential.table_mixture import paid_for

BLOCK = 8
STARTS = 16
NEWEST = 12
CONCENTRATION = 30.0
"""How many observations the baseline weighs in each prediction."""
MOST_CATEGORIES = 40
STATE_VERSION = 1


class Start(Struct, array_like=True):
    since: float
    evidence: float
    counts: list[int]


class TaxonomyState(Struct, array_like=True):
    """``block`` is what was seen in the block that is not full yet, which began at ``block_since``."""

    block_since: float
    block: list[int]
    starts: list[Start]


class TaxonomyMixture:
    """Dirichlet-multinomial Shiryaev-Roberts e-detector.

    Promise: while the categories keep their shares, the average run length is at least the threshold, in observations.

    Parameters
    ----------
    counts
        Of each category in the baseline (half an observation is added to each, so that none is impossible).
    level
        Of the one-sided bounds that pay for the baseline, in [0.5, 1).
    dispersion
        How many times more counts vary than independent observations', 1 or more.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024). M. Lindon, A. Malek, "Anytime-valid inference for multinomial
    count data", NeurIPS (2022), for the Dirichlet-multinomial e-process.
    """

    unit: ClassVar[Unit | None] = "observations"

    def __init__(self, *, counts: Sequence[int], level: float = 0.9, dispersion: float = 1.0) -> None:
        if not 2 <= len(counts) <= MOST_CATEGORIES or not all(0 <= count < math.inf for count in counts):
            raise ValueError(f"a taxonomy has 2 to {MOST_CATEGORIES} categories with a count each")
        if not (sum(counts) and 0.5 <= level < 1 and 1 <= dispersion < math.inf):
            raise ValueError("a baseline has observations, a level in [0.5, 1) and a dispersion of 1 or more")
        self.n = sum(counts)
        self.shares = tuple((count + 0.5) / (self.n + len(counts) / 2) for count in counts)
        self.level = level
        self.dispersion = dispersion

    @classmethod
    def from_baseline(cls, counts: Sequence[int], *, level: float = 0.9, dispersion: float = 1.0) -> Self:
        return cls(counts=counts, level=level, dispersion=dispersion)

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        quiet = [float((0, 1, 0, 2, 0, 1, 3, 0, 1, 2)[i * 3 % 10]) for i in range(3000)]
        impossible = (math.nan, math.inf, -1.0, 0.5, 4.0)
        return [(cls.from_baseline([400, 300, 200, 100]), quiet, impossible)]

    def new_state(self) -> TaxonomyState:
        return TaxonomyState(0.0, [0] * len(self.shares), [])

    def update(self, state: TaxonomyState, value: float, at: float) -> None:
        if not (0 <= value < len(self.shares) and value == int(value)):
            raise ValueError(f"a category is a whole number from 0 to {len(self.shares) - 1}")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        seen = sum(state.block)
        if not seen:
            state.block_since = at
        state.block[int(value)] += 1
        if seen + 1 == BLOCK:
            self._end_block(state)

    def statistic(self, state: TaxonomyState) -> float:
        """As of the end of the last full block."""
        return min(sum(start.evidence for start in state.starts), CEILING)

    def change(self, state: TaxonomyState) -> ChangeEstimate | None:
        """The start with the most evidence; ``total`` is the sum of categories (since_change has the counts)."""
        best = self._best(state)
        if best is None:
            return None
        total = sum(category * count for category, count in enumerate(best.counts))
        return ChangeEstimate(best.since, sum(best.counts), total)

    def since_change(self, state: TaxonomyState) -> list[int]:
        """Count of each category since the likeliest start; empty where nothing speaks for a change."""
        best = self._best(state)
        return list(best.counts) if best is not None else []

    def encode_state(self, state: TaxonomyState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> TaxonomyState:
        categories = len(self.shares)
        return decode(
            raw,
            STATE_VERSION,
            TaxonomyState,
            what="a taxonomy's state",
            fits=lambda state: (
                len(state.block) == categories
                and len(state.starts) <= STARTS
                and all(len(start.counts) == categories for start in state.starts)
            ),
        )

    def _best(self, state: TaxonomyState) -> Start | None:
        best = max(state.starts, key=lambda start: start.evidence, default=None)
        return best if best is not None and best.evidence > BLOCK else None

    def _end_block(self, state: TaxonomyState) -> None:
        state.starts.append(Start(state.block_since, float(BLOCK), [0] * len(self.shares)))
        for start in state.starts:
            seen = sum(start.counts)
            if seen:
                prediction = [
                    (CONCENTRATION + count / share) / (CONCENTRATION + seen)
                    for count, share in zip(start.counts, self.shares, strict=True)
                ]
                table = paid_for(
                    prediction, self.shares, self.n, level=self.level, dispersion=self.dispersion
                )
                ratio = math.prod(each**count for each, count in zip(table, state.block, strict=True))
                start.evidence = min(start.evidence * ratio, CEILING)
            start.counts = [a + b for a, b in zip(start.counts, state.block, strict=True)]
        if len(state.starts) > STARTS:
            # The newest have not learned anything yet: they are not judged.
            state.starts.remove(min(state.starts[:-NEWEST], key=lambda start: start.evidence))
        state.block = [0] * len(self.shares)
