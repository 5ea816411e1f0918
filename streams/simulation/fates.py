"""Who the accounts are, and what becomes of them: drawn all at once.

Rules:
1. Each question has its own array of uniforms, one an account, asked whether it matters or not. A plant moves the bar
   and not the draw: whoever pays after a fall of the rate also pays without it.
2. Fit is independent of source and of activation among the self-serve, so a source's ``paid`` is the mean over its
   activated accounts whatever their fit. Sales looks for good fits: its accounts have shares of their own.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.special import ndtri

from streams.simulation.account import Bools, Population
from streams.simulation.calendar import DAY_S, NEVER, Calendar, Floats, Ints
from streams.simulation.levers import Levers
from streams.simulation.scenario import CIRCLES, FITS, Scenario
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


class _Course(Struct):
    """When what happens to each account, Unix seconds, and whether it does."""

    signed_up: Floats
    has_signed_up: Bools
    activated: Floats
    has_activated: Bools
    paid: Floats
    has_paid: Bools


class Group:
    """Accounts that are drawn together: who they are, and what becomes of them. The first ``installed`` of them are customers
    before the history begins."""

    def __init__(
        self,
        scenario: Scenario,
        calendar: Calendar,
        levers: Levers,
        seeds: Seeds,
        group: int,
        source: Ints,
        lead_at: Ints,
        installed: int,
    ) -> None:
        n = len(source)
        self._scenario, self._calendar, self._levers = scenario, calendar, levers
        self._chance = seeds.company("fates", group).random((12, n))
        self._wait = ndtri(seeds.company("times", group).random((8, n)))
        self._source, self._lead_at, self._at = source, lead_at, lead_at.astype(np.float64)
        self._installed = np.arange(n) < installed
        names = np.array([each.name for each in scenario.sources])[source]
        led = np.array([each.sales_led for each in scenario.sources])[source]
        self._sales_led = (self._chance[1] < led) & ~self._installed
        self._fit = self._fits(names)
        self._elite = self._chance[9] < scenario.elite
        circles = np.array(CIRCLES)[self._elite.astype(np.int64)]
        self._facts = {"source": names, "fit": np.array(FITS)[self._fit], "circle": circles}
        self._employees = self._sizes()
        amount = 2400.0 * self._employees**0.55 * np.exp(0.5 * self._wait[1])
        self._band = np.searchsorted(AMOUNT_BANDS, amount, side="right")

    def population(self, number: Ints) -> Population:
        """``number``: of each."""
        course = self._self_serve()
        opened, closed = self._sell(course)
        churned = self._churned(course.paid)
        onboarded, has_onboarded = self._onboarded(course)
        return Population(
            number=number,
            source=self._source,
            fit=self._fit,
            employees=self._employees,
            band=self._band,
            elite=self._elite,
            sales_led=self._sales_led,
            installed=self._installed,
            lead_at=self._lead_at,
            signed_up=_moment(course.has_signed_up, course.signed_up),
            activated=_moment(course.has_activated, course.activated),
            onboarded=_moment(has_onboarded, onboarded),
            paid=_moment(course.has_paid, course.paid),
            churned=_moment(course.has_paid, churned),
            opened=_moment(self._sales_led, opened),
            closed=_moment(self._sales_led, closed),
        )

    def _fits(self, names: NDArray[np.str_]) -> Ints:
        """The self-serve come as they are; sales looks for good fits, unless a plant has it widen."""
        scenario, luck = self._scenario, self._chance[0]
        fit = np.searchsorted(np.cumsum(scenario.fits)[:-1], luck, side="right")
        poor, fair, good = scenario.sales_fits
        odds = poor / (fair + good) * self._levers.factors("poor_fits", self._at, source=names)
        poor_now = odds / (1 + odds)
        found = np.where(luck < poor_now, 0, np.where(luck < 1 - good / (fair + good) * (1 - poor_now), 1, 2))
        return np.where(self._sales_led, found, fit)

    def _sizes(self) -> Ints:
        """Employees."""
        usual = np.asarray(_EMPLOYEES_MEDIAN)[self._fit]
        spread = np.exp(np.asarray(_EMPLOYEES_SIGMA)[self._fit] * self._wait[0])
        size = usual * spread * self._levers.factors("company_size", self._at, **self._facts)
        return np.asarray(np.maximum(1, size)).astype(np.int64)

    def _pays(self, activated: Floats) -> Floats:
        """How likely each is to pay, once it is active or sales talks to it."""
        scenario = self._scenario
        payers = np.asarray(scenario.fit_payers)
        pays = np.array([each.paid for each in scenario.sources])[self._source]
        pays = pays * (payers / np.dot(payers, scenario.fits))[self._fit]
        return np.asarray(pays * self._levers.factors("paid_given_activated", activated, **self._facts))

    def _self_serve(self) -> _Course:
        """Signs up, activates, pays: all of them, as if nobody sold."""
        scenario, levers, at = self._scenario, self._levers, self._at
        chance, wait = self._chance, self._wait
        activates = np.array([each.activated for each in scenario.sources])[self._source]
        activates = activates * levers.factors("activated", at, **self._facts)
        activated = at + np.minimum(_days(scenario.activation_median, 1.1, wait[2]), 28 * DAY_S)
        has_activated = self._installed | (chance[2] < np.minimum(activates, _HIGHEST))
        lag = _days(scenario.conversion_median, scenario.conversion_sigma, wait[3])
        lag = lag * levers.factors("conversion_lag", activated, **self._facts)
        # Installed customers paid before the history began.
        lag = np.where(self._installed, np.minimum(lag, 10 * DAY_S), lag)
        pays = np.minimum(self._pays(activated), _HIGHEST)
        return _Course(
            signed_up=at,
            has_signed_up=np.ones(len(at), dtype=bool),
            activated=activated,
            has_activated=has_activated,
            paid=activated + np.maximum(lag, 3600.0),
            has_paid=self._installed | (has_activated & (chance[3] < pays)),
        )

    def _sell(self, course: _Course) -> tuple[Floats, Floats]:
        """When opportunities open and close. In ``course`` the sales-led get their own: opportunity, contract, only then the
        product."""
        levers, chance, wait, led = self._levers, self._chance, self._wait, self._sales_led
        opened = self._at + _days(3.0, 0.8, wait[4])
        won = led & (chance[4] < np.minimum(self._pays(course.activated), 0.9))
        usual = np.asarray(CYCLE_MEDIAN_DAYS)[self._band]
        cycle = usual * np.exp(CYCLE_SIGMA * levers.factors("cycle_spread", opened, **self._facts) * wait[5])
        cycle = cycle * cluster(levers.factors("cycle_clusters", opened, **self._facts), chance[11])
        lost_pace = LOST_PACE * levers.factors("lingering", opened, **self._facts)
        cycle = cycle * np.where(won, WON_PACE, lost_pace)
        rescued = chance[10] < _LATE_WINS * levers.factors("late_wins", opened, **self._facts)
        won = won | (led & (cycle > usual) & rescued)
        closed = opened + cycle * DAY_S
        course.signed_up = np.where(led, closed + DAY_S * (0.2 + 4 * chance[5]), self._at)
        course.has_signed_up = ~led | won
        course.activated = np.where(led, course.signed_up + (course.activated - self._at), course.activated)
        course.has_activated = np.where(led, won & (chance[2] < 0.85), course.has_activated)
        course.paid = np.where(led, closed, course.paid)
        course.has_paid = np.where(led, won, course.has_paid)
        return opened, closed

    def _onboarded(self, course: _Course) -> tuple[Floats, Bools]:
        slower = self._levers.factors("onboarding_time", course.activated, **self._facts)
        size = np.asarray(_SIZE_PACE)[np.searchsorted(_SIZE_BANDS, self._employees, side="right")]
        takes = _days(self._scenario.onboarding_median, 0.9, self._wait[6]) * slower * size
        likely = np.where(course.has_paid, 0.95, 0.55)
        return course.activated + takes, course.has_activated & (self._chance[6] < likely)

    def _churned(self, paid: Floats) -> Floats:
        life = _days(1.0, 1.2, self._wait[7]) * np.asarray(_LIFE_MEDIAN_DAYS)[self._fit]
        stays = np.where(self._elite, _ELITE_STAYS, 1.0)
        life = life * stays / self._levers.factors("churn", paid, **self._facts)
        # Whoever was installed is still there when the history begins.
        since = np.where(self._installed, float(self._calendar.start + 7 * DAY_S), paid)
        churned = self._levers.leave(since, since + np.maximum(life, 14 * DAY_S), **self._facts)
        at_renewal = self._chance[8] < self._scenario.annual_contracts
        renewed = paid + np.ceil((churned - paid) / (365 * DAY_S)) * 365 * DAY_S
        return np.where(at_renewal, renewed, churned)


def _days(median: float, sigma: float, z: Floats) -> Floats:
    """Log-normal waits in seconds; ``median`` in days."""
    return np.asarray(median * np.exp(sigma * z) * DAY_S)


def _moment(has: Bools, when: Floats) -> Ints:
    return np.where(has, np.minimum(when, float(NEVER)), float(NEVER)).astype(np.int64)


def cluster(apart: Floats, uniform: Floats) -> Floats:
    """What two clusters, ``apart`` times in length, multiply cycle lengths by; the mean of the logarithm holds."""
    return np.where(uniform < SLOW_SHARE, apart ** (1 - SLOW_SHARE), apart**-SLOW_SHARE)
