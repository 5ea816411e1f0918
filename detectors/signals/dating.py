"""When a share fell (or rose): the middle of the weeks in which it can have begun, and their range.

A detector's own restart point dates a change against the bound of the baseline, which lies below the rate that was really
there; a weak change is then dated far too late and looks too strong. Here the whole watched stretch is weighed against
the baseline's estimate instead.

Method: a posterior over the starts, all equally likely beforehand, with the detector's own mixture of alternatives as the
prior of the new rate. The likeliest start alone would not do: searching for it finds streaks of bad luck, and makes the
fall look later and deeper than it is. The median does not, and the range holds CREDIBLE of the posterior. Its coverage is
measured by bench/detection.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct
from scipy.special import logsumexp

from detectors.sequential.bernoulli_mixture import DEFAULT_STRENGTHS, EDGE
from detectors.sequential.binomial_interval import interval, log_likelihood
from detectors.sequential.contract import ChangeEstimate
from detectors.signals.weeks import Week
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK

CREDIBLE = 0.95


class Dated(Struct, array_like=True, frozen=True):
    """The start (Unix seconds; median), the earliest and the latest possible, and what was seen since the start."""

    since: float
    earliest: float
    latest: float
    n: int
    ones: int

    @property
    def margin_days(self) -> float:
        """Half a week at least: that is how finely the weeks date."""
        return (max(self.since - self.earliest, self.latest - self.since) + WEEK / 2) / DAY


def date_fall(n: int, ones: int, weeks: Sequence[Week], restart: ChangeEstimate) -> Dated:
    """Dates a fall within ``weeks`` (in order of time), which follow a baseline of ``ones`` in ``n``.

    Possible are the starts of weeks, and the detector's ``restart``, which finds a sharp fall in mid-week; it is the
    answer where no week has a lower share from it on than there was before it.
    """
    all_n, all_ones = n + sum(week.n for week in weeks), ones + sum(week.ones for week in weeks)
    starts = [(restart.since, restart.n, int(restart.total))]
    after_n = after_ones = 0
    for week in reversed(weeks):
        after_n, after_ones = after_n + week.n, after_ones + week.ones
        starts.append((week.start, after_n, after_ones))
    possible = sorted(
        (start, seen, seen_ones, _log_evidence(all_n - seen, all_ones - seen_ones, seen, seen_ones))
        for start, seen, seen_ones in starts
        if seen and seen_ones * (all_n - seen) < (all_ones - seen_ones) * seen
    )
    if not possible:
        return Dated(restart.since, restart.since, restart.since, restart.n, int(restart.total))
    return posterior(possible)


def posterior(possible: Sequence[tuple[float, int, int, float]]) -> Dated:
    """Of starts in order of time, one at least, that are equally likely beforehand: (start in Unix seconds, observations and
    ones since it, log evidence)."""
    best = max(evidence for *_, evidence in possible)
    reached = list(accumulate(math.exp(evidence - best) for *_, evidence in possible))
    tail = (1 - CREDIBLE) / 2
    earliest, middle, latest = (
        possible[min(bisect_left(reached, quantile * reached[-1]), len(possible) - 1)]
        for quantile in (tail, 0.5, 1 - tail)
    )
    return Dated(middle[0], earliest[0], latest[0], middle[1], middle[2])


def _log_evidence(before_n: int, before_ones: int, after_n: int, after_ones: int) -> float:
    """Of a change there: the share before at its likeliest, the share after by the mixture of alternatives to it."""
    share = before_ones / before_n
    odds = share / (1 - share) if share < 1 else 1 / EDGE
    terms = []
    for ratio, weight in DEFAULT_STRENGTHS:
        after = odds * ratio / (1 + odds * ratio)
        seen = after_ones * math.log(after) + (after_n - after_ones) * math.log1p(-after)
        terms.append(math.log(weight) + seen)
    return log_likelihood(before_ones, before_n) + float(logsumexp(terms))


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
