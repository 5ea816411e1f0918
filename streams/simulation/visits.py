"""What an account's people read on the web site: before the sign-up, beside their use, and when they think of buying."""

from __future__ import annotations

import numpy as np

from streams.simulation.calendar import DAY_S, NEVER
from streams.simulation.usage import Use
from streams.simulation.wire import END, Lines, visit_data, visit_frame
from streams.simulation.world import Life, World

BEFORE = (
    "/", "/product", "/pricing", "/blog/what-is-a-metrics-layer", "/blog/dashboards-nobody-reads",
    "/blog/warehouse-costs", "/compare/spreadsheets", "/compare/building-it-yourself", "/customers",
)  # fmt: skip
BESIDE = (
    "/docs/getting-started", "/docs/reports", "/docs/dashboards", "/docs/alerts", "/docs/api", "/docs/exports",
    "/docs/connectors/snowflake", "/docs/connectors/bigquery", "/docs/permissions", "/docs/embeds",
    "/blog/release-notes", "/status",
)  # fmt: skip
BUYING = (
    "/pricing",
    "/pricing",
    "/pricing",
    "/pricing/enterprise",
    "/security",
    "/compare/building-it-yourself",
)
BESIDE_SHARE = 0.24
"""visits for each product event"""


def visit_site(life: Life, use: Use, world: World, lines: Lines, *, anonymous: bool) -> None:
    """Adds the account's visits. ``anonymous``: those before the sign-up are under visitor:<id>."""
    account, company, calendar = life.account, life.company, world.calendar
    source = world.scenario.sources[account.source]
    draw = world.seeds.account(account.number, "visits")
    visitor = f"v-{account.number:06d}-0"
    number = 0
    known = visit_frame(account.id)
    unknown = visit_frame(f"visitor:{visitor}")
    u = draw.random(8).tolist()

    def visit(second: int, path: str, user: int | None, first: bool = False) -> None:
        nonlocal number
        number += 1
        if not calendar.start <= second < calendar.end:
            return
        before, after = unknown if anonymous and second < account.signed_up else known
        data = visit_data(
            visitor if not user else f"v-{account.number:06d}-{user}",
            path,
            None if user is None else f"user-{account.number:06d}-{user}",
            source.referrer if first else None,
            source.campaign if first else None,
        )
        lines.add(second, f"{data}{before}{number}{after}{calendar.written(second)}{END}")

    # Before: it ends with the sign-up itself.
    if not account.installed:
        waits = np.sort(draw.exponential(4.0 * DAY_S, 1 + int(u[0] * 4)))[::-1]
        for index, wait in enumerate(waits.tolist()):
            path = BEFORE[int(draw.random() * len(BEFORE))]
            visit(account.lead_at - 60 - int(wait), path, None, first=index == 0)

    # Thinking of buying: those who pay, and some others, look at prices within some days.
    moments: list[int] = []
    if account.paid < NEVER and not account.installed and u[1] < 0.8:
        moments.append(account.paid - int(u[2] * 4 * DAY_S))
    elif account.activated < NEVER and company.interest > (0.95, 0.85, 0.6)[account.fit]:
        moments.append(account.activated + int(u[2] * 20 * DAY_S))
    if account.paid < calendar.end and u[3] < 0.3:
        moments.append(account.paid + int(u[4] * 300 * DAY_S))
    for moment in moments:
        for each in draw.random(2 + int(draw.random() * 5)).tolist():
            second = moment - int(each * 6 * DAY_S)
            path = BUYING[int(draw.random() * len(BUYING))]
            if account.lead_at <= second < account.churned:
                visit(second, path, 0 if second >= account.signed_up else None)

    # Beside the use.
    n = int(draw.poisson(BESIDE_SHARE * len(use.times)))
    if n:
        at = use.times[draw.integers(0, len(use.times), n)] + draw.integers(20, 900, n)
        paths = draw.integers(0, len(BESIDE), n).tolist()
        for second, path in zip(at.astype(np.int64).tolist(), paths, strict=True):
            visit(second, BESIDE[path], 0)
