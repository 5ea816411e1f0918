"""Several drifts planted together, as one cause brings them."""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import SALES_LED
from streams.simulation.scenarios.healthy import HEALTHY

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        SALES_LED,
        name="slg-wide-pipeline",
        about="Deliberate widening: from a day on poor fits are sold to, notes hedge, and cycles spread.",
        drifts=("slg.off_profile_pipeline", "slg.hedged_language", "slg.cycle_spread"),
        plants=(
            Plant(
                lever="poor_fits",
                factor=8.0,
                start=0.5,
                because="the definition of a customer is negotiated away",
            ),
            Plant(lever="hedged_notes", factor=3.0, start=0.5, because="who sells to near-fits says so"),
            Plant(lever="cycle_spread", factor=1.7, start=0.5, because="near-fits take as long as they like"),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-the-curious",
        about="Silent drift all over: from a day on fewer of the activated pay, tickets ask basics, use is shallow.",
        drifts=("plg.conversion_gap", "plg.ticket_comprehension", "plg.adoption_breadth"),
        plants=(
            Plant(lever="paid_given_activated", factor=0.5, because="the curious come, of all sources"),
            Plant(lever="basic_questions", factor=3.0, because="they don't know what it is for"),
            Plant(lever="feature_breadth", factor=4.0, because="they look at all of it"),
        ),
    ),
)
