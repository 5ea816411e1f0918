"""When a share fell (or rose): the likeliest week, and the weeks that can't be ruled out.

A detector's own restart point dates a change against the bound of the baseline, which lies below the rate that was really
there; a weak change is then dated far too late and looks too strong. Here the whole watched stretch is weighed against
the baseline's estimate instead.

Method: profile likelihood over the weeks; a week is ruled out when its log likelihood is more than DISTANCE below the
best. By D. Siegmund, "Confidence sets in change-point problems", International Statistical Review 56 (1988), the set of
the others covers the true one with about 95 %: (1 - exp(-DISTANCE))^2 = 0.95.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from detectors.sequential.binomial_interval import interval, log_likelihood
from detectors.sequential.contract import ChangeEstimate
from detectors.signals.weeks import Week
from schemas.alerts import Interval

DISTANCE = -math.log(1 - math.sqrt(0.95))


class Dated(Struct, array_like=True, frozen=True):
    """The likeliest start of the fall, the earliest and the latest possible (Unix seconds), and what was seen since the
    likeliest."""

    since: float
    earliest: float
    latest: float
    n: int
    ones: int


def date_fall(n: int, ones: int, weeks: Sequence[Week], restart: ChangeEstimate) -> Dated:
    """Dates a fall within ``weeks`` (in order of time), which follow a baseline of ``ones`` in ``n``.

    Candidates are the starts of weeks, and the detector's ``restart``, which finds a sharp fall in mid-week; it is the
    answer where no week has a lower share from it on than there was before it.
    """
    all_n, all_ones = n + sum(week.n for week in weeks), ones + sum(week.ones for week in weeks)
    starts = [(restart.since, restart.n, int(restart.total))]
    after_n = after_ones = 0
    for week in reversed(weeks):
        after_n, after_ones = after_n + week.n, after_ones + week.ones
        starts.append((week.start, after_n, after_ones))
    likelihoods = [
        (
            log_likelihood(all_ones - seen_ones, all_n - seen) + log_likelihood(seen_ones, seen),
            start,
            seen,
            seen_ones,
        )
        for start, seen, seen_ones in starts
        if seen and seen_ones * (all_n - seen) < (all_ones - seen_ones) * seen
    ]
    if not likelihoods:
        return Dated(restart.since, restart.since, restart.since, restart.n, int(restart.total))
    best, since, seen, seen_ones = max(likelihoods)
    possible = [start for likelihood, start, _, _ in likelihoods if best - likelihood <= DISTANCE]
    return Dated(since, min(possible), max(possible), seen, seen_ones)


def date_rise(weeks: Sequence[Week], restart: ChangeEstimate) -> Dated:
    """Dates a rise within ``weeks``: a fall of the zeros."""
    mirrored = [Week(week.start, week.n, week.n - week.ones, 0.0) for week in weeks]
    dated = date_fall(0, 0, mirrored, ChangeEstimate(restart.since, restart.n, restart.n - restart.total))
    return Dated(dated.since, dated.earliest, dated.latest, dated.n, dated.n - dated.ones)


def share_since(dated: Dated, n: int, ones: int, weeks: Sequence[Week]) -> Interval:
    """The share since the fall, ``ones`` in ``n``. The interval holds for every start that is possible, not only for the
    likeliest: a change that was searched for looks stronger than it is."""
    estimate = interval(ones, n)
    low, high = estimate.low, estimate.high
    n = ones = 0
    for week in reversed(weeks):
        if week.start < dated.earliest:
            break
        n, ones = n + week.n, ones + week.ones
        if week.start <= dated.latest and n:
            here = interval(ones, n)
            low, high = min(low, here.low), max(high, here.high)
    return Interval(estimate=estimate.estimate, low=low, high=high, n=estimate.n)
