"""Observed against expected events: finds a lasting rise or fall of a hazard that is conditioned on tenure or age.

The caller knows the baseline's hazard of each tenure (or age) and gives, for any amount of exposure, how many events came
and how many the baseline wants. A shift between tenures moves both alike and is no change.

Rules:
1. The null is that events come at least ``low`` (for a fall), at most ``high`` (for a rise) times as often as expected.
2. The promise is counted in expected events, not in updates: however finely the exposure is cut, by account and day or by
   week in sum, a statistic means the same.
3. Exposure must be known before its events: ``expected`` may not depend on what was observed in the same update.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct
from scipy.special import gammaincinv

from detectors.sequential.bernoulli_mixture import FALL_WEIGHT, mixture_weights
from detectors.sequential.contract import ChangeEstimate, Direction, Unit
from detectors.sequential.shiryaev_roberts import Component, advance, likeliest, weighted
from detectors.sequential.stored_state import decode, encode

DEFAULT_STRENGTHS = ((0.8, 1.0), (0.65, 2.0), (0.5, 2.0), (0.35, 1.0))
"""(hazard ratio against the bound, weight)"""
STATE_VERSION = 1


class Counted(Struct, frozen=True):
    """``observed`` events (a whole number) where the baseline wants ``expected`` (positive)."""

    observed: float
    expected: float


class ExpectedState(Struct, array_like=True):
    components: list[Component]


class ExpectedEvents:
    """Observed-minus-expected detector: the e-detector whose alternatives are the lines of the risk-adjusted CUSUM.

    For a hazard ratio rho against the bound b, ``L = rho ** O * exp(-(rho - 1) * b * E)``; its logarithm is the increment of
    the observed-minus-expected CUSUM. For at most one event an update (Bernoulli) it is an e-value too, since
    1 + x <= exp(x). A dispersion phi counts O and E as 1/phi of events.

    Promise: while the hazard is within its bounds, the average number of *expected events* until the alarm is at least the
    threshold.

    Parameters
    ----------
    low, high
        Bounds of the null for observed / expected, positive.
    direction
        ``fall``, ``rise`` or ``both``.
    strengths
        (hazard ratio against the bound, weight) of each alternative, in (0, 1); inverted for a rise.
    dispersion
        How many times more counts vary than a Poisson's, 1 or more.

    References
    ----------
    P. Biswas, J. D. Kalbfleisch, "A risk-adjusted CUSUM in continuous time based on the Cox model", Statistics in
    Medicine 27 (2008). R. J. Sun, J. D. Kalbfleisch, "A risk-adjusted O-E CUSUM with monitoring bands", Biometrics 69
    (2013). J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024).
    """

    unit: ClassVar[Unit | None] = "expected events"

    def __init__(
        self,
        *,
        low: float,
        high: float,
        direction: Direction,
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
        dispersion: float = 1.0,
        fall_weight: float = FALL_WEIGHT,
    ) -> None:
        if not 0 < low <= high < math.inf:
            raise ValueError(f"the null needs 0 < low <= high, not {low} and {high}")
        weights = mixture_weights(direction, strengths, dispersion, fall_weight)
        self.low = low
        self.high = high
        self.dispersion = dispersion
        self.weights = tuple(weight for _, weight in weights)
        self._lines = tuple(
            (math.log(ratio) / dispersion, (ratio - 1) * (low if ratio < 1 else high) / dispersion)
            for ratio, _ in weights
        )

    @classmethod
    def from_baseline(
        cls,
        observed: float,
        expected: float,
        *,
        direction: Direction,
        level: float = 0.9,
        dispersion: float = 1.0,
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
    ) -> Self:
        """Against a baseline in which ``observed`` events came where its hazard wants ``expected``: Garwood's exact bounds at
        the one-sided ``level``. A hazard learned from the same events has expected = observed, and is as uncertain as
        their number. Raises ValueError for impossible counts."""
        if not (0 < observed < math.inf and 0 < expected < math.inf):
            raise ValueError("a baseline needs events, observed and expected")
        events = observed / dispersion
        scale = dispersion / expected
        return cls(
            low=float(gammaincinv(events, 1 - level)) * scale,
            high=float(gammaincinv(events + 1, level)) * scale,
            direction=direction,
            dispersion=dispersion,
            strengths=strengths,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Counted], Sequence[Counted]]]:
        quiet = [Counted(float(i % 10 == 0), 0.05 + 0.1 * (i % 2)) for i in range(3000)]
        impossible = [
            *(Counted(wrong, 0.1) for wrong in (-1.0, 0.5, math.nan, math.inf)),
            *(Counted(0.0, wrong) for wrong in (0.0, -0.1, math.nan, math.inf)),
        ]
        ways: tuple[Direction, ...] = ("fall", "rise", "both")
        return [(cls(low=0.9, high=1.1, direction=way), quiet, impossible) for way in ways]

    def new_state(self) -> ExpectedState:
        return ExpectedState([Component() for _ in self.weights])

    def update(self, state: ExpectedState, value: Counted, at: float) -> None:
        observed, expected = value.observed, value.expected
        if not (0 <= observed < math.inf and observed == int(observed)):
            raise ValueError("observed events are a whole number, 0 or more")
        if not 0 < expected < math.inf:
            raise ValueError("expected events are positive")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        for component, (by_event, by_exposure) in zip(state.components, self._lines, strict=True):
            step = min(max(observed * by_event - expected * by_exposure, -700.0), 700.0)
            advance(component, math.exp(step), expected, observed, at)

    def statistic(self, state: ExpectedState) -> float:
        return weighted(self.weights, state.components)

    def change(self, state: ExpectedState) -> ChangeEstimate | None:
        """The start that maximises the likelihood over alternatives and times; ``total`` is events since then."""
        return likeliest(state.components)

    def encode_state(self, state: ExpectedState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> ExpectedState:
        return decode(
            raw,
            STATE_VERSION,
            ExpectedState,
            what="an observed-against-expected state",
            fits=lambda state: len(state.components) == len(self.weights),
        )
