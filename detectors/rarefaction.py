"""How broad and how deep a use is, whatever its amount: both as they would look in a few draws.

Who does more touches more features, by chance alone. So all counts are brought to the same number of draws without
replacement: what is compared no longer grows with activity (rarefaction: S. H. Hurlbert, "The nonconcept of species
diversity", Ecology 52, 1971). Both are exact expectations, nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb

import numpy as np

DRAWS = 10


def breadth(counts: Iterable[int], draws: int = DRAWS) -> float:
    """Expected number of distinct features in ``draws`` of the uses that ``counts`` counts by feature: 1 to ``draws``.

    Raises ValueError where there are fewer uses than draws.
    """
    used = [count for count in counts if count > 0]
    total = _total(used, draws)
    ways = comb(total, draws)
    return sum(1 - comb(total - count, draws) / ways for count in used)


def depth(counts: Iterable[int], draws: int = DRAWS) -> float:
    """Expected share of ``draws`` that goes to the two features which are commonest among them: 2 / ``draws`` to 1.

    The expected k-th largest count is the sum over a >= 1 of the probability that at least k features are drawn a times or
    more; those probabilities are coefficients of products of polynomials, one factor for each feature. Raises ValueError
    where there are fewer uses than draws.
    """
    used = [count for count in counts if count > 0]
    total = _total(used, draws)
    # ways[a - 1, over, m]: in how many ways m uses can be drawn such that ``over`` features (0 or 1) come a times or more.
    ways = np.zeros((draws, 2, draws + 1))
    ways[:, 0, 0] = 1.0
    for count in used:
        further = np.zeros_like(ways)
        for k in range(min(count, draws) + 1):
            factor = float(comb(count, k))
            rest = draws + 1 - k
            # Drawn k times, it stays under every bound a > k, and reaches those up to k.
            further[k:, :, k:] += factor * ways[k:, :, :rest]
            further[:k, 1, k:] += factor * ways[:k, 0, :rest]
        ways = further
    whole = float(comb(total, draws))
    none = ways[:, 0, draws] / whole
    at_most_one = none + ways[:, 1, draws] / whole
    return float(((1 - none) + (1 - at_most_one)).sum()) / draws


def _total(used: list[int], draws: int) -> int:
    total = sum(used)
    if not 1 <= draws <= total:
        raise ValueError(f"{draws} uses can't be drawn from {total}")
    return total
