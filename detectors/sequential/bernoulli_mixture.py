"""The Bernoulli mixture e-detector: finds a lasting fall or rise of a share, one 0 or 1 at a time.

Rules:
1. The null is composite: the share is at least ``low`` (for a fall), at most ``high`` (for a rise), or between both. A
   baseline that was estimated is paid for by giving its confidence bounds as ``low`` and ``high``.
2. Under the null, whatever the share is and even where it wanders within the null, the average run length to a false
   alarm is at least the threshold (in observations). Nothing asymptotic is in this.
3. The statistic never exceeds CEILING: above it the evidence says no more to anybody, and a bounded number can't
   overflow. A smaller statistic keeps rule 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import msgspec
from msgspec import Struct

from detectors.sequential.contract import ChangeEstimate
from schemas.errors import StateRefused

Direction = Literal["fall", "rise", "both"]

CEILING = 1e18
HIGHEST_THRESHOLD = 1e15
EDGE = 1e-9
"""Bounds are kept this far from 0 and 1, where the likelihood ratio is not defined."""

DEFAULT_STRENGTHS = ((0.8, 1.0), (0.65, 2.0), (0.5, 3.0), (0.4, 3.0), (0.3, 2.0), (0.2, 1.0))
"""(odds ratio against the bound, weight): most weight on a fall to a half or less of the odds, since the bound lies
below the rate that was really there. bench/detection.py measures what this costs against knowing the new rate."""

STATE_VERSION = 1


class Component(Struct, array_like=True):
    """One alternative. ``evidence`` is its Shiryaev-Roberts sum; ``support`` its cumulative log likelihood ratio since the
    last time that it was not positive, and the rest what was seen since then."""

    evidence: float
    support: float
    since: float
    n: int
    ones: int


class MixtureState(Struct, array_like=True):
    components: list[Component]


class BernoulliMixture:
    """Mixture Shiryaev-Roberts e-detector for a Bernoulli share.

    For each alternative q on a grid, ``M <- (M + 1) * L`` with ``L`` the likelihood ratio of q against the bound of the
    null; the statistic is the weighted mean of all M.

    Parameters
    ----------
    low, high
        Bounds of the null, shares between 0 and 1. For a fall only ``low`` counts, for a rise only ``high``.
    direction
        ``fall``, ``rise`` or ``both`` (half the weight each).
    strengths
        (odds ratio, weight) of each alternative; the ratio, in (0, 1), is that between alternative and bound for a
        fall, and its inverse for a rise.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New
    England Journal of Statistics in Data Science 2 (2024); arXiv:2203.03532.

    Examples
    --------
    >>> detector = BernoulliMixture(low=0.18, high=0.22, direction="fall")
    >>> state = detector.new_state()
    >>> for day in range(200):
    ...     detector.update(state, 0.0 if day % 20 else 1.0, at=86400.0 * day)
    >>> detector.statistic(state) > 1e4
    True
    """

    def __init__(
        self,
        *,
        low: float,
        high: float,
        direction: Direction = "fall",
        strengths: tuple[tuple[float, float], ...] = DEFAULT_STRENGTHS,
    ) -> None:
        if not 0 <= low <= high <= 1:
            raise ValueError(f"the null needs 0 <= low <= high <= 1, not {low} and {high}")
        if direction not in ("fall", "rise", "both"):
            raise ValueError("direction is fall, rise or both")
        if not strengths or not all(0 < ratio < 1 and weight > 0 for ratio, weight in strengths):
            raise ValueError("every strength is an odds ratio between 0 and 1 with a positive weight")
        self.low = low
        self.high = high
        self.direction = direction
        alternatives = []
        if direction != "rise":
            alternatives += [(low, ratio, weight) for ratio, weight in strengths]
        if direction != "fall":
            alternatives += [(high, 1 / ratio, weight) for ratio, weight in strengths]
        whole = sum(weight for _, _, weight in alternatives)
        self.weights = tuple(weight / whole for _, _, weight in alternatives)
        self.ratios = tuple(_likelihood_ratios(bound, ratio) for bound, ratio, _ in alternatives)
        """for each alternative: likelihood ratio of a 0, of a 1"""
        self._steps = tuple((zero, one, math.log(zero), math.log(one)) for zero, one in self.ratios)

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        directions: tuple[Direction, ...] = ("fall", "rise", "both")
        quiet = [float(i % 5 == 0) for i in range(3000)]
        impossible = (math.nan, math.inf, -1.0, 0.5, 2.0)
        return [(cls(low=0.18, high=0.22, direction=way), quiet, impossible) for way in directions]

    def new_state(self) -> MixtureState:
        return MixtureState([Component(0.0, 0.0, 0.0, 0, 0) for _ in self.weights])

    def update(self, state: MixtureState, value: float, at: float) -> None:
        if value not in (0, 1):
            raise ValueError("a Bernoulli observation is 0 or 1")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        one = value == 1
        for component, (ratio0, ratio1, log0, log1) in zip(state.components, self._steps, strict=True):
            component.evidence = min((component.evidence + 1) * (ratio1 if one else ratio0), CEILING)
            if component.n == 0:
                component.since = at
            component.support += log1 if one else log0
            if component.support <= 0:
                component.support, component.n, component.ones = 0.0, 0, 0
            else:
                component.n += 1
                component.ones += one

    def statistic(self, state: MixtureState) -> float:
        return sum(
            w * component.evidence for w, component in zip(self.weights, state.components, strict=True)
        )

    def change(self, state: MixtureState) -> ChangeEstimate | None:
        """The start that maximises the likelihood over alternatives and times (the last restart of the best one)."""
        best = max(state.components, key=lambda component: component.support)
        return ChangeEstimate(best.since, best.n, best.ones) if best.n else None

    def encode_state(self, state: MixtureState) -> bytes:
        return msgspec.msgpack.encode((STATE_VERSION, state))

    def decode_state(self, raw: bytes) -> MixtureState:
        try:
            version, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
            if version == STATE_VERSION:
                state = msgspec.msgpack.decode(body, type=MixtureState)
                if len(state.components) == len(self.weights):
                    return state
        except msgspec.MsgspecError:
            version = None
        raise StateRefused(
            f"a Bernoulli mixture's state has version {version}; this program reads version {STATE_VERSION}"
            if version not in (None, STATE_VERSION)
            else "a Bernoulli mixture's state is damaged or belongs to another grid of alternatives",
            remedy="run the version that wrote it, or take the baseline anew",
        )


def _likelihood_ratios(bound: float, odds_ratio: float) -> tuple[float, float]:
    bound = min(max(bound, EDGE), 1 - EDGE)
    odds = odds_ratio * bound / (1 - bound)
    alternative = odds / (1 + odds)
    return (1 - alternative) / (1 - bound), alternative / bound
