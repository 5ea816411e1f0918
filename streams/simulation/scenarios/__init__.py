"""Every scenario by name: one file here for each signal, with what it has to find and what looks like it.

A new scenario is one entry in its signal's file; a new file is one line in _FILES.
"""

from __future__ import annotations

from streams.simulation.scenario import Scenario
from streams.simulation.scenarios import (
    clg_churn_cohorts,
    clg_roadmap_onboarding,
    clg_support_burden,
    companies,
    data_health,
    plg_adoption_breadth,
    plg_conversion_gap,
    plg_ticket_comprehension,
    several,
    slg_aged_win_rate,
    slg_cycle_spread,
    slg_hedged_language,
    slg_off_profile_pipeline,
)
from streams.simulation.scenarios.healthy import HEALTHY

_FILES = (
    plg_conversion_gap.SCENARIOS,
    plg_ticket_comprehension.SCENARIOS,
    plg_adoption_breadth.SCENARIOS,
    slg_cycle_spread.SCENARIOS,
    slg_hedged_language.SCENARIOS,
    slg_aged_win_rate.SCENARIOS,
    slg_off_profile_pipeline.SCENARIOS,
    clg_roadmap_onboarding.SCENARIOS,
    clg_support_burden.SCENARIOS,
    clg_churn_cohorts.SCENARIOS,
    several.SCENARIOS,
    data_health.SCENARIOS,
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (HEALTHY, *companies.COMPANIES, *(each for file in _FILES for each in file))
}
