"""slg.cycle_spread, drift half: what it finds in deals of known lengths, and what it must not."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sequential.decile_mixture import PARTS
from detectors.signals.monitor import Promise
from detectors.signals.opportunities import IN_BULK, OPENED
from detectors.signals.slg_cycle_spread import CycleSpread
from detectors.signals.slg_cycle_spread_baseline import stretch_of
from detectors.signals.slg_cycle_spread_monitor import FEWEST_OF_BULK_DAY, SpreadMonitor
from detectors.signals.slg_cycle_spread_state import (
    ENDED,
    MOST_DEALS,
    OPEN,
    Band,
    Followed,
    SpreadState,
    SpreadWeek,
    follow,
    share_in_outer,
)
from schemas.alerts import DriftAlert
from schemas.settings import DriftSettings
from tests.unit.judging import judge, said
from tests.unit.pipeline_world import (
    CHANGE,
    DAY,
    START,
    day_of,
    log_normal,
    pause_after,
    pipeline,
    two_speeds,
    wider,
)
from tests.unit.signal_words import as_text, golden

SIGNAL = CycleSpread.configured(DriftSettings(), 120)
PROMISE = Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=300, min_baseline_days=28.0)


def slower(day: float, random: np.random.Generator) -> tuple[float, bool]:
    took, won = log_normal(day, random)
    return took * (1.0 if day < CHANGE else 1.2), won


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("length", "within"), [(wider, 130), (two_speeds, 80)])
def test_a_wider_spread_is_found(length: Any, within: float, seed: int) -> None:
    _, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=460, seed=seed, length=length))
    first = next(each for each in alerts if isinstance(each, DriftAlert))
    assert (first.segment, first.state) == ("all", "drifting")
    assert CHANGE < day_of(first.at) < CHANGE + within
    assert abs(day_of(first.since) - CHANGE) <= first.since_margin_days + 14
    assert first.before.high < first.now.estimate


def test_two_clusters_have_their_name_and_their_words() -> None:
    state, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=560, seed=2, length=two_speeds))
    assert SIGNAL.verdicts(state)[0].finding == "two clusters"
    assert as_text(alerts) == golden("slg.cycle_spread", as_text(alerts))


def two_speeds_twice(day: float, random: np.random.Generator) -> tuple[float, bool]:
    drifts = CHANGE <= day < CHANGE + 150 or day >= CHANGE + 300
    return two_speeds(CHANGE if drifts else 0, random)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_drift_that_comes_again_is_dated_after_the_end_of_the_last_one(seed: int) -> None:
    told = pipeline(SIGNAL.name, days=CHANGE + 400, seed=seed, length=two_speeds_twice)
    _, alerts = judge(SIGNAL, told)
    whole = [each for each in alerts if isinstance(each, DriftAlert) and each.segment == "all"]
    assert [each.state for each in whole] == ["drifting", "resolved", "drifting"]
    assert abs(day_of(whole[2].since) - CHANGE - 300) <= whole[2].since_margin_days + 14


@pytest.mark.parametrize(("seed", "stop"), [(1, 415), (1, 420), (3, 415)])
def test_after_a_pause_each_change_is_told_while_it_holds(seed: int, stop: int) -> None:
    def for_forty_days(day: float, random: np.random.Generator) -> tuple[float, bool]:
        return two_speeds(CHANGE if CHANGE <= day < CHANGE + 40 else 0, random)

    told = pipeline(SIGNAL.name, days=stop + 5, seed=seed, length=for_forty_days)
    monitor, changes = SpreadMonitor(PROMISE), []
    for each in pause_after(told, stop, days=365):
        for change in monitor.take(each, may_freeze=True):
            changes.append((change.kind, monitor.phase))
    assert changes[:3] == [("frozen", "watching"), ("drifting", "drifting"), ("resolved", "resolved")]
    assert all(kind in ("frozen", "noticed", phase) for kind, phase in changes)
    assert changes[3:]


SHIFTED = {
    "up to 10000 EUR": lambda day: 0.8 if day < CHANGE else 0.2,
    "over 10000 EUR": lambda day: 0.2 if day < CHANGE else 0.8,
}
LOOK_ALIKES: dict[str, dict[str, Any]] = {
    "nothing changes": {},
    "larger deals": {"shares": SHIFTED},
    "operations close zombies": {
        "closes": lambda created, closed, won: (
            CHANGE if not won and created < CHANGE - 25 and closed > CHANGE else closed
        )
    },
    "a quarter ends": {
        "closes": lambda created, closed, won: (
            CHANGE - (closed - CHANGE) * 4 / 21
            if won and created < CHANGE - 4 and CHANGE <= closed < CHANGE + 21
            else closed
        )
    },
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_silent(look_alike: str, seed: int) -> None:
    state, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=460, seed=seed, **LOOK_ALIKES[look_alike]))
    assert [each for each in said(alerts) if each[1] != "unsteady baseline"] == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


@pytest.mark.parametrize("late", [1.0, 20.0])
def test_closings_that_are_told_late_are_taken_in(late: float) -> None:
    told = pipeline(SIGNAL.name, days=460, seed=1)
    some = [
        msgspec.structs.replace(each, at=each.at + late * DAY)
        if each.measure != OPENED and number % 100 == 0
        else each
        for number, each in enumerate(told)
    ]
    state, alerts = judge(SIGNAL, sorted(some, key=lambda each: each.at))
    assert [each for each in said(alerts) if each[1] == "drifting"] == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


@settings(max_examples=30)
@given(outcomes=st.lists(st.floats(1, 200), min_size=170, max_size=250), now=st.floats(60, 450))
def test_a_baseline_knows_the_decile_of_each_of_its_deals(outcomes: list[float], now: float) -> None:
    deals = [
        Followed(START + i * DAY, days if i + days <= now else OPEN)
        for i, days in enumerate(outcomes)
        if i <= now
    ]
    found = stretch_of(deals, START + now * DAY)
    if found is None:
        return
    assert found.until <= START + now * DAY - np.exp(found.edges[-1]) * DAY
    beyond = sum(deal.days == OPEN or np.log(deal.days) > found.edges[-1] for deal in found.deals)
    assert beyond <= len(found.deals) / 10 + 1


def test_deals_are_thinned_evenly_and_bounded() -> None:
    band = Band()
    for number in range(5000):
        follow(band, Followed(float(number)))
    assert MOST_DEALS / 2 <= len(band.deals) <= MOST_DEALS
    gaps = np.diff([deal.began for deal in band.deals])
    assert gaps.max() <= 2 * gaps.min()


def test_a_share_counts_those_of_whom_not_all_is_known() -> None:
    fast = 3  # the parts that the first decile is cut into
    week = SpreadWeek(
        START,
        0,
        0,
        0.0,
        ended=[8, 6, 6, *[0] * (PARTS - 1 - fast)],
        beyond=[92, 86, 80, *[0] * (PARTS - 1 - fast)],
    )
    found = share_in_outer([week])
    assert found is not None
    # A fifth is fast; nobody has come further, so of the rest a ninth is taken to become slow.
    assert found.estimate == pytest.approx(0.2 + 0.8 / 9)
    assert found.low < found.estimate < found.high
    assert share_in_outer([SpreadWeek(START, 0, 0, 0.0)]) is None


def bulk_day(in_bulk: int) -> list[float]:
    """Days of age of the deals that are left of a band after a day with so many closings in bulk."""
    at = START + 1000 * DAY
    edges = [math.log(10.0 * number) for number in range(1, PARTS)]
    closed = [
        Followed(at - 15 * DAY, 15.0),
        Followed(at - 25 * DAY, 24.0),  # on the day before
        Followed(at - 35 * DAY, 35.0, beyond=ENDED),
        Followed(at - 95 * DAY, 95.0),  # beyond the median
        Followed(at - 45 * DAY),
    ]
    bulk = [Followed(at - (20 + number) * DAY) for number in range(in_bulk)]
    state = SpreadState(bands={"one": Band(deals=[*closed, *bulk], edges=edges, n=300)})
    monitor = SpreadMonitor(PROMISE, state)
    for deal in bulk:
        told = msgspec.structs.replace(SIGNAL.healthy_example()[0], measure=IN_BULK, at=at, began=deal.began)
        age = (at - deal.began) / DAY
        monitor.take(msgspec.structs.replace(told, value=age, stratum="one"), may_freeze=True)
    return [(at - deal.began) / DAY for deal in state.bands["one"].deals]


def test_on_a_day_with_many_closings_in_bulk_the_first_ones_belong_to_it() -> None:
    assert bulk_day(FEWEST_OF_BULK_DAY - 1) == [15, 25, 35, 95, 45]
    assert bulk_day(FEWEST_OF_BULK_DAY) == [25, 35, 95, 45]
