"""Who signs up, when and from where.

Accounts that a plant on sign-ups brings come after the others, in numbers of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from streams.simulation.account import Population
from streams.simulation.calendar import DAY_S, Calendar, Floats, Ints
from streams.simulation.fates import Group
from streams.simulation.levers import Levers
from streams.simulation.scenario import Plant, Scenario
from streams.simulation.seeds import Seeds


def populate(
    scenario: Scenario, calendar: Calendar, levers: Levers, seeds: Seeds, accounts: int
) -> Population:
    """All accounts: ``accounts`` of them, less those that plants keep away, and those that plants bring."""
    pace = _Pace(scenario, calendar)
    draw = seeds.company("signups")
    installed = round(accounts * scenario.installed_base)
    before = calendar.start - np.sort(draw.integers(45 * DAY_S, 900 * DAY_S, installed))[::-1]
    within = pace.times(np.sort(draw.random(accounts - installed)))
    signup = np.concatenate([before, within])
    shares = np.cumsum([source.share for source in scenario.sources])
    chosen = np.searchsorted(shares[:-1], seeds.company("sources").random(accounts), side="right")
    first = Group(scenario, calendar, levers, seeds, 0, chosen, signup, installed)
    parts = [first.population(np.arange(accounts))]

    number = accounts
    for group, plant in enumerate(levers.plants, start=1):
        if plant.lever != "signups":
            continue
        draw = seeds.company("signups", group)
        if plant.factor < 1:
            parts = [_kept(part, plant, scenario, levers, draw) for part in parts]
            continue
        when, where = _brought(plant, scenario, calendar, levers, pace, accounts - installed, draw)
        numbers = np.arange(number, number + len(when))
        number += len(when)
        brought = Group(scenario, calendar, levers, seeds, group, where, when, 0)
        parts.append(brought.population(numbers))
    fields = Population.__struct_fields__
    return Population(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def _brought(
    plant: Plant,
    scenario: Scenario,
    calendar: Calendar,
    levers: Levers,
    pace: _Pace,
    signups: int,
    draw: Generator,
) -> tuple[Ints, Ints]:
    """Times and sources of the sign-ups that come on top of the usual ``signups``."""
    grid = np.arange(calendar.start, calendar.end, DAY_S // 4, dtype=np.float64)
    more = pace.density(grid) * (levers.profile(plant, grid) - 1.0)
    whole = float(more.sum())
    times: list[Ints] = []
    sources: list[Ints] = []
    for place, source in enumerate(scenario.sources):
        if plant.segment.get("source", source.name) != source.name or not whole:
            continue
        count = int(draw.poisson(signups * source.share * whole))
        chosen = draw.choice(grid, size=count, p=more / whole).astype(np.int64)
        when = np.sort(chosen + draw.integers(0, DAY_S // 4, count))
        when = when[when < calendar.end]
        times.append(when)
        sources.append(np.full(len(when), place))
    if not times:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate(times), np.concatenate(sources)


def _kept(part: Population, plant: Plant, scenario: Scenario, levers: Levers, draw: Generator) -> Population:
    """``part`` without those whom a plant below 1 keeps from signing up."""
    stays = draw.random(len(part)) < levers.profile(plant, part.lead_at.astype(np.float64))
    names = np.array([source.name for source in scenario.sources])[part.source]
    keep = stays | part.installed
    if "source" in plant.segment:
        keep |= names != plant.segment["source"]
    return Population(*(getattr(part, field)[keep] for field in Population.__struct_fields__))


class _Pace:
    """How sign-ups spread over the history: growth, weekdays, hours."""

    def __init__(self, scenario: Scenario, calendar: Calendar) -> None:
        self._edges = np.arange(calendar.start, calendar.end + 1, 3600, dtype=np.float64)
        begin = self._edges[:-1].astype(np.int64)
        weekday = np.asarray(scenario.signup_weekdays)[(begin // DAY_S + 3) % 7]
        hour = np.diff(calendar.hours)[begin // 3600 % 24]
        growth = scenario.growth_a_year ** ((begin - calendar.start) / (365.25 * DAY_S))
        self._weights = weekday * hour * growth
        self._cumulated = np.concatenate([[0.0], np.cumsum(self._weights)])
        self._cumulated /= self._cumulated[-1]

    def times(self, uniform: Floats) -> Ints:
        return np.asarray(np.interp(uniform, self._cumulated, self._edges)).astype(np.int64)

    def density(self, grid: Floats) -> Floats:
        """Share of the sign-ups between each point of ``grid`` and the next."""
        edges = np.append(grid, self._edges[-1])
        return np.diff(np.interp(edges, self._edges, self._cumulated))
