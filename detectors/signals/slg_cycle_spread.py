"""slg.cycle_spread: the average cycle holds, its spread grows. Deliberate widening, as the calendar shows it.

What counts (what the account half tells: opportunities.py):
1. The days from creation to closing, won or lost, by the logarithm and compared within the amount band.
2. By cohorts of creation, never by those of closing: what closes this month is fast because it is young. A deal is judged
   once it is older than the last decile of its band in the baseline, when that decile can't change any more; if it is open
   then, it is beyond. No horizon is asked for: fast bands mature in weeks, slow ones in months, each as its own past says.
3. Found are shapes: ``wider``, ``two clusters``, ``longer tail`` (the finding of a verdict). That all deals become slower
   alike is no drift of this signal.
4. A late closing (up to 30 days) that comes after its deal was judged changes the evidence only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from detectors.signals.contract import Reading
from detectors.signals.opportunities import LOST, OPENED, SEEN, WON, OpportunitySignal
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.slg_cycle_spread_monitor import SpreadMonitor
from detectors.signals.slg_cycle_spread_state import SpreadState
from detectors.signals.slg_cycle_spread_words import drifting, resolved, unsteady
from schemas.duration import DAY
from schemas.observations import Observation


class CycleSpread(OpportunitySignal):
    """See the module."""

    name = "slg.cycle_spread"
    title = "how differently long opportunities take"
    reading = Reading(frozenset({WON, LOST}), "days until an opportunity was closed", "days")
    monitor_state: ClassVar[type[Struct]] = SpreadState
    state_version: ClassVar[int] = 4

    def monitor(self, stored: Any) -> SpreadMonitor:
        return SpreadMonitor(self.promise, stored)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, opened = 6, 6 * 420
        told = [self._told(SEEN, 0.0, 0.0, 0)]
        for i in range(opened):
            created, band = i * DAY / per_day, f"band {i % 2}"
            # A golden-ratio walk through (0, 1): evenly spread, without a pattern that deciles could see.
            place = (i * 0.6180339887498949 + 0.05) % 1
            days = (10 if i % 2 else 25) * math.exp(1.1 * (place - 0.5) * 2)
            told.append(self._told(OPENED, created, created, i, band=band))
            outcome = WON if i % 3 == 0 else LOST
            told.append(self._told(outcome, created + days * DAY, created, i, value=days, band=band))
        return sorted((each for each in told if each.at < opened * DAY / per_day), key=lambda each: each.at)

    def words_drifting(self, case: Case) -> Words:
        return drifting(case)

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        return resolved(case, retaken=retaken)

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "unsteady baseline":
            return unsteady(case)
        return super().words_noticed(finding, case)
