"""slg.aged_win_rate: an old deal is nearly as likely to be won as a young one, since near-fits are kept alive."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import SALES_LED

SIGNAL = "slg.aged_win_rate"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        SALES_LED,
        name="slg-aged-deals-win",
        about="From a day on deals are lost after twice the time, and fifteen times as many of the aged are won after all.",
        drifts=(SIGNAL,),
        plants=(
            Plant(lever="lingering", factor=2.0, start=0.5, because="sellers keep near-fits alive"),
            Plant(
                lever="late_wins", factor=15.0, start=0.5, because="what is kept alive is bent until it fits"
            ),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-kept-alive",
        about="From a day on deals are lost after twice the time, and no more of them are won.",
        resembles=SIGNAL,
        plants=(
            Plant(lever="lingering", factor=2.0, start=0.5, because="nobody likes to close a deal as lost"),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-stages-renamed",
        about="The CRM has another stage model; deals go on as before.",
        resembles=SIGNAL,
        happenings=(Happening(kind="stages_renamed", because="a consultant was there"),),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-zombies-closed-aged",
        about="On one day all deals that are open for too long are closed as lost.",
        resembles=SIGNAL,
        happenings=(Happening(kind="zombies_closed", because="operations cleans the CRM up"),),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-big-quarter-end",
        about="Deals of the next three weeks are won in the last days of a quarter.",
        resembles=SIGNAL,
        happenings=(Happening(kind="quarter_end", because="a discount until the end of the quarter"),),
    ),
)
