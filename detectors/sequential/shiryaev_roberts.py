"""The Shiryaev-Roberts recursion of one alternative, with the restart that dates the change.

``M <- (M + w) * L``: w is what the promise is counted in (1 for an observation, its size for an exposure), L the likelihood
ratio, or any e-value, of what was then observed. While nothing changes, M grows by w at most on average, so the average
sum of w until M reaches A is at least A. The weighted mean of several M keeps that.

References: A. N. Shiryaev, Theory of Probability and its Applications 8 (1963); S. W. Roberts, Technometrics 8 (1966).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from detectors.sequential.contract import CEILING, ChangeEstimate

SMALLEST_RATIO = 1e-300


class Component(Struct, array_like=True):
    """One alternative. ``evidence`` is its Shiryaev-Roberts sum; ``support`` its cumulative log likelihood ratio since the
    last time that it was not positive, and the rest what was seen since then."""

    evidence: float = 0.0
    support: float = 0.0
    since: float = 0.0
    n: int = 0
    total: float = 0.0


def advance(component: Component, ratio: float, weight: float, value: float, at: float) -> None:
    """Takes in one observation with the likelihood ratio ``ratio``; ``value`` is added to the total since the restart."""
    component.evidence = min((component.evidence + weight) * ratio, CEILING)
    component.support += math.log(max(ratio, SMALLEST_RATIO))
    if component.support <= 0:
        component.support, component.n, component.total = 0.0, 0, 0.0
        return
    if component.n == 0:
        component.since = at
    component.n += 1
    component.total += value


def weighted(weights: Sequence[float], components: Sequence[Component]) -> float:
    return min(sum(w * each.evidence for w, each in zip(weights, components, strict=True)), CEILING)


def likeliest(components: Sequence[Component]) -> ChangeEstimate | None:
    best = max(components, key=lambda component: component.support)
    return ChangeEstimate(best.since, best.n, best.total) if best.n else None
