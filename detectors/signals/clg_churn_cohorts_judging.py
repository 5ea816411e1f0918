"""What one customer month of a watched segment counts: its event against the hazards of the tenures that it spans.

A tenure without a hazard counts nothing, until enough was learned of it: from customers who were acquired early, as long as
one of them can still be in it. Where all of them are past it, as they soon are past the first months, and the ICP file has no
date of the community, from the first who come to it later.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.signals.clg_churn_cohorts_baseline import meet
from detectors.signals.clg_churn_cohorts_state import TENURE_EDGES, ChurnWatch, add, pieces, tenure_of


class Judged(Struct, frozen=True):
    """Of whom, and what of it counts. ``expected`` events by tenure."""

    elite: bool
    late: bool
    observed: float
    expected: list[tuple[int, float]]

    @property
    def whole(self) -> float:
        return sum(expected for _, expected in self.expected)


def judge(
    watch: ChurnWatch,
    begin: float,
    end: float,
    observed: float,
    *,
    elite: bool,
    late: bool,
    passed: float,
) -> Judged:
    """``begin`` and ``end``: days as a customer; ``observed`` 1 where the customer left at the end, else 0. ``passed``: so many
    days as a customer all who were acquired early have passed, and told so."""
    hazards = watch.baseline.hazards
    factor = watch.baseline.elite if elite else 1.0
    expected, left_in = [], tenure_of(end)

    def learns(tenure: int) -> bool:
        return not elite and (not late or any(edge <= passed for edge in TENURE_EDGES[tenure : tenure + 1]))

    for tenure, days in pieces(begin, end):
        hazard = hazards[tenure]
        if hazard is not None:
            expected.append((tenure, days * hazard * factor))
        elif learns(tenure):
            add(watch.unseen, tenure, days, 0.0)
    if observed and hazards[left_in] is None:
        observed = 0.0
        if learns(left_in):
            add(watch.unseen, left_in, 0.0, 1.0)
    meet(watch.baseline, watch.unseen)
    return Judged(elite, late, observed, expected)
