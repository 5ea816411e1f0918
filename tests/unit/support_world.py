"""A community's customers month by month, and their tickets, as clg.support_burden is told of them: seeded, any rate planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from detectors.signals.clg_support_burden import CUSTOMER, LEFT, SEEN, TICKET, SupportBurden
from detectors.signals.elite import BOARD, MONTH
from detectors.signals.monitor import Promise
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0

SIGNAL = SupportBurden(
    Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=300, min_baseline_days=28.0)
)
CUSTOMERS = 300
ELITE = 30
FIRST = T0 // MONTH * MONTH
"""the month in which T0 lies; the first census is a month later"""

Rate = Callable[[float, bool], float]
"""(day, whether of the elite) -> tickets a day and seat, as a factor of the usual; or seats"""


def community(
    rate: Rate = lambda day, elite: 1.0,
    *,
    seed: int,
    days: int = 500,
    usual: float = 0.005,
    elite_asks: float = 0.5,
    leaves: Callable[[int], float] = lambda number: float("inf"),
    seats: Rate = lambda day, elite: 10.0,
    more: Callable[[np.random.Generator], Sequence[Observation]] = lambda random: (),
) -> list[Observation]:
    """CUSTOMERS with their ``seats``, ELITE of them elite (half on the board, half by use), who ask ``elite_asks`` times as often.
    ``leaves``: the day on which the customer of that number does."""
    random = np.random.default_rng(seed)
    told = [made(SEEN, 0.0, 1.0, "first")]
    for number in range(CUSTOMERS):
        elite, gone = number < ELITE, leaves(number)
        standing = float(200 + number % 2 * BOARD if elite else 40 + number % 50)
        name = f"account-{number}"
        for month in range(1, int(days * DAY / MONTH)):
            at = (FIRST - T0 + month * MONTH) / DAY
            if at < gone:
                told.append(made(CUSTOMER, at, standing, name, exposure=seats(at, elite), asked=number % 5))
        if gone < days:
            told.append(made(LEFT, gone, standing, name, exposure=seats(gone, elite)))
        for day in range(int(min(days, gone))):
            expected = seats(day, elite) * usual * (elite_asks if elite else 1.0) * rate(day, elite)
            if random.random() < expected:
                at = day + 1 + random.random()
                told.append(made(TICKET, at, standing, name, began=day + 0.5, exposure=seats(day, elite)))
    return sorted([*told, *more(random)], key=lambda each: each.at)


def made(
    measure: str,
    day: float,
    value: float,
    account: str,
    *,
    began: float | None = None,
    exposure: float = 1.0,
    asked: int | None = None,
) -> Observation:
    segments: dict[str, Any] = {} if asked is None else {"asked": str(asked)}
    return Observation(
        signal=SIGNAL.name,
        measure=measure,
        at=T0 + day * DAY,
        began=T0 + (day if began is None else began) * DAY,
        value=value,
        account=account,
        segments=segments,
        exposure=exposure,
    )
