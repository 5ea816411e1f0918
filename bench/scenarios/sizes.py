"""How large a company each scenario is given: enough for the signal's baseline, and a run that takes less than a minute.

``support`` and ``activity`` are turned down where neither tickets nor use are judged, since they are most of the events.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from streams.simulation.scenario import Scenario


class Size(Struct, frozen=True, kw_only=True):
    """``support`` multiplies the scenario's own tickets a day."""

    accounts: int
    days: int
    activity: float = 0.01
    support: float = 0.05


_BY_SIGNAL = {
    "plg.conversion_gap": Size(accounts=8000, days=400),
    "plg.ticket_comprehension": Size(accounts=1800, days=400, support=1.0),
    "plg.adoption_breadth": Size(accounts=3500, days=500, activity=0.12, support=0.02),
    "slg.cycle_spread": Size(accounts=4000, days=800),
    "slg.hedged_language": Size(accounts=3500, days=500),
    "slg.aged_win_rate": Size(accounts=4000, days=800),
    "slg.off_profile_pipeline": Size(accounts=3500, days=500),
    "clg.roadmap_onboarding": Size(accounts=6000, days=600),
    "clg.support_burden": Size(accounts=2500, days=600, activity=0.02, support=1.0),
    "clg.churn_cohorts": Size(accounts=4000, days=900, activity=0.003, support=0.02),
}
_BY_NAME = {
    "healthy": Size(accounts=2500, days=400, activity=0.05, support=0.5),
    "healthy-sales-led": Size(accounts=3500, days=500),
    "healthy-community-led": Size(accounts=2000, days=500, activity=0.03, support=0.6),
    "plg-silent-drift": Size(accounts=22_400, days=700),
    "plg-slower-not-fewer": Size(accounts=16000, days=500),
    "plg-price-announced": Size(accounts=16000, days=500),
    "slg-wide-pipeline": Size(accounts=6000, days=900),
    "plg-the-curious": Size(accounts=9000, days=700, activity=0.06, support=0.2),
    "slg-one-rep-hedges": Size(accounts=4000, days=500),
    "clg-late-cohorts-leave": Size(accounts=6000, days=1100, activity=0.003, support=0.02),
    "data-help-desk-dies": Size(accounts=2000, days=400, support=1.0),
    "data-tickets-sent-twice": Size(accounts=2000, days=400, support=1.0),
    "data-notes-emptied": Size(accounts=3500, days=400),
    "data-amounts-emptied": Size(accounts=3500, days=400),
    "data-crm-dies": Size(accounts=6000, days=400),
}
_USUAL = Size(accounts=2500, days=400, activity=0.05, support=0.3)


def size_of(scenario: Scenario) -> Size:
    judged = (*scenario.drifts, scenario.resembles, "")[0]
    return _BY_NAME.get(scenario.name) or _BY_SIGNAL.get(judged) or _USUAL


def company_of(scenario: Scenario) -> Scenario:
    """The scenario as the benchmark runs it."""
    return msgspec.structs.replace(scenario, support=scenario.support * size_of(scenario).support)
