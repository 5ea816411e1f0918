"""plg.conversion_gap: content draws the curious. They activate as ever and don't pay; growing sign-ups hide it."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.healthy import HEALTHY

SIGNAL = "plg.conversion_gap"

PLG_SILENT_DRIFT: Scenario = msgspec.structs.replace(
    HEALTHY,
    name="plg-silent-drift",
    about="From a day on half as many activated accounts from content pay, and content's sign-ups grow by 60 %.",
    drifts=(SIGNAL,),
    plants=(
        Plant(
            lever="paid_given_activated",
            factor=0.5,
            segment={"source": "content"},
            because="the content draws the curious, who match the profile but not the need",
        ),
        Plant(
            lever="signups",
            factor=1.6,
            segment={"source": "content"},
            ramp_days=21,
            because="the content is read more, which hides the fall",
        ),
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    PLG_SILENT_DRIFT,
    msgspec.structs.replace(
        HEALTHY,
        name="plg-growing-signups",
        about="Sign-ups double within three weeks; the newcomers behave as the others did.",
        resembles=SIGNAL,
        plants=(
            Plant(
                lever="signups",
                factor=2.0,
                ramp_days=21,
                because="a launch on a large site brings more of the same",
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-slower-not-fewer",
        about="From a day on activated accounts take twice as long to pay, and as many pay.",
        resembles=SIGNAL,
        plants=(Plant(lever="conversion_lag", factor=2.0, because="the trial was made longer"),),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-whole-funnel",
        about="From a day on fewer sign-ups activate, and fewer of those pay, both by 40 %.",
        resembles=SIGNAL,
        plants=(
            Plant(lever="activated", factor=0.6, because="the product got slow: the whole funnel falls"),
            Plant(
                lever="paid_given_activated",
                factor=0.6,
                because="the product got slow: the whole funnel falls",
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-price-announced",
        about="From a day on a third fewer of the activated accounts pay; the company has announced new prices for that day.",
        resembles=SIGNAL,
        plants=(
            Plant(
                lever="paid_given_activated",
                factor=2 / 3,
                because="new list prices: fewer pay, and that was expected",
            ),
        ),
        happenings=(
            Happening(
                kind="prices_announced",
                because="who raises prices knows that fewer will pay, and says so beforehand",
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-crm-recorded-late",
        about="The CRM is connected when a third of the history is over: what was won before is not recorded.",
        resembles=SIGNAL,
        happenings=(
            Happening(
                kind="source_silent",
                start=0.0,
                days=130,
                type="crm.stage_changed",
                because="the left edge of a history: the recording began later than the product's",
            ),
        ),
    ),
)
