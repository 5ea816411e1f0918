"""plg.adoption_breadth: many features touched, none used deeply."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.healthy import HEALTHY

SIGNAL = "plg.adoption_breadth"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        HEALTHY,
        name="plg-shallow-adoption",
        about="Accounts that sign up from a day on touch everything and use nothing deeply.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="feature_breadth",
                factor=4.0,
                because="the curious look at all of it and have no job for it",
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-feature-launched",
        about="A feature is launched and used beside each account's favourites: breadth rises, depth holds.",
        resembles=SIGNAL,
        happenings=(Happening(kind="feature_launched", because="there is one feature more"),),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-busier-accounts",
        about="Sign-ups double, and the newcomers of the first days are busy: more events, the same habits.",
        resembles=SIGNAL,
        plants=(Plant(lever="signups", factor=2.0, because="more of the same sign up"),),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="plg-tracker-renames-features",
        about="The tracker tells the parts of each feature apart, under new names.",
        resembles=SIGNAL,
        ill="product.event",
        happenings=(
            Happening(
                kind="features_renamed", because="the tracking plan was made finer; nobody behaves otherwise"
            ),
        ),
    ),
)
