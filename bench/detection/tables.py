"""How the benchmark's numbers are shown: Markdown tables, every number with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, chi2


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def poisson_interval(events: float, exposure: float) -> tuple[float, float]:
    """Garwood's exact interval of a rate."""
    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    return max(float(low), 1e-9) / exposure, float(chi2.ppf(0.975, 2 * events + 2)) / 2 / exposure


def interval_of_mean(values: NDArray[np.float64], digits: int = 1) -> str:
    return f"{values.mean():.{digits}f} (± {1.96 * values.std() / math.sqrt(values.size):.{digits}f})"


def interval_of_quantile(values: NDArray[np.float64], part: float) -> str:
    """By order statistics."""
    ordered = np.sort(values)
    low, high = (int(binom.ppf(tail, values.size, part)) for tail in (0.025, 0.975))
    return f"{np.quantile(values, part):.0f} ({ordered[max(low - 1, 0)]:.0f}-{ordered[min(high, values.size - 1)]:.0f})"


def interval_of_part(hits: int, count: int) -> str:
    """Clopper-Pearson."""
    low = beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    return f"{hits / count:.1%} ({low:.1%}-{high:.1%})"
