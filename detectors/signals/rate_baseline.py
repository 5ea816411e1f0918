"""The baseline of a share that may rise or fall, with its strata: when a stretch is good enough, and what is frozen of it.

As baseline.py has it for a fall; a rise is a fall of the zeros. Its own:
1. Precise enough is a stretch from which the change that is worth finding would lie outside of the null: a fall to, or a
   rise from, WORST_BOUND of the other; where the share is small, a rise to WORTH_FINDING.
2. The bounds are those of the odds against the strata's shares, widened by the dispersion of the stretch by week; and once
   more where the mix moves to strata that the baseline hardly knows (``bounds``).
3. A newcomer is judged against the bound of its own share, in the way of the drift, where that is further than the bound of
   the odds takes it (``null_share``). So the null holds for each observation by itself, which is all that the detector's
   promise needs, whatever the mix; paid for on average over the mix, a large newcomer who was by chance at less than its
   share was taken for drift.
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
from detectors.signals.rate_state import RateBaseline, RateWatch, RateWeek, Way
from detectors.signals.strata import Counts, Strata, is_newcomer, learn, own_bound, uncertainty
from detectors.signals.weeks import Week, total
from schemas.duration import DAY

WORTH_FINDING = 0.05
"""However small the share was: so a baseline without a one can be precise enough."""

NEWCOMER_LEVEL = 0.95
"""Of a newcomer's bound. There is one baseline, and newcomers come again and again: at 90 % a large one was taken for drift in
1.4 of 100 runs, at 95 % in 0.2. A drift of all that begins when one of four has just joined is found 3 of 20 days later."""


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
            Stratum(share, each.n, each.ones)
            for number, each in counts.items()
            if (share := strata.shares[number]) is not None and not is_newcomer(strata, number)
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


def null_share(way: Way, watch: RateWatch, share: float, worth: float) -> float:
    """What stands for the share of a newcomer where odds are judged against the bound of ``watch``, so that the null is the
    newcomer's own bound; ``share`` itself where it is known as well as the whole (``worth`` as in strata.py)."""
    worth /= watch.baseline.dispersion
    if way == "rise":
        return max(share, _with_odds(own_bound(share, worth, NEWCOMER_LEVEL), 1 / watch.high))
    return min(share, _with_odds(own_bound(share, worth, 1 - NEWCOMER_LEVEL), 1 / watch.low))


def _with_odds(share: float, times: float) -> float:
    odds = times * share / (1 - share)
    return odds / (1 + odds)
