"""slg.cycle_spread: the average cycle holds, its spread grows."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.scenarios.companies import SALES_LED

SIGNAL = "slg.cycle_spread"

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        SALES_LED,
        name="slg-wider-cycles",
        about="Cycle lengths of opportunities created from a day on spread 1.7 times as far around the same median.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="cycle_spread",
                factor=1.7,
                start=0.5,
                because="some buyers know what they want and others don't",
            ),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-two-speed-cycles",
        about="From a day on two opportunities in five take five times as long as the others; the mean of the log holds.",
        drifts=(SIGNAL,),
        plants=(
            Plant(
                lever="cycle_clusters",
                factor=5.0,
                start=0.5,
                because="near-fits go through every committee there is",
            ),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-larger-deals",
        about="From a day on new accounts are 2.5 times as large: larger deals, and with them longer cycles.",
        resembles=SIGNAL,
        plants=(
            Plant(
                lever="company_size",
                factor=2.5,
                start=0.5,
                because="sales goes upmarket: the bands' mix shifts",
            ),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-zombies-closed",
        about="On one day all deals that are open for too long are closed as lost.",
        resembles=SIGNAL,
        happenings=(Happening(kind="zombies_closed", because="operations cleans the CRM up"),),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="slg-quarter-end",
        about="Deals of the next three weeks are won in the last days of a quarter.",
        resembles=SIGNAL,
        happenings=(Happening(kind="quarter_end", because="a discount until the end of the quarter"),),
    ),
)
