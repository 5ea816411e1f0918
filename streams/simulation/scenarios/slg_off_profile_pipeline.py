"""slg.off_profile_pipeline: reps sell outside the profile. That the ICP file changes is up to who replays ``healthy``."""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import SALES_LED

SIGNAL = "slg.off_profile_pipeline"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        SALES_LED,
        name="slg-off-profile",
        about="From a day on an account that sales finds is a poor fit at eight times the odds.",
        drifts=(SIGNAL,),
        plants=(Plant(lever="poor_fits", factor=8.0, because="the good ones are sold; quotas are not"),),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-icp-file-changed",
        about="Nothing changes but the ICP file, where it is replayed with a stricter version from the change on.",
        resembles=SIGNAL,
    ),
)
