"""plg.ticket_comprehension: customers ask what the thing is for."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import COMMUNITY_LED

SIGNAL = "plg.ticket_comprehension"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="plg-basic-questions",
        about="From a day on tickets are basic questions at three times the odds, whatever the tenure.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="basic_questions",
                factor=3.0,
                because="those who sign up don't know what the product is for",
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="plg-more-newcomers",
        about="Sign-ups double, and with them the tickets of newcomers, who always ask basics.",
        resembles=SIGNAL,
        plants=(Plant(lever="signups", factor=2.0, ramp_days=14, because="more of the same sign up"),),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="plg-feature-asked-about",
        about="A feature is launched and asked about for two weeks.",
        resembles=SIGNAL,
        happenings=(Happening(kind="feature_launched", because="what is new is asked about"),),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="plg-one-account-asks-much",
        about="One account writes fifty tickets within two days.",
        resembles=SIGNAL,
        happenings=(Happening(kind="ticket_flood", amount=50, because="one account trains its people"),),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="plg-ticket-form-changed",
        about="The help desk's new form gives every ticket the category that stands first in its list.",
        resembles=SIGNAL,
        ill="support.ticket",
        happenings=(
            Happening(kind="ticket_form_changed", because="the field got a default, and nobody changes it"),
        ),
    ),
)
