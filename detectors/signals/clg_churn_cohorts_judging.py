"""What one customer month of a watched segment counts: its event against the hazards of the tenures that it spans.

A tenure without a hazard counts nothing; what customers who were acquired early tell of it is learned.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.signals.clg_churn_cohorts_baseline import meet
from detectors.signals.clg_churn_cohorts_state import ChurnWatch, add, pieces, tenure_of


class Judged(Struct, frozen=True):
    """Of whom, and what of it counts. ``expected`` events by tenure."""

    elite: bool
    late: bool
    observed: float
    expected: list[tuple[int, float]]

    @property
    def whole(self) -> float:
        return sum(expected for _, expected in self.expected)


def judge(watch: ChurnWatch, begin: float, end: float, observed: float, *, elite: bool, late: bool) -> Judged:
    """``begin`` and ``end``: days as a customer; ``observed`` 1 where the customer left at the end, else 0."""
    hazards, learns = watch.baseline.hazards, not elite
    factor = watch.baseline.elite if elite else 1.0
    expected, left_in = [], tenure_of(end)
    for tenure, days in pieces(begin, end):
        hazard = hazards[tenure]
        if hazard is not None:
            expected.append((tenure, days * hazard * factor))
        elif learns:
            add(watch.unseen, tenure, days, 0.0)
    if observed and hazards[left_in] is None:
        observed = 0.0
        if learns:
            add(watch.unseen, left_in, 0.0, 1.0)
    if learns and watch.unseen:
        meet(watch.baseline, watch.unseen)
    return Judged(elite, late, observed, expected)
