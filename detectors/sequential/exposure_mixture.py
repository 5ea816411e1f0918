"""The exposure e-detector: finds a lasting change of a rate ratio, where who could have been observed is known each time.

Of each observation (a ticket) is known whether it is a one (from an elite account) and what share of the exposure (of the
seats) the ones had at that time. When elites leave or join, the share moves and the ratio does not.

Rules:
1. The null probability of a one follows from the exposure share s of that time: with the rate ratio r between an elite's
   seat and any other, ``p = r s / (r s + 1 - s)``. The null is that r is at least ``low`` (for a fall), at most ``high``.
2. The alternatives multiply r. That multiplies the odds of a one by the same factor, whatever s is, so one tilt serves all.
3. Under the null the average run length is at least the threshold, in observations, however the shares move, as long as
   they are known before the observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct
from scipy.special import ndtri

from detectors.sequential.bernoulli_mixture import DEFAULT_STRENGTHS, FALL_WEIGHT, mixture_weights
from detectors.sequential.contract import ChangeEstimate, Direction, Unit
from detectors.sequential.shiryaev_roberts import Component, advance, likeliest, weighted
from detectors.sequential.stored_state import decode, encode

STATE_VERSION = 1
SMALLEST_RATIO, LARGEST_RATIO = 1e-6, 1e6


class Exposed(Struct, frozen=True):
    """``one``: 0 or 1; ``share`` of the exposure that could have given a one, in (0, 1), as it was known before."""

    one: int
    share: float


class Stratum(Struct, frozen=True):
    """A part of the baseline with one exposure share: ``ones`` in ``n`` observations."""

    share: float
    n: int
    ones: int


class ExposureState(Struct, array_like=True):
    components: list[Component]


class ExposureMixture:
    """Mixture Shiryaev-Roberts e-detector for a rate ratio with known exposure.

    Promise: while the rate ratio stays between the bounds, the average run length is at least the threshold, in observations.

    Parameters
    ----------
    low, high
        Bounds of the null: rate ratios, positive. For a fall only ``low`` counts, for a rise only ``high``.
    direction
        ``fall``, ``rise`` or ``both``.
    strengths
        (ratio of rate ratios, weight) of each alternative against the bound, in (0, 1); inverted for a rise.
    dispersion
        How many times more the count of ones varies than independent observations do, 1 or more.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New
    England Journal of Statistics in Data Science 2 (2024). The null is the conditional likelihood of two Poisson rates,
    J. Przyborowski and H. Wilenski, Biometrika 31 (1940).
    """

    unit: ClassVar[Unit | None] = "observations"

    def __init__(
        self,
        *,
        low: float,
        high: float,
        direction: Direction = "fall",
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
        dispersion: float = 1.0,
        fall_weight: float = FALL_WEIGHT,
    ) -> None:
        if not 0 < low <= high < math.inf:
            raise ValueError(f"the null needs rate ratios 0 < low <= high, not {low} and {high}")
        weights = mixture_weights(direction, strengths, dispersion, fall_weight)
        self.low = low
        self.high = high
        self.dispersion = dispersion
        self.weights = tuple(weight for _, weight in weights)
        self._tilts = tuple((ratio, low if ratio < 1 else high) for ratio, _ in weights)

    @classmethod
    def from_baseline(
        cls,
        strata: Sequence[Stratum],
        *,
        direction: Direction = "fall",
        level: float = 0.9,
        dispersion: float = 1.0,
    ) -> Self:
        """Against the rate ratio of a baseline, with one-sided bounds at ``level`` (rate_ratio_bound)."""
        return cls(
            low=rate_ratio_bound(strata, -level, dispersion=dispersion),
            high=rate_ratio_bound(strata, level, dispersion=dispersion),
            direction=direction,
            dispersion=dispersion,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Exposed], Sequence[Exposed]]]:
        quiet = [Exposed(int(i % 5 == 0), 0.2 if i % 2 else 0.3) for i in range(3000)]
        impossible = [
            Exposed(2, 0.2),
            *(Exposed(1, share) for share in (0.0, 1.0, -0.5, math.nan, math.inf)),
        ]
        ways: tuple[Direction, ...] = ("fall", "rise", "both")
        return [(cls(low=0.65, high=1.0, direction=way), quiet, impossible) for way in ways]

    def new_state(self) -> ExposureState:
        return ExposureState([Component() for _ in self.weights])

    def update(self, state: ExposureState, value: Exposed, at: float) -> None:
        if value.one not in (0, 1) or not 0 < value.share < 1:
            raise ValueError("an observation with exposure is 0 or 1, with a share between 0 and 1")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        for component, (ratio, bound) in zip(state.components, self._tilts, strict=True):
            weighted_share = bound * value.share
            null = weighted_share / (weighted_share + 1 - value.share)
            likelihood = (ratio if value.one else 1.0) / (1 + (ratio - 1) * null)
            advance(component, likelihood ** (1 / self.dispersion), 1.0, value.one, at)

    def statistic(self, state: ExposureState) -> float:
        return weighted(self.weights, state.components)

    def change(self, state: ExposureState) -> ChangeEstimate | None:
        """The start that maximises the likelihood over alternatives and times."""
        return likeliest(state.components)

    def encode_state(self, state: ExposureState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> ExposureState:
        return decode(
            raw,
            STATE_VERSION,
            ExposureState,
            what="an exposure mixture's state",
            fits=lambda state: len(state.components) == len(self.weights),
        )


def rate_ratio_bound(strata: Sequence[Stratum], level: float, *, dispersion: float = 1.0) -> float:
    """The estimate of the rate ratio (``level`` 0), its one-sided upper bound (level > 0) or lower bound (level < 0).

    By inverting the score test, with half a count as correction for continuity; the count of ones is a sum of binomials
    under the null, so that the strata need no more than their counts. Between SMALLEST_RATIO and LARGEST_RATIO.
    Raises ValueError where nothing was observed or a stratum can't be.
    """
    from scipy.optimize import brentq  # a quarter of a second, which only a new baseline should cost

    if not sum(stratum.n for stratum in strata):
        raise ValueError("a rate ratio needs observations")
    if not all(0 < stratum.share < 1 and 0 <= stratum.ones <= stratum.n for stratum in strata):
        raise ValueError("a stratum needs a share between 0 and 1 and 0 <= ones <= n")
    ones = sum(stratum.ones for stratum in strata)
    away = math.copysign(float(ndtri(abs(level))), level) if level else 0.0
    corrected = ones + (math.copysign(0.5, level) if level else 0.0)

    def score(log_ratio: float) -> float:
        """Rising in the ratio; zero at the bound."""
        expected = variance = 0.0
        for stratum in strata:
            share = 1 / (1 + math.exp(-log_ratio) * (1 - stratum.share) / stratum.share)
            expected += stratum.n * share
            variance += stratum.n * share * (1 - share)
        return expected - corrected - away * math.sqrt(dispersion * variance)

    lowest, highest = math.log(SMALLEST_RATIO), math.log(LARGEST_RATIO)
    if score(lowest) >= 0:
        return SMALLEST_RATIO
    if score(highest) <= 0:
        return LARGEST_RATIO
    return math.exp(brentq(score, lowest, highest, xtol=1e-9))
