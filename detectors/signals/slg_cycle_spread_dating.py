"""Since when deals spread differently: the median of a posterior over the weeks of their creation.

As dating.py does for shares: all starts are equally likely beforehand, deals before the start fall into the baseline's
parts by their shares, those since by one of the shapes of sequential/decile_mixture.py; the range holds CREDIBLE of the posterior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import logsumexp

from detectors.sequential.decile_mixture import PARTS, SHAPES, SHARES
from detectors.signals.dating import Dated, posterior
from detectors.signals.slg_cycle_spread_state import SpreadWeek

LAST = PARTS - 1


def _logs(masses: Sequence[float]) -> tuple[list[float], list[float]]:
    """Log likelihood ratios of a deal that reached a part, for each but the last: that it ended in it, that it is beyond."""
    ended, beyond = [], []
    for number in range(LAST):
        left, usual = sum(masses[number:]), sum(SHARES[number:])
        here = (masses[number] / left) / (SHARES[number] / usual)
        further = (1 - masses[number] / left) / (1 - SHARES[number] / usual)
        ended.append(math.log(here))
        beyond.append(math.log(further))
    return ended, beyond


_SHAPES = [(math.log(weight), *_logs(masses)) for weight, masses in SHAPES.values()]


def date_spread(weeks: Sequence[SpreadWeek], otherwise: float) -> Dated:
    """``weeks`` in order; ``otherwise`` (Unix seconds) is the answer where there are none. ``n`` and ``ones``: deals of which
    all is known since the start, and those of them in the outer deciles."""
    n = ones = 0
    terms = [weight for weight, *_ in _SHAPES]
    possible: list[tuple[float, int, int, float]] = []
    for week in reversed(weeks):
        if not week.ended[0] + week.beyond[0]:
            continue
        n, ones = n + week.n, ones + week.ones
        terms = [
            so_far
            + sum(count * each for count, each in zip(week.ended, ended, strict=True))
            + sum(count * each for count, each in zip(week.beyond, beyond, strict=True))
            for so_far, (_, ended, beyond) in zip(terms, _SHAPES, strict=True)
        ]
        possible.append((week.start, n, ones, float(logsumexp(terms))))
    if not possible:
        return Dated(otherwise, otherwise, otherwise, 0, 0)
    return posterior(possible[::-1])
