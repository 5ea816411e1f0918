"""clg.support_burden: the advisory board hardly needs support, everyone else does."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import COMMUNITY_LED

SIGNAL = "clg.support_burden"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-elite-needs-no-support",
        about="From a day on the elite writes 0.6 times as many tickets and the others 1.8 times as many.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="support_need", factor=0.6, segment={"circle": "elite"}, because="it is built for them"
            ),
            Plant(
                lever="support_need",
                factor=1.8,
                segment={"circle": "others"},
                because="it is not built for them",
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-elite-leaves",
        about="From a day on the elite leaves at ten times the rate: fewer tickets from it, of fewer seats.",
        resembles=SIGNAL,
        plants=(
            Plant(
                lever="leaving",
                factor=10.0,
                segment={"circle": "elite"},
                because="a rival was founded by one of them",
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-one-account-floods",
        about="One ordinary account writes 150 tickets within two days.",
        resembles=SIGNAL,
        happenings=(Happening(kind="ticket_flood", amount=150, because="a migration went wrong there"),),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="clg-outage",
        about="An outage: half of those who use the product that day write a ticket.",
        resembles=SIGNAL,
        happenings=(Happening(kind="outage", because="it hits all alike"),),
    ),
)
