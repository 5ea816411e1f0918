"""clg.support_burden, drift half: an elite that needs less support is found; what only looks like it is not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.signals.clg_support_burden import CUSTOMER, TICKET
from detectors.signals.clg_support_burden_seats import (
    LARGEST,
    MOST_ASKED,
    Community,
    count,
    leave,
    size_of,
    spread_of,
)
from detectors.signals.elite import BOARD, HIGHEST, MONTH
from schemas.alerts import DriftAlert
from schemas.errors import EventRefused
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0
from tests.unit.judging import day_of, judge, said
from tests.unit.signal_words import as_text, golden
from tests.unit.support_world import CUSTOMERS, ELITE, FIRST, SIGNAL, community, made

BEGAN = 250


def less_for_the_elite(day: float, elite: bool) -> float:
    return 1.0 if day < BEGAN else 0.4 if elite else 1.2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_elite_that_needs_less_support_is_found(seed: int) -> None:
    state, alerts = judge(SIGNAL, community(less_for_the_elite, seed=seed))
    assert said(alerts) == [("all", "drifting")]
    (alert,) = alerts
    assert isinstance(alert, DriftAlert)
    assert BEGAN < day_of(alert.at) < BEGAN + 120
    assert abs(day_of(alert.since) - BEGAN) <= alert.since_margin_days + 14
    assert alert.before.low < 0.5 < alert.before.high
    assert alert.now.high < alert.before.estimate
    assert alert.now.low < 0.5 * 0.4 / 1.2 * 1.3
    verdict = SIGNAL.verdicts(state)[0]
    assert (verdict.state, verdict.unit) == ("drifting", "ratio")
    # Who speaks for it is not the elite.
    assert {int(each.account.removeprefix("account-")) >= ELITE for each in verdict.evidence} == {True}


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_silent(seed: int) -> None:
    state, alerts = judge(SIGNAL, community(seed=seed))
    assert alerts == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


@pytest.mark.parametrize("seed", [1, 2])
def test_elites_who_leave_are_silent(seed: int) -> None:
    _, alerts = judge(
        SIGNAL,
        community(seed=seed, leaves=lambda number: BEGAN + number * 3.0 if number < ELITE - 6 else 1e9),
    )
    assert alerts == []


def fewer_seats(day: float, elite: bool) -> float:
    """From a census on, as an export of contracts would tell it."""
    return 4.0 if elite and T0 + day * DAY >= FIRST + 9 * MONTH else 10.0


def test_an_elite_with_fewer_seats_is_mix() -> None:
    state, alerts = judge(SIGNAL, community(seed=1, elite_asks=1.0, seats=fewer_seats))
    assert said(alerts) == [("all", "mix")]
    assert SIGNAL.verdicts(state)[0].finding == "mix"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_large_customer_who_joins_the_elite_is_silent(seed: int) -> None:
    """It has a sixth of all seats, and asks as often as a small one."""

    def large(random: np.random.Generator) -> list[Observation]:
        def standing(day: float) -> float:
            return 100.0 + BOARD if day >= BEGAN else 60.0

        census = [(FIRST - T0 + month * MONTH) / DAY for month in range(1, 16)]
        asked = [float(day) for day in range(500) if random.random() < 0.05]
        return [
            *(made(CUSTOMER, day, standing(day), "large", exposure=600.0) for day in census),
            *(made(TICKET, day + 1, standing(day - 30), "large", began=day, exposure=600.0) for day in asked),
        ]

    state, alerts = judge(SIGNAL, community(seed=seed, more=large))
    assert alerts == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


def test_twice_as_many_tickets_of_all_are_silent() -> None:
    _, alerts = judge(SIGNAL, community(lambda day, elite: 2.0 if day > BEGAN else 1.0, seed=1))
    assert alerts == []


@pytest.mark.parametrize("seed", [1, 2])
def test_an_outage_that_hits_the_others_is_one_event(seed: int) -> None:
    def outage(random: np.random.Generator) -> list[Observation]:
        return [
            made(
                TICKET,
                BEGAN + 2 + random.random(),
                45.0,
                f"account-{number}",
                began=BEGAN + random.random(),
                exposure=10.0,
            )
            for number in range(ELITE, CUSTOMERS)
        ]

    state, alerts = judge(SIGNAL, community(seed=seed, more=outage))
    assert alerts == []
    assert SIGNAL.verdicts(state)[0].counted_out["outage"] > 150


def test_before_the_first_census_there_is_no_elite() -> None:
    state, alerts = judge(SIGNAL, community(seed=1, days=29))
    verdict = SIGNAL.verdicts(state)[0]
    assert (verdict.n, alerts) == (0, [])
    assert set(verdict.counted_out) == {"settling", "no_elite"}


def test_a_company_without_an_elite_goes_on_learning() -> None:
    nobody = [
        msgspec.structs.replace(each, value=0.0) if each.measure != "ticket_seen" else each
        for each in community(seed=1, days=200)
    ]
    state, _ = judge(SIGNAL, nobody)
    assert SIGNAL.verdicts(state)[0].n == 0
    assert SIGNAL.verdicts(state)[0].counted_out["no_elite"] > 300


def test_learning_says_what_it_waits_for() -> None:
    state, _ = judge(SIGNAL, community(seed=1, days=110, elite_asks=0.3))
    assert "tickets of the elite, or" in SIGNAL.verdicts(state)[0].missing


@pytest.mark.parametrize("value", [HIGHEST + 1.0, -2.0, 0.5, float("nan")])
def test_what_is_no_standing_is_refused(value: float) -> None:
    state = SIGNAL.new_state()
    with pytest.raises(EventRefused):
        SIGNAL.step(state, made(TICKET, 1.0, value, "a"))


def test_who_leaves_takes_its_seats_along() -> None:
    known = Community()
    for number in range(40):
        count(known, 10 + number, 5.0, 0, MONTH)
    leave(known, 49, 5.0)
    assert known.census is not None
    assert known.census.seats[2][49] == 0.0
    known.bar, known.elite, known.whole = 45, {2: 20.0}, {2: 100.0}
    leave(known, 46, 15.0)
    leave(known, BOARD, 15.0)
    leave(known, BOARD, 300.0)
    assert (known.elite, known.whole) == ({2: 0.0}, {2: 70.0})


def test_sizes() -> None:
    assert [size_of(seats) for seats in (0.0, 1.0, 3.9, 4.0, 15.0, 16.0, 63.0, 64.0)] == [
        1,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
    ]
    assert size_of(1e12) == LARGEST


def test_spread() -> None:
    assert spread_of({0: 10}, 0.0) is None
    even = spread_of({3: 10}, 0.0)
    assert even is not None
    assert (round(even.gini, 9), round(even.top_tenth, 9)) == (0.0, 0.1)
    one = spread_of({0: 9, MOST_ASKED: 1}, 0.0)
    assert one is not None
    assert (round(one.gini, 9), round(one.top_tenth, 9)) == (0.9, 1.0)


def test_the_words() -> None:
    observations = community(
        lambda day, elite: less_for_the_elite(day, elite) if day < 420 else 1.0, seed=1, days=700
    )
    _, alerts = judge(SIGNAL, observations)
    _, shifted = judge(SIGNAL, community(seed=1, elite_asks=1.0, seats=fewer_seats))
    found = as_text([*alerts, *shifted])
    assert found == golden(SIGNAL.name, found)
