"""slg.aged_win_rate: an old deal is won nearly as often as a young one, since near-fits are kept alive. Deliberate widening.

What counts (what the account half tells: opportunities.py):
1. Competing hazards by age: each week an open deal may be lost, and one that was not won may be won. Deals are exposure in the
   drift half from ``opened`` on, for five medians and two years at most.
2. Aged is what is older than the median cycle of its amount band in the baseline; ages beyond are counted in such medians.
3. Drift is both: aged deals are won more often *and* lost less often than at the same age in the baseline. Lost less often
   alone is the notice ``kept alive``; won more often alone is good news, and none of this signal's.
4. Stages play no part: a new stage model changes nothing. What is closed in bulk is taken out of the risk on that day.
5. A late closing (up to 30 days) counts in the week in which it comes, at the age that the deal has by then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from detectors.signals.contract import Quantity, Reading
from detectors.signals.opportunities import LOST, OPENED, SEEN, WON, OpportunitySignal
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.slg_aged_win_rate_monitor import AgedMonitor
from detectors.signals.slg_aged_win_rate_state import AgedState
from detectors.signals.slg_aged_win_rate_words import drifting, kept_alive, resolved, unsteady
from schemas.duration import DAY
from schemas.observations import Observation


class AgedWinRate(OpportunitySignal):
    """See the module."""

    name = "slg.aged_win_rate"
    title = "what becomes of opportunities past the median cycle"
    reading = Reading(frozenset({WON}), "days until an opportunity was won", "days")
    unit: ClassVar[Quantity] = "ratio"
    monitor_state: ClassVar[type[Struct]] = AgedState
    state_version: ClassVar[int] = 3

    def monitor(self, stored: Any) -> AgedMonitor:
        return AgedMonitor(self.promise, stored)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, opened = 6, 6 * 420
        told = [self._told(SEEN, 0.0, 0.0, 0)]
        for i in range(opened):
            created, band = i * DAY / per_day, f"band {i % 2}"
            # Two walks through (0, 1) by irrational steps: evenly spread, and without a pattern between them.
            place, chance = (i * 0.6180339887498949 + 0.05) % 1, i * 0.4142135623730951 % 1
            won = chance < 0.35
            days = (0.8 if won else 1.4) * (12 if i % 2 else 30) * math.exp(1.6 * (place - 0.5))
            told.append(self._told(OPENED, created, created, i, band=band))
            outcome = WON if won else LOST
            told.append(self._told(outcome, created + days * DAY, created, i, value=days, band=band))
        return sorted((each for each in told if each.at < opened * DAY / per_day), key=lambda each: each.at)

    def words_drifting(self, case: Case) -> Words:
        return drifting(case)

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        return resolved(case, retaken=retaken)

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "kept alive":
            return kept_alive(case)
        if finding == "unsteady baseline":
            return unsteady(case)
        return super().words_noticed(finding, case)
