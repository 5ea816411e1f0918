"""The Bernoulli mixture e-detector: finds a lasting fall or rise of a share, one 0 or 1 at a time.

Rules:
1. The null is composite: the share is at least ``low`` (for a fall), at most ``high`` (for a rise), or between both. A
   baseline that was estimated is paid for by giving its confidence bounds as ``low`` and ``high``.
2. Under the null, whatever the share is and even where it wanders within the null, the average run length to a false
   alarm is at least the threshold (in observations). Nothing asymptotic is in this.
3. One update costs a few operations for each alternative and nothing else: no array, no object, no logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct

from detectors.sequential.binomial_interval import lower_bound, upper_bound
from detectors.sequential.contract import CEILING, ChangeEstimate, Direction, Unit
from detectors.sequential.stored_state import decode, encode

EDGE = 1e-9
"""Bounds are kept this far from 0 and 1, where the likelihood ratio is not defined."""

DEFAULT_STRENGTHS = ((0.6, 1.0), (0.5, 1.0))
"""(odds ratio against the bound, weight): half of the odds of the rate that was really there, since the bound lies between,
and a milder one that still finds a fall by a third. Two find a change as fast as six (within 1 %) at a third of the cost
(bench/detection)."""
DATING_STRENGTH = 0.5
HEAD_START = 75.0
"""Evidence to begin with, in observations. A Shiryaev-Roberts sum that begins at 0 finds a change at the very first
observation later than any other; with this it finds all alike. It is taken off the statistic again, which pays for it."""
FALL_WEIGHT = 0.9
"""Part of the budget that watching both sides gives to falls. A fall is what harms; a rise takes a fifth longer."""
BOTH_LEVELS = {0.9: (0.895, 0.985)}
"""Share of baselines that keep the promise -> levels of the lower and the upper bound, where both sides are watched. What a
side loses of the weight it gains in its level; found by bench/detection."""

STATE_VERSION = 2


class MixtureState(Struct, array_like=True):
    """``evidence`` is the Shiryaev-Roberts sum of each alternative times its weight; then for each side the cumulative log likelihood ratio
    of the dating alternative since the last time that it was not positive, and the time, count and ones since then."""

    evidence: list[float]
    fall: float = 0.0
    fall_since: float = 0.0
    fall_n: int = 0
    fall_ones: int = 0
    rise: float = 0.0
    rise_since: float = 0.0
    rise_n: int = 0
    rise_ones: int = 0


class BernoulliMixture:
    """Mixture Shiryaev-Roberts e-detector for a Bernoulli share.

    For each alternative q on a grid, ``M <- (M + 1) * L`` with ``L`` the likelihood ratio of q against the bound of the
    null; the statistic is the weighted mean of all M, less the head start that they all begin with. With a dispersion above 1 the ratio is tempered, L ** (1 / dispersion):
    still an e-value for independent observations, and one for observations whose sums vary so much more.

    Promise: while the share stays between the bounds, the average run length is at least the threshold, in observations.

    Parameters
    ----------
    low, high
        Bounds of the null, shares between 0 and 1. For a fall only ``low`` counts, for a rise only ``high``.
    direction
        ``fall``, ``rise`` or ``both``.
    strengths
        (odds ratio, weight) of each alternative; the ratio, in (0, 1), is that between alternative and bound for a
        fall, and its inverse for a rise.
    dispersion
        How many times more the count of ones varies than a binomial's, 1 or more (dispersion.py measures it).
    fall_weight
        Part of the weight on falls where both sides are watched, in (0, 1).

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New
    England Journal of Statistics in Data Science 2 (2024); arXiv:2203.03532. The head start: G. V. Moustakides,
    A. S. Polunchenko, A. G. Tartakovsky, "A numerical approach to performance analysis of quickest change-point detection
    procedures", Statistica Sinica 21 (2011).

    Examples
    --------
    >>> detector = BernoulliMixture(low=0.18, high=0.22, direction="fall")
    >>> state = detector.new_state()
    >>> for day in range(200):
    ...     detector.update(state, 0.0 if day % 20 else 1.0, at=86400.0 * day)
    >>> detector.statistic(state) > 1e4
    True
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
        if not 0 <= low <= high <= 1:
            raise ValueError(f"the null needs 0 <= low <= high <= 1, not {low} and {high}")
        weights = mixture_weights(direction, strengths, dispersion, fall_weight)
        self.low = low
        self.high = high
        self.direction = direction
        self.dispersion = dispersion
        self.weights = tuple(weight for _, weight in weights)
        self.ratios = tuple(
            _likelihood_ratios(low if ratio < 1 else high, ratio, dispersion) for ratio, _ in weights
        )
        """for each alternative: likelihood ratio of a 0, of a 1"""
        fall = _likelihood_ratios(low, DATING_STRENGTH, dispersion)
        rise = _likelihood_ratios(high, 1 / DATING_STRENGTH, dispersion)
        # By value: number, weight and ratio of each alternative, steps of both restarts (-1 keeps the one that is not wanted at rest).
        self._steps = {
            value: (
                tuple(
                    (number, weight, ratio[value])
                    for number, (weight, ratio) in enumerate(zip(self.weights, self.ratios, strict=True))
                ),
                math.log(fall[value]) if direction != "rise" else -1.0,
                math.log(rise[value]) if direction != "fall" else -1.0,
            )
            for value in (0, 1)
        }

    @classmethod
    def from_baseline(
        cls,
        ones: int,
        n: int,
        *,
        direction: Direction = "fall",
        level: float = 0.9,
        dispersion: float = 1.0,
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
    ) -> Self:
        """Against a share that was estimated as ``ones`` in ``n``: at least ``level`` of all baselines that chance can give
        keep the promise. Raises ValueError for impossible counts."""
        fall_level = rise_level = level
        if direction == "both":
            fall_level, rise_level = _levels_for_both(level)
        ones_counted, counted = ones / dispersion, n / dispersion
        return cls(
            low=lower_bound(ones_counted, counted, fall_level),
            high=upper_bound(ones_counted, counted, rise_level),
            direction=direction,
            dispersion=dispersion,
            strengths=strengths,
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        directions: tuple[Direction, ...] = ("fall", "rise", "both")
        quiet = [float(i % 5 == 0) for i in range(3000)]
        impossible = (math.nan, math.inf, -1.0, 0.5, 2.0)
        return [(cls(low=0.18, high=0.22, direction=way), quiet, impossible) for way in directions]

    def new_state(self) -> MixtureState:
        return MixtureState([HEAD_START * weight for weight in self.weights])

    def update(self, state: MixtureState, value: float, at: float) -> None:
        step = self._steps.get(value)  # type: ignore[call-overload]  # 1.0 finds 1
        if step is None:
            raise ValueError("a Bernoulli observation is 0 or 1")
        if at - at != 0:  # neither infinite nor NaN, at the price of one operation
            raise ValueError("an observation needs a finite time")
        alternatives, fall, rise = step
        evidence = state.evidence
        for number, weight, ratio in alternatives:
            evidence[number] = (evidence[number] + weight) * ratio
        if sum(evidence) > CEILING:
            state.evidence = [min(each, CEILING / len(evidence)) for each in evidence]
        fall += state.fall
        if fall > 0:
            if not state.fall_n:
                state.fall_since = at
            state.fall = fall
            state.fall_n += 1
            state.fall_ones += value == 1
        elif state.fall_n:
            state.fall, state.fall_n, state.fall_ones = 0.0, 0, 0
        rise += state.rise
        if rise > 0:
            if not state.rise_n:
                state.rise_since = at
            state.rise = rise
            state.rise_n += 1
            state.rise_ones += value == 1
        elif state.rise_n:
            state.rise, state.rise_n, state.rise_ones = 0.0, 0, 0

    def statistic(self, state: MixtureState) -> float:
        evidence = sum(state.evidence) - HEAD_START
        return evidence if evidence > 0 else 0.0

    def change(self, state: MixtureState) -> ChangeEstimate | None:
        """The start that maximises the likelihood of a halving (or doubling) of the odds against the bound."""
        if state.fall >= state.rise and state.fall_n:
            return ChangeEstimate(state.fall_since, state.fall_n, state.fall_ones)
        return ChangeEstimate(state.rise_since, state.rise_n, state.rise_ones) if state.rise_n else None

    def encode_state(self, state: MixtureState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> MixtureState:
        return decode(
            raw,
            STATE_VERSION,
            MixtureState,
            what="a Bernoulli mixture's state",
            fits=lambda state: len(state.evidence) == len(self.weights),
        )


def mixture_weights(
    direction: Direction, strengths: tuple[tuple[float, float], ...], dispersion: float, fall_weight: float
) -> list[tuple[float, float]]:
    """(ratio, weight) of every alternative, below 1 for falls and above for rises; the weights add up to 1.

    Raises ValueError where a parameter makes no sense.
    """
    if direction not in ("fall", "rise", "both"):
        raise ValueError("direction is fall, rise or both")
    if not strengths or not all(0 < ratio < 1 and weight > 0 for ratio, weight in strengths):
        raise ValueError("every strength is a ratio between 0 and 1 with a positive weight")
    if not (math.isfinite(dispersion) and dispersion >= 1):
        raise ValueError("a dispersion is 1 or more")
    if not 0 < fall_weight < 1:
        raise ValueError("the weight on falls lies between 0 and 1")
    part = {"fall": 1.0, "rise": 0.0, "both": fall_weight}[direction]
    whole = sum(weight for _, weight in strengths)
    falls = [(ratio, part * weight / whole) for ratio, weight in strengths if part > 0]
    rises = [(1 / ratio, (1 - part) * weight / whole) for ratio, weight in strengths if part < 1]
    return falls + rises


def _levels_for_both(level: float) -> tuple[float, float]:
    if level in BOTH_LEVELS:
        return BOTH_LEVELS[level]
    # Without a measured pair what may fail is shared by weight: safe, since the weights pay for some of it.
    return 1 - (1 - level) * FALL_WEIGHT, 1 - (1 - level) * (1 - FALL_WEIGHT)


def _likelihood_ratios(bound: float, odds_ratio: float, dispersion: float) -> tuple[float, float]:
    bound = min(max(bound, EDGE), 1 - EDGE)
    odds = odds_ratio * bound / (1 - bound)
    alternative = odds / (1 + odds)
    power = 1 / dispersion
    return ((1 - alternative) / (1 - bound)) ** power, (alternative / bound) ** power
