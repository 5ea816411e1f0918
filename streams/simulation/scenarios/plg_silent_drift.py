"""Silent drift: content draws the curious. They activate as ever and don't pay; growing sign-ups hide it."""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Plant
from streams.simulation.scenarios.healthy import HEALTHY

PLG_SILENT_DRIFT = msgspec.structs.replace(
    HEALTHY,
    name="plg-silent-drift",
    about="From a day on half as many activated accounts from content pay, and content's sign-ups grow by 60 %.",
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
