"""How many times more a baseline's counts vary than independent observations would: what a detector is widened by.

Weeks differ in ways that no signal names: a campaign, a holiday, one team's habits. A detector that takes its observations
for independent then alarms for the weeks. Pearson's statistic by week measures the excess, and the ``dispersion`` of the
detectors takes it.

Rules:
1. A dispersion is at least 1: a baseline that varies less than chance allows is chance.
2. The estimate is shrunk towards 1 by what chance alone gives (PRIOR_DEGREES of freedom at 1), and never above LARGEST: a
   baseline that varies more is no baseline.

Reference: P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed. (1989), 4.5 (over-dispersion).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PRIOR_DEGREES = 4.0
LARGEST = 5.0
FEWEST_EXPECTED = 1.0
"""Groups with fewer expected ones (or zeros) are put together with the next: Pearson's statistic needs some."""


def dispersion(groups: Sequence[tuple[int, int]]) -> float:
    """Of a share, from (n, ones) by week in order of time; 1 where fewer than three weeks say anything.

    Raises ValueError for impossible counts.
    """
    if not all(0 <= ones <= n for n, ones in groups):
        raise ValueError("a week needs 0 <= ones <= n")
    n, ones = sum(n for n, _ in groups), sum(ones for _, ones in groups)
    if ones in (0, n):
        return 1.0
    share = ones / n
    rarer = min(share, 1 - share)
    parts = _together(((n * rarer, n, ones) for n, ones in groups))
    pearson = sum((ones - n * share) ** 2 / (n * share * (1 - share)) for _, n, ones in parts)
    return _shrunk(pearson, len(parts) - 1)


def poisson_dispersion(groups: Sequence[tuple[float, float]]) -> float:
    """Of event counts, from (observed, expected) by week in order of time; 1 where fewer than three weeks say anything.

    Raises ValueError for impossible counts.
    """
    if not all(observed >= 0 and expected >= 0 for observed, expected in groups):
        raise ValueError("a week needs observed >= 0 and expected >= 0")
    observed, expected = sum(o for o, _ in groups), sum(e for _, e in groups)
    if not observed or not expected:
        return 1.0
    ratio = observed / expected
    parts = _together(((e * ratio, e, o) for o, e in groups))
    pearson = sum((o - e * ratio) ** 2 / (e * ratio) for _, e, o in parts)
    return _shrunk(pearson, len(parts) - 1)


def _together(groups: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Adds up neighbours until each has FEWEST_EXPECTED in its first number; what remains goes to the last."""
    parts: list[tuple[float, float, float]] = []
    open_part = (0.0, 0.0, 0.0)
    for group in groups:
        open_part = (open_part[0] + group[0], open_part[1] + group[1], open_part[2] + group[2])
        if open_part[0] >= FEWEST_EXPECTED:
            parts.append(open_part)
            open_part = (0.0, 0.0, 0.0)
    if open_part[1] and parts:
        last = parts.pop()
        parts.append((last[0] + open_part[0], last[1] + open_part[1], last[2] + open_part[2]))
    return parts


def _shrunk(pearson: float, degrees: int) -> float:
    if degrees < 2:
        return 1.0
    return min(max((pearson + PRIOR_DEGREES) / (degrees + PRIOR_DEGREES), 1.0), LARGEST)
