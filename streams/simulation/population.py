"""Who signs up, from where, and what becomes of them: one row an account, drawn all at once.

Rules:
1. Each question has its own array of uniforms, one an account, asked whether it matters or not. A plant moves the bar
   and not the draw: whoever pays after a fall of the rate also pays without it.
2. Fit is independent of source and of activation among the self-serve, so a source's ``paid`` is the mean over its
   activated accounts whatever their fit. Sales looks for good fits: its accounts have shares of their own.
3. Accounts that a plant on sign-ups brings come after the others, in numbers of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

from streams.simulation.calendar import DAY_S, NEVER, Calendar, Floats, Ints
from streams.simulation.levers import Levers
from streams.simulation.scenario import CIRCLES, FITS, Plant, Scenario
from streams.simulation.seeds import Seeds

AMOUNT_BANDS = (10_000.0, 50_000.0, 200_000.0)
"""upper bounds of the deal-size bands, in the deal's currency"""
CYCLE_MEDIAN_DAYS = (12.0, 28.0, 55.0, 95.0)
CYCLE_SIGMA = 0.5
WON_PACE, LOST_PACE = 0.8, 1.4
"""A deal that is won closes sooner than one that is lost: past the median cycle few are won."""
SLOW_SHARE = 0.4
"""of the deals, where a plant splits cycles into two clusters"""
_LATE_WINS = 0.03
"""of the deals that would be lost past the median cycle: won after all"""
_EMPLOYEES_MEDIAN = (14.0, 45.0, 240.0)
_EMPLOYEES_SIGMA = (1.3, 1.1, 0.6)
_LIFE_MEDIAN_DAYS = (330.0, 900.0, 2200.0)
"""of paying accounts, by fit"""
_ELITE_STAYS = 3.0
"""times longer"""
_SIZE_BANDS = (50, 500, 2000)
_SIZE_PACE = (1.0, 1.25, 1.7, 2.4)
"""Larger companies take longer to be onboarded."""
_HIGHEST = 0.97


class Account(Struct, gc=False):
    """What became of one account. Times are Unix seconds, NEVER if it doesn't come; they may be after the history's end.

    ``lead_at`` is when it was first heard of; for the self-serve this is the sign-up.
    """

    number: int
    source: int
    fit: int
    employees: int
    band: int
    elite: bool
    sales_led: bool
    installed: bool
    lead_at: int
    signed_up: int
    activated: int
    onboarded: int
    paid: int
    churned: int
    opened: int
    closed: int

    @property
    def id(self) -> str:
        return f"acct-{self.number:06d}"


class Population(Struct):
    """The columns of Account, as arrays."""

    number: Ints
    source: Ints
    fit: Ints
    employees: Ints
    band: Ints
    elite: NDArray[np.bool_]
    sales_led: NDArray[np.bool_]
    installed: NDArray[np.bool_]
    lead_at: Ints
    signed_up: Ints
    activated: Ints
    onboarded: Ints
    paid: Ints
    churned: Ints
    opened: Ints
    closed: Ints

    def __len__(self) -> int:
        return len(self.number)

    def accounts(self, chunk: int = 4096) -> Iterator[Account]:
        for first in range(0, len(self), chunk):
            columns = [
                getattr(self, field)[first : first + chunk].tolist() for field in self.__struct_fields__
            ]
            for row in zip(*columns, strict=True):
                yield Account(*row)


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
    parts = [_fates(scenario, calendar, levers, seeds, 0, np.arange(accounts), chosen, signup, installed)]

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
        parts.append(_fates(scenario, calendar, levers, seeds, group, numbers, where, when, 0))
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


def _fates(
    scenario: Scenario,
    calendar: Calendar,
    levers: Levers,
    seeds: Seeds,
    group: int,
    number: Ints,
    source: Ints,
    lead_at: Ints,
    installed: int,
) -> Population:
    n = len(number)
    chance = seeds.company("fates", group).random((12, n))
    wait = ndtri(seeds.company("times", group).random((8, n)))
    is_installed = np.arange(n) < installed
    at = lead_at.astype(np.float64)

    names = np.array([each.name for each in scenario.sources])[source]
    sales_led = (chance[1] < np.array([each.sales_led for each in scenario.sources])[source]) & ~is_installed
    fit = np.searchsorted(np.cumsum(scenario.fits)[:-1], chance[0], side="right")
    poor, fair, good = scenario.sales_fits
    odds = poor / (fair + good) * levers.factors("poor_fits", at, source=names)
    poor_now = odds / (1 + odds)
    found = np.where(
        chance[0] < poor_now, 0, np.where(chance[0] < 1 - good / (fair + good) * (1 - poor_now), 1, 2)
    )
    fit = np.where(sales_led, found, fit)
    fit_names = np.array(FITS)[fit]
    elite = chance[9] < scenario.elite
    facts = {"source": names, "fit": fit_names, "circle": np.array(CIRCLES)[elite.astype(np.int64)]}
    employees = np.maximum(
        1,
        np.asarray(_EMPLOYEES_MEDIAN)[fit]
        * np.exp(np.asarray(_EMPLOYEES_SIGMA)[fit] * wait[0])
        * levers.factors("company_size", at, **facts),
    ).astype(np.int64)
    amount = 2400.0 * employees**0.55 * np.exp(0.5 * wait[1])
    band = np.searchsorted(AMOUNT_BANDS, amount, side="right")

    def days(median: float, sigma: float, z: Floats) -> Floats:
        return np.asarray(median * np.exp(sigma * z) * DAY_S)

    # The self-serve path.
    activates = np.array([each.activated for each in scenario.sources])[source]
    activates = activates * levers.factors("activated", at, **facts)
    activated = at + np.minimum(days(scenario.activation_median, 1.1, wait[2]), 28 * DAY_S)
    has_activated = is_installed | (chance[2] < np.minimum(activates, _HIGHEST))
    payers = np.asarray(scenario.fit_payers)
    pays = np.array([each.paid for each in scenario.sources])[source]
    pays = pays * (payers / np.dot(payers, scenario.fits))[fit]
    pays = pays * levers.factors("paid_given_activated", activated, **facts)
    lag = days(scenario.conversion_median, scenario.conversion_sigma, wait[3])
    lag = lag * levers.factors("conversion_lag", activated, **facts)
    has_paid = is_installed | (has_activated & (chance[3] < np.minimum(pays, _HIGHEST)))
    # Installed customers paid before the history began.
    lag = np.where(is_installed, np.minimum(lag, 10 * DAY_S), lag)
    paid = activated + np.maximum(lag, 3600.0)

    # The sales-led path: opportunity, contract, only then the product.
    opened = at + days(3.0, 0.8, wait[4])
    won = sales_led & (chance[4] < np.minimum(pays, 0.9))
    spread = CYCLE_SIGMA * levers.factors("cycle_spread", opened, **facts)
    usual = np.asarray(CYCLE_MEDIAN_DAYS)[band]
    cycle = usual * np.exp(spread * wait[5])
    cycle = cycle * cluster(levers.factors("cycle_clusters", opened, **facts), chance[11])
    lost_pace = LOST_PACE * levers.factors("lingering", opened, **facts)
    cycle = cycle * np.where(won, WON_PACE, lost_pace)
    rescued = chance[10] < _LATE_WINS * levers.factors("late_wins", opened, **facts)
    won = won | (sales_led & (cycle > usual) & rescued)
    closed = opened + cycle * DAY_S
    signed_up = np.where(sales_led, closed + DAY_S * (0.2 + 4 * chance[5]), at)
    has_signed_up = ~sales_led | won
    activated = np.where(sales_led, signed_up + (activated - at), activated)
    has_activated = np.where(sales_led, won & (chance[2] < 0.85), has_activated)
    paid = np.where(sales_led, closed, paid)
    has_paid = np.where(sales_led, won, has_paid)

    slower = levers.factors("onboarding_time", activated, **facts)
    size = np.asarray(_SIZE_PACE)[np.searchsorted(_SIZE_BANDS, employees, side="right")]
    onboarded = activated + days(scenario.onboarding_median, 0.9, wait[6]) * slower * size
    has_onboarded = has_activated & (chance[6] < np.where(has_paid, 0.95, 0.55))
    life = days(1.0, 1.2, wait[7]) * np.asarray(_LIFE_MEDIAN_DAYS)[fit]
    life = life * np.where(elite, _ELITE_STAYS, 1.0) / levers.factors("churn", paid, **facts)
    # Whoever was installed is still there when the history begins.
    since = np.where(is_installed, float(calendar.start + 7 * DAY_S), paid)
    churned = levers.leave(since, since + np.maximum(life, 14 * DAY_S), **facts)
    at_renewal = chance[8] < scenario.annual_contracts
    renewed = paid + np.ceil((churned - paid) / (365 * DAY_S)) * 365 * DAY_S
    churned = np.where(at_renewal, renewed, churned)

    def moment(has: NDArray[np.bool_], when: Floats) -> Ints:
        return np.where(has, np.minimum(when, float(NEVER)), float(NEVER)).astype(np.int64)

    return Population(
        number=number,
        source=source,
        fit=fit,
        employees=employees,
        band=band,
        elite=elite,
        sales_led=sales_led,
        installed=is_installed,
        lead_at=lead_at,
        signed_up=moment(has_signed_up, signed_up),
        activated=moment(has_activated, activated),
        onboarded=moment(has_onboarded, onboarded),
        paid=moment(has_paid, paid),
        churned=moment(has_paid, churned),
        opened=moment(sales_led, opened),
        closed=moment(sales_led, closed),
    )


def cluster(apart: Floats, uniform: Floats) -> Floats:
    """What two clusters, ``apart`` times in length, multiply cycle lengths by; the mean of the logarithm holds."""
    return np.where(uniform < SLOW_SHARE, apart ** (1 - SLOW_SHARE), apart**-SLOW_SHARE)
