"""Both of two: the minimum of two detectors' statistics, for changes that only mean something together.

Rules:
1. The minimum reaches a threshold only if both do. So the promise of *each* of the two holds: as long as one of them sees no
   change, the minimum alarms no more often than that one would.
2. Scales bring two units together (days for an observation of each, say), so that one threshold suits both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from msgspec import Struct

from detectors.sequential.bernoulli_mixture import BernoulliMixture
from detectors.sequential.contract import ChangeEstimate, Detector, Unit
from detectors.sequential.stored_state import decode, encode

STATE_VERSION = 1


class Of(Struct, frozen=True):
    """An observation of the first (0) or the second (1) detector."""

    which: int
    value: Any


class Both(Struct, array_like=True):
    first: Any
    second: Any


class _Stored(Struct, array_like=True):
    first: bytes
    second: bytes


class Conjunction:
    """Minimum of two e-detectors.

    Promise: while nothing changes for at least one of the two, the average run length is at least the threshold, in the
    unit of that one times its scale.

    Parameters
    ----------
    first, second
        Detectors; each is told its own observations.
    scales
        Positive factors of the two statistics.

    References
    ----------
    V. Vovk, R. Wang, "E-values: calibration, combination and applications", Annals of Statistics 49 (2021): the minimum
    of e-values is one for the union of their nulls.
    """

    def __init__(
        self, first: Detector, second: Detector, *, scales: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        if not all(0 < scale < math.inf for scale in scales):
            raise ValueError("scales are positive")
        self.parts = (first, second)
        self.scales = scales

    @property
    def unit(self) -> Unit | None:
        return self.parts[0].unit

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Of], Sequence[Of]]]:
        fall = BernoulliMixture(low=0.18, high=0.22, direction="fall")
        rise = BernoulliMixture(low=0.18, high=0.22, direction="rise")
        quiet = [Of(i % 2, float(i % 10 < 2)) for i in range(3000)]
        impossible = [Of(0, math.nan), Of(1, 2.0), Of(2, 1.0), Of(-1, 1.0)]
        return [(cls(fall, rise, scales=(1.0, 2.0)), quiet, impossible)]

    def new_state(self) -> Both:
        first, second = self.parts
        return Both(first.new_state(), second.new_state())

    def update(self, state: Both, value: Of, at: float) -> None:
        if value.which not in (0, 1):
            raise ValueError("an observation is of the first (0) or the second (1)")
        self.parts[value.which].update(state.second if value.which else state.first, value.value, at)

    def statistic(self, state: Both) -> float:
        first, second = self.parts
        return min(
            self.scales[0] * first.statistic(state.first), self.scales[1] * second.statistic(state.second)
        )

    def change(self, state: Both) -> ChangeEstimate | None:
        """That of the later one: since then, both have changed. None unless both have."""
        first, second = self.parts[0].change(state.first), self.parts[1].change(state.second)
        if first is None or second is None:
            return None
        return max(first, second, key=lambda change: change.since)

    def encode_state(self, state: Both) -> bytes:
        first, second = self.parts
        return encode(
            STATE_VERSION, _Stored(first.encode_state(state.first), second.encode_state(state.second))
        )

    def decode_state(self, raw: bytes) -> Both:
        """Raises StateRefused, also where only one of the two can't be read."""
        stored = decode(raw, STATE_VERSION, _Stored, what="the state of two detectors")
        first, second = self.parts
        return Both(first.decode_state(stored.first), second.decode_state(stored.second))
