"""When a trend began: the median of a posterior over days and weeks, from the mean ranks of each.

The detector's restart point is the likeliest start for one of its alternatives. Of a slow trend that is some streak in the middle
of it, and says nothing of how far away the start can be. As dating.py does for shares, all starts are equally likely beforehand,
and the range holds CREDIBLE of the posterior.

Method: ranks in standard deviations of the baseline's, so that means of them are normal with a known variance. Before the
start they have the mean of the baseline and of what came since; from then on one that is higher by a normal prior of one standard
deviation. What two means differ by is all the evidence there is, so both integrals are closed (the Bayes factor of a change of a
normal mean: D. A. Barry, J. A. Hartigan, "A Bayesian analysis for change point problems", Journal of the American Statistical
Association 88 (1993)).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from detectors.signals.dating import Dated, posterior
from detectors.signals.weeks import week_start
from schemas.duration import DAY, WEEK

FINE_WEEKS = 8
"""The newest ones are counted by the day: a sharp change is found within days."""
MOST_SPANS = 160


class Ranks(Struct, array_like=True):
    """Of the values that began in a span, a day or a week: when it began (Unix seconds), how many, and the sum of their ranks in
    standard deviations of the baseline's."""

    start: float
    n: int = 0
    total: float = 0.0


def count_rank(spans: list[Ranks], began: float, rank: float) -> None:
    """``spans`` in order, MOST_SPANS at most; days become weeks with time."""
    fine = _fine_from(max(spans[-1].start, began) if spans else began)
    start = _span_of(began, fine)
    newest = bool(spans) and spans[-1].start == start
    at = len(spans) - 1 if newest else bisect_left(spans, start, key=lambda each: each.start)
    if at < len(spans) and spans[at].start == start:
        spans[at].n += 1
        spans[at].total += rank
        return
    spans.insert(at, Ranks(start, 1, rank))
    merged: dict[float, Ranks] = {}
    for each in spans:
        span = merged.setdefault(_span_of(each.start, fine), Ranks(_span_of(each.start, fine)))
        span.n += each.n
        span.total += each.total
    spans[:] = list(merged.values())[-MOST_SPANS:]


def date_trend(spans: Sequence[Ranks], worth: float, dispersion: float, otherwise: float) -> Dated:
    """``spans`` follow a baseline of ``worth`` values; means vary by ``dispersion`` times as much as chance has them. ``otherwise``
    (Unix seconds) is the answer where none of them may be the start. ``n`` are the values since the start."""
    before_n, before_total = worth + sum(each.n for each in spans), sum(each.total for each in spans)
    after_n, after_total = 0, 0.0
    fine = _fine_from(spans[-1].start) if spans else 0.0
    possible: list[tuple[float, int, int, float]] = []
    for span in reversed(spans):
        after_n, after_total = after_n + span.n, after_total + span.total
        before_n, before_total = before_n - span.n, before_total - span.total
        apart = after_total / after_n - before_total / before_n
        if apart > 0:
            variance = dispersion * (1 / after_n + 1 / before_n)
            evidence = (apart**2 / (variance * (1 + variance)) - math.log1p(1 / variance)) / 2
            # Every day is as likely beforehand, so a week is as likely as seven.
            evidence += math.log(WEEK / DAY) if span.start < fine else 0.0
            possible.append((span.start, after_n, 0, evidence))
    if not possible:
        return Dated(otherwise, otherwise, otherwise, 0, 0)
    return posterior(possible[::-1])


def _fine_from(newest: float) -> float:
    return week_start(newest) - FINE_WEEKS * WEEK


def _span_of(at: float, fine: float) -> float:
    return week_start(at) if at < fine else at // DAY * DAY
