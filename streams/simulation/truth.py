"""What was planted, and what became of the accounts: the file beside the events that a detector is judged by.

Rates are of accounts, not of events, and by source: ``before`` and ``after`` split the accounts at the plants' start by
the moment that the lever names. ``mature`` counts leave out what the history's end cuts off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct

from streams.simulation.account import Population
from streams.simulation.calendar import DAY_S, NEVER, Calendar, Floats, Ints
from streams.simulation.happenings import HAPPENINGS, Happenings
from streams.simulation.levers import Levers
from streams.simulation.scenario import FITS, LEVERS, Lever, Scenario
from streams.simulation.wire import utc

MATURE_DAYS = 60
"""an activated account counts as mature after so many days"""


class Cohort(Struct, kw_only=True):
    """Self-serve accounts of one source whose cohort's date falls into one stretch.

    ``paid`` is how many of the activated ones ever pay, in the history or later; ``paid_mature`` how many of the
    ``activated_mature`` ones, activated at least MATURE_DAYS before the end, paid within MATURE_DAYS. The planned rates
    are means over the days of the stretch.
    """

    signed_up: int
    activated: int
    paid: int
    activated_mature: int
    paid_mature: int
    planned_activated: float
    planned_paid_given_activated: float


class PlantedChange(Struct, kw_only=True):
    lever: str
    acts_on: str
    segment: dict[str, str]
    factor: float
    starts: str
    ramp_days: float
    ends: str | None
    because: str


class WhatHappened(Struct, kw_only=True):
    kind: str
    does: str
    type: str
    field: str
    amount: float
    starts: str
    ends: str | None
    because: str


class Expected(Struct, kw_only=True):
    """What a detector must make of the history: drift signals that have to find what is planted, the one that must stay
    silent although it looks like its drift, and the event type whose data fall ill."""

    drifts: list[str]
    resembles: str
    ill: str


class Truth(Struct, kw_only=True):
    scenario: str
    about: str
    seed: int
    parameters: dict[str, Any]
    begins: str
    ends: str
    accounts: dict[str, int]
    plants: list[PlantedChange]
    happenings: list[WhatHappened]
    expected: Expected
    sources: dict[str, dict[str, Cohort]]
    """source -> before and after (the earliest plant's start; without plants all is before)"""
    spellings: dict[str, list[str]]
    events: int
    """well-formed lines, repeats included"""
    events_by_type: dict[str, int]
    late: int
    too_late: int
    repeated: int
    malformed: dict[str, int]
    lines: int


def changes(scenario: Scenario, levers: Levers) -> list[PlantedChange]:
    """The plants with their dates."""
    found = []
    for plant in scenario.plants:
        end = levers.ends(plant)
        found.append(
            PlantedChange(
                lever=plant.lever,
                acts_on=LEVERS[plant.lever],
                segment={str(dimension): value for dimension, value in plant.segment.items()},
                factor=plant.factor,
                starts=utc_text(levers.starts(plant)),
                ramp_days=plant.ramp_days,
                ends=None if end is None else utc_text(end),
                because=plant.because,
            )
        )
    return found


def happened(scenario: Scenario, happenings: Happenings) -> list[WhatHappened]:
    """The happenings with their dates."""
    found = []
    for happening in scenario.happenings:
        end = happenings.ends(happening)
        found.append(
            WhatHappened(
                kind=happening.kind,
                does=HAPPENINGS[happening.kind],
                type=happening.type,
                field=happening.field,
                amount=happening.amount,
                starts=utc_text(happenings.starts(happening)),
                ends=None if end is None else utc_text(end),
                because=happening.because,
            )
        )
    return found


def expected(scenario: Scenario) -> Expected:
    return Expected(drifts=list(scenario.drifts), resembles=scenario.resembles, ill=scenario.ill)


def cohorts(
    scenario: Scenario, calendar: Calendar, levers: Levers, population: Population
) -> dict[str, dict[str, Cohort]]:
    """What became of the self-serve accounts that signed up within the history, by source, before and after."""
    change = min((levers.starts(plant) for plant in levers.plants), default=calendar.end)
    mine = ~population.sales_led & ~population.installed
    weights = np.asarray(scenario.fits) * np.asarray(scenario.fit_payers)
    payers = tuple((weights / weights.sum()).tolist())
    result: dict[str, dict[str, Cohort]] = {}
    stretches = {"before": (calendar.start, change), "after": (change, calendar.end)}
    for place, source in enumerate(scenario.sources):
        of_source = mine & (population.source == place)
        result[source.name] = {}
        for stretch, (begin, end) in stretches.items():
            if begin >= end:
                continue
            signed = of_source & _within(population.signed_up, begin, end)
            activated = of_source & _within(population.activated, begin, end)
            mature = activated & (population.activated <= calendar.end - MATURE_DAYS * DAY_S)
            in_time = population.paid <= population.activated + MATURE_DAYS * DAY_S
            days = np.arange(begin, end, DAY_S, dtype=np.float64)
            result[source.name][stretch] = Cohort(
                signed_up=int(signed.sum()),
                activated=int(activated.sum()),
                paid=int((activated & (population.paid < NEVER)).sum()),
                activated_mature=int(mature.sum()),
                paid_mature=int((mature & in_time).sum()),
                planned_activated=source.activated
                * _mean_factor(levers, "activated", days, source.name, scenario.fits),
                planned_paid_given_activated=source.paid
                * _mean_factor(levers, "paid_given_activated", days, source.name, payers),
            )
    return result


def _mean_factor(levers: Levers, lever: Lever, days: Floats, source: str, fits: tuple[float, ...]) -> float:
    """Over the days of a stretch and the fits that count for the lever."""
    return sum(
        share * float(levers.factors(lever, days, source=source, fit=fit).mean())
        for fit, share in zip(FITS, fits, strict=True)
    )


def _within(moments: Ints, begin: int, end: int) -> Any:
    return (moments >= begin) & (moments < end)


def account_counts(calendar: Calendar, population: Population, asked: int) -> dict[str, int]:
    """How many accounts there are, of which kind, within the history."""
    known = population.lead_at < calendar.end
    return {
        "asked": asked,
        "brought_by_plants": int((population.number >= asked).sum()),
        "all": int(known.sum()),
        "installed_base": int(population.installed.sum()),
        "sales_led": int(population.sales_led.sum()),
        "signed_up": int(_within(population.signed_up, calendar.start, calendar.end).sum()),
        "activated": int(_within(population.activated, calendar.start, calendar.end).sum()),
        "paid": int(_within(population.paid, calendar.start, calendar.end).sum()),
        "churned": int((population.churned < calendar.end).sum()),
        "good_fits": int((known & (population.fit == 2)).sum()),
    }


def utc_text(second: int) -> str:
    return utc(second).isoformat().replace("+00:00", "Z")
