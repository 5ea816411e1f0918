"""data.health: a source dies or changes its shape in mid-run. A data-health alert has to come, and no drift alert."""

from __future__ import annotations

import msgspec

from streams.simulation.happenings import Happening
from streams.simulation.scenario import Scenario
from streams.simulation.scenarios.companies import COMMUNITY_LED, SALES_LED
from streams.simulation.scenarios.healthy import HEALTHY

SCENARIOS: tuple[Scenario, ...] = (
    msgspec.structs.replace(
        HEALTHY,
        name="data-crm-dies",
        about="The CRM sends nothing for thirty days: nobody seems to pay.",
        ill="crm.stage_changed",
        happenings=(
            Happening(kind="source_silent", days=30, type="crm.stage_changed", because="a token ran out"),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="data-tracker-dies",
        about="The product's tracker falls silent for good.",
        ill="product.event",
        happenings=(
            Happening(kind="source_silent", type="product.event", because="a release lost the tracker"),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="data-help-desk-dies",
        about="The help desk sends nothing for thirty days.",
        ill="support.ticket",
        happenings=(
            Happening(kind="source_silent", days=30, type="support.ticket", because="a webhook was removed"),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="data-notes-emptied",
        about="From a day on notes are not sent any more.",
        ill="crm.stage_changed",
        happenings=(
            Happening(kind="field_emptied", type="crm.stage_changed", field="note", because="privacy review"),
        ),
    ),
    msgspec.structs.replace(
        SALES_LED,
        name="data-amounts-emptied",
        about="From a day on opportunities come without amounts.",
        ill="crm.stage_changed",
        happenings=(
            Happening(
                kind="field_emptied", type="crm.stage_changed", field="amount", because="a mapping was lost"
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="data-features-emptied",
        about="From a day on the tracker does not say which feature was used.",
        ill="product.event",
        happenings=(
            Happening(
                kind="field_emptied",
                type="product.event",
                field="feature",
                because="a release of the tracker",
            ),
        ),
    ),
    msgspec.structs.replace(
        COMMUNITY_LED,
        name="data-tickets-sent-twice",
        about="From a day on each event of the help desk comes three times, under different ids.",
        ill="support.ticket",
        happenings=(
            Happening(
                kind="sent_twice", amount=3, type="support.ticket", because="two webhooks more were set up"
            ),
        ),
    ),
    msgspec.structs.replace(
        HEALTHY,
        name="data-clock-behind",
        about="From a day on the tracker's clock is nine hours behind.",
        ill="product.event",
        happenings=(
            Happening(
                kind="clock_behind", amount=9, type="product.event", because="local time was written as UTC"
            ),
        ),
    ),
)
