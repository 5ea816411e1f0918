"""For each signal of the catalogue, a history in which one drift begins and ends: what test_drift_courses.py checks on all.

The worlds make them; what is planted here is plain and strong, since how small and how soon a drift is found is each
signal's own test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.signals.contract import ALL
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_ticket_comprehension import TicketComprehension
from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_cycle_spread import CycleSpread
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit import (
    adoption_world,
    churn_world,
    conversion_gap_world,
    notes_world,
    off_profile_world,
    onboarding_world,
    pipeline_world,
    support_world,
    ticket_world,
)
from tests.unit.account_world import icp
from tests.unit.sales_world import observe


@dataclass(frozen=True)
class Course:
    """``segment``: where the drift is looked at."""

    signal: Any
    observations: Sequence[Observation]
    segment: str = ALL


def adoption_breadth() -> Course:
    def shallow(day: float, stratum: str) -> Sequence[float]:
        if 150 <= day < 260:
            return adoption_world.habits(4.0)
        return adoption_world.steady(day, stratum)

    return Course(adoption_world.SIGNAL, adoption_world.company(shallow, days=420))


def aged_win_rate() -> Course:
    signal = AgedWinRate.configured(DriftSettings(), 120)
    rescued = pipeline_world.lingering(slow=2.0, late_wins=0.45, until=pipeline_world.CHANGE + 200)
    days = pipeline_world.CHANGE + 420
    return Course(signal, pipeline_world.pipeline(signal.name, days=days, seed=1, length=rescued))


def churn_cohorts() -> Course:
    def leaving(acquired: float, day: float, elite: bool) -> float:
        return 4.0 if acquired > 300 and day < 550 and not elite else 1.0

    return Course(churn_world.SIGNAL, churn_world.customers(leaving, seed=4, days=900))


def conversion_gap() -> Course:
    signal = ConversionGap()
    accounts = conversion_gap_world.company(
        days=450,
        per_day=lambda source, day: 25.0,
        sources=("content", "direct"),
        activates=lambda source, day: 0.5,
        converts=lambda source, day: 0.08 if source == "content" and 200 <= day < 300 else 0.2,
        seed=4,
    )
    return Course(signal, conversion_gap_world.observe(signal, accounts), "source:content")


def cycle_spread() -> Course:
    def two_speeds(day: float, random: np.random.Generator) -> tuple[float, bool]:
        return pipeline_world.two_speeds(day if day < pipeline_world.CHANGE + 150 else 0.0, random)

    signal = CycleSpread.configured(DriftSettings(), 120)
    days = pipeline_world.CHANGE + 320
    return Course(signal, pipeline_world.pipeline(signal.name, days=days, seed=1, length=two_speeds))


def hedged_language() -> Course:
    notes = notes_world.writing(
        lambda rep, day: 0.45 if 150 <= day < 230 else 0.1, template=lambda day: 100 < day < 130, days=330
    )
    return Course(notes_world.SIGNAL, notes)


def off_profile_pipeline() -> Course:
    signal = off_profile_world.SIGNAL
    accounts = off_profile_world.selling(lambda rep, day: 0.45 if 150 <= day < 230 else 0.1, days=330)
    files = (icp(), icp(off_profile_world.STRICT, version="2", effective_from="2026-06-01T00:00:00Z"))
    return Course(signal, observe(signal, accounts, *files))


def roadmap_onboarding() -> Course:
    def changed(usual: float, then: float) -> Callable[[float], float]:
        return lambda day: then if 250 <= day < 400 else usual

    told = onboarding_world.firm(complexity=changed(3.0, 7.0), slower=changed(1.0, 2.5), days=700)
    return Course(onboarding_world.SIGNAL, told)


def support_burden() -> Course:
    def asks_less(day: float, elite: bool) -> float:
        return 0.4 if elite and 260 <= day < 420 else 1.0

    return Course(support_world.SIGNAL, support_world.community(asks_less, seed=1, days=700))


def ticket_comprehension() -> Course:
    signal = TicketComprehension.configured(DriftSettings(max_segments=5, min_baseline=400), 24)
    told = ticket_world.desk(
        signal=signal, days=330, odds=lambda day, source: 4.0 if 150 <= day < 230 else 1.0
    )
    return Course(signal, told)


COURSES: Mapping[str, Callable[[], Course]] = {
    "plg.adoption_breadth": adoption_breadth,
    "slg.aged_win_rate": aged_win_rate,
    "clg.churn_cohorts": churn_cohorts,
    "plg.conversion_gap": conversion_gap,
    "slg.cycle_spread": cycle_spread,
    "slg.hedged_language": hedged_language,
    "slg.off_profile_pipeline": off_profile_pipeline,
    "clg.roadmap_onboarding": roadmap_onboarding,
    "clg.support_burden": support_burden,
    "plg.ticket_comprehension": ticket_comprehension,
}
