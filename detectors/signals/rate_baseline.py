"""The baseline of a share that may rise or fall, with its strata: when a stretch is good enough, and what is frozen of it.

As baseline.py has it for a fall; a rise is a fall of the zeros. Its own:
1. Precise enough is a stretch from which the change that is worth finding would lie outside of the null: a fall to, or a
   rise from, WORST_BOUND of the other; where the share is small, a rise to WORTH_FINDING.
2. The bounds are those of the odds against the strata's shares, widened by the dispersion of the stretch by week; and once
   more where the mix moves to strata that the baseline hardly knows (``bounds``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtri

from detectors.sequential.binomial_interval import upper_bound
from detectors.sequential.dispersion import dispersion
from detectors.sequential.exposure_mixture import ExposureMixture, Stratum
from detectors.signals.baseline import (
    BOUND_LEVEL,
    EARLY_HIGHER,
    WORST_BOUND,
    Split,
    heterogeneity,
    precise_enough,
)
from detectors.signals.rate_state import RateBaseline, RateWeek, Way
from detectors.signals.strata import Counts, Strata, learn, uncertainty
from detectors.signals.weeks import Week, total
from schemas.duration import DAY

WORTH_FINDING = 0.05
"""However small the share was: so a baseline without a one can be precise enough."""


def precise(way: Way, n: int, ones: int) -> bool:
    if way == "fall":
        return precise_enough(ones, n)
    return upper_bound(ones, n, BOUND_LEVEL) <= max(ones / n / WORST_BOUND, WORTH_FINDING)


def split(way: Way, stretch: Sequence[RateWeek], *, drifted: float = EARLY_HIGHER) -> tuple[int, bool] | None:
    """The number of the first week of a newer part that has another share, and whether it moved the way of the drift (tested at
    the level ``drifted``); None where the stretch is homogeneous."""
    found: Split | None = heterogeneity(
        [
            Week(week.start, week.n, week.ones if way == "fall" else week.n - week.ones, 0.0)
            for week in stretch
        ],
        higher=drifted,
    )
    return (found.first, found.newer == "lower") if found is not None else None


def freeze(way: Way, stretch: Sequence[RateWeek], strata: Strata, start: float, end: float) -> RateBaseline:
    """From the weeks of ``stretch``, whose cohorts began from ``start`` to ``end`` (Unix seconds); ``strata`` learn their
    shares."""
    n, ones = total(stretch, 0.0)
    counts: dict[int, Counts] = {}
    for week in stretch:
        for number, (seen, seen_ones) in week.parts.items():
            each = counts.setdefault(number, Counts())
            each.n += seen
            each.ones += seen_ones
    learn(strata, counts)
    judging = ExposureMixture.from_baseline(
        [
            Stratum(share, counts[number].n, counts[number].ones)
            for number, share in enumerate(strata.shares)
            if share is not None
        ],
        direction=way,
        level=BOUND_LEVEL,
        dispersion=(wobble := dispersion([(week.n, week.ones) for week in stretch])),
    )
    return RateBaseline(start, end, n, ones, judging.low, judging.high, n / ((end - start) / DAY), wobble)


def bounds(baseline: RateBaseline, strata: Strata, recent: Sequence[RateWeek]) -> tuple[float, float]:
    """Of the null, as odds ratios, for observations that come from the strata as in ``recent`` weeks: known before they are
    made, so that the promise holds."""
    mix: dict[int, int] = {}
    for week in recent:
        for number, (n, _) in week.parts.items():
            mix[number] = mix.get(number, 0) + n
    away = float(ndtri(BOUND_LEVEL)) * math.sqrt(baseline.dispersion) * uncertainty(strata, mix)
    return min(baseline.low, math.exp(-away)), max(baseline.high, math.exp(away))
