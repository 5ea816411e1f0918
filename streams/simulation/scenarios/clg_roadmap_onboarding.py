"""clg.roadmap_onboarding: releases grow more complex and newcomers take longer."""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import COMMUNITY_LED

SIGNAL = "clg.roadmap_onboarding"
_COMPLEX = Plant(
    lever="release_complexity",
    factor=1.9,
    start=0.5,
    ramp_days=90,
    because="the loudest customers ask for expert tools",
)
_SLOWER = Plant(
    lever="onboarding_time",
    factor=2.5,
    start=0.5,
    ramp_days=90,
    because="newcomers meet what experts asked for",
)

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-expert-roadmap",
        about="Releases grow 1.9 times as complex within three months, and newcomers take 2.5 times as long.",
        drifts=(SIGNAL,),
        plants=(_COMPLEX, _SLOWER),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-complexity-alone",
        about="Releases grow more complex; newcomers get on as before.",
        resembles=SIGNAL,
        plants=(_COMPLEX,),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-onboarding-alone",
        about="Newcomers take longer; releases are what they were.",
        resembles=SIGNAL,
        plants=(_SLOWER,),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-larger-newcomers",
        about="Releases grow more complex, and new accounts are four times as large, which take longer by their size.",
        resembles=SIGNAL,
        plants=(
            _COMPLEX,
            Plant(
                lever="company_size",
                factor=4.0,
                start=0.5,
                ramp_days=90,
                because="the enterprise share grows",
            ),
        ),
    ),
)
