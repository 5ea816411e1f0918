"""A company's customers month by month, as clg.churn_cohorts is told of them: seeded, with any hazard planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.signals.clg_churn_cohorts import CHURN_SEEN, CUSTOMER_MONTH, ChurnCohorts, era
from detectors.signals.elite import BOARD
from detectors.signals.monitor import Promise
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0

SIGNAL = ChurnCohorts(
    Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=300, min_baseline_days=28.0)
)
SOURCES = ("content", "referral")

Factor = Callable[[float, float, bool], float]
"""(day of acquisition, day, whether of the elite) -> what the hazard is multiplied by"""


def customers(
    factor: Factor,
    *,
    seed: int,
    days: int = 800,
    per_day: Callable[[float], float] = lambda _: 2.0,
    installed: int = 700,
    monthly: float = 0.02,
    renewals: float = 0.0,
    label: Callable[[float], str] = lambda began: era(began, None),
) -> list[Observation]:
    """``installed`` customers of the last 900 days at the beginning, and ``per_day`` of a day after it. ``monthly``: the share
    of customers who leave in 30 days, more in their first half-year; ``renewals``: the share of customers who leave at the
    end of a year of contract, if at all."""
    random = np.random.default_rng(seed)
    told = [Observation(signal=SIGNAL.name, measure=CHURN_SEEN, at=T0, began=T0, value=1.0, account="first")]
    acquired = [-900 * random.random() for _ in range(installed)]
    for day in range(days):
        acquired += [day + random.random() for _ in range(random.poisson(per_day(day)))]
    for number, began in enumerate(acquired):
        elite, yearly = bool(random.random() < 0.06), bool(random.random() < renewals)
        begin, left = max(began, 0.0), False
        while begin + 30 <= days and not left:
            tenure = begin - began
            usual = 2.5 if tenure < 60 else 1.5 if tenure < 180 else 0.8
            chance = monthly * usual * (0.4 if elite else 1.0)
            at_risk = 30 * random.random()
            if yearly:
                anniversary = 365 * np.ceil(max(tenure, 1e-9) / 365)
                at_risk = anniversary - tenure
                chance = 0.2 if at_risk < 30 else 0.0
            left = bool(random.random() < chance * factor(began, begin, elite))
            told.append(
                Observation(
                    signal=SIGNAL.name,
                    measure=CUSTOMER_MONTH,
                    at=T0 + (begin + 30) * DAY,
                    began=T0 + began * DAY,
                    value=float(left),
                    account=f"account-{number}",
                    segments={
                        "source": SOURCES[number % 2],
                        "era": label(T0 + began * DAY),
                        "standing": str(100 + BOARD if elite else 50),
                    },
                    exposure=float(at_risk) if left else 30.0,
                )
            )
            begin += 30
    return sorted(told, key=lambda each: each.at)
