"""clg.churn_cohorts: those who bought after the community took over leave; the elite stays."""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import COMMUNITY_LED

SIGNAL = "clg.churn_cohorts"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-late-cohorts-leave",
        about="Whoever buys from a day on and is not of the elite leaves at three times the rate.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="churn",
                factor=3.0,
                segment={"circle": "others"},
                start=0.5,
                because="they bought what the community praised and cannot use it",
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-all-leave",
        about="From a day on every customer leaves at three times the rate, the elite too.",
        resembles=SIGNAL,
        plants=(Plant(lever="leaving", factor=3.0, because="a rival gives it away: churn rises everywhere"),),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-one-bad-month",
        about="Customers of one month leave at four times the rate; those before and after do not.",
        resembles=SIGNAL,
        plants=(
            Plant(
                lever="churn", factor=4.0, start=0.5, end=0.54, because="onboarding was broken for a month"
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-annual-renewals",
        about="Nine customers in ten leave at a renewal, if at all: churn comes in lumps a year after the purchase.",
        resembles=SIGNAL,
        annual_contracts=0.9,
    ),
)
