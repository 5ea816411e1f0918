"""plg.conversion_gap, early watch: young cohorts count by their days at risk; slower is not fewer; what the alerts say."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.signals.contract import ALL
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_cohorts import CohortsState, OpenCohorts
from detectors.signals.plg_conversion_gap_early import EarlyState, EarlyWatch
from detectors.signals.plg_conversion_gap_shape import FEWER, SLOWER, shape
from detectors.signals.share_monitor import EARLY_PART, Promise
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from tests.unit.conversion_gap_world import (
    START,
    Account,
    Collected,
    company,
    drift_alerts,
    notices,
    observe,
    run,
)
from tests.unit.signal_words import as_text, golden

HORIZON, CHANGE = 30, 200
PROMISE = Promise(false_alarms_per_year=1, monitors=12, min_baseline=300, min_baseline_days=28)

lives = st.lists(
    st.tuples(st.integers(0, 80), st.none() | st.integers(0, HORIZON + 5)), min_size=1, max_size=60
)
"""(day of the start, days until paying) of accounts"""


def followed(accounts: list[tuple[int, int | None]], until: int, cohorts: OpenCohorts) -> None:
    told = [(day, 0, day) for day, _ in accounts]
    told += [(day + after, 1, day) for day, after in accounts if after is not None]
    for at, what, began in sorted(told):
        if at <= until:
            cohorts.pass_to(at * DAY)
            (cohorts.get_there if what else cohorts.enter)(began * DAY, str(began))
    cohorts.pass_to(until * DAY)


@given(accounts=lives)
def test_the_life_table_is_that_of_the_accounts(accounts: list[tuple[int, int | None]]) -> None:
    cohorts = OpenCohorts(HORIZON)
    until = 90
    followed(accounts, until, cohorts)
    state = cohorts.state
    assert state.first == min(day for day, _ in accounts)
    came, risked = cohorts.seen(state.first)
    came, risked = came.sum(axis=0) + state.came, risked.sum(axis=0) + state.risked
    for age in range(HORIZON):
        over = [after for day, after in accounts if day + age < until]
        assert came[age] == sum(after == age for after in over)
        assert risked[age] == sum(after is None or after >= age for after in over)


@given(accounts=lives, cut=st.integers(0, 90))
def test_a_stored_state_goes_on_as_the_one_that_was_kept(
    accounts: list[tuple[int, int | None]], cut: int
) -> None:
    kept, stored = OpenCohorts(HORIZON), OpenCohorts(HORIZON)
    followed(accounts, 90, kept)
    early = [account for account in accounts if account[0] <= cut]
    followed(early, cut, stored)
    raw = msgspec.msgpack.encode(stored.state)
    again = OpenCohorts(HORIZON, msgspec.msgpack.decode(raw, type=CohortsState))
    assert msgspec.msgpack.encode(again.state) == raw
    assert OpenCohorts(HORIZON + 1, again.state).state.day is None, "another horizon is learned anew"


@given(one=lives, other=lives)
def test_what_two_have_counted_is_what_one_would_have(
    one: list[tuple[int, int | None]], other: list[tuple[int, int | None]]
) -> None:
    apart, joined = [OpenCohorts(HORIZON), OpenCohorts(HORIZON)], OpenCohorts(HORIZON)
    followed(one, 90, apart[0])
    followed(other, 90, apart[1])
    apart[0].absorb(apart[1])
    followed([*one, *other], 90, joined)
    first = joined.state.first or 0
    for mine, theirs in zip(apart[0].seen(first), joined.seen(first), strict=True):
        assert mine.sum(axis=0).tolist() == theirs.sum(axis=0).tolist()
    assert (apart[0].state.came, apart[0].state.risked) == (joined.state.came, joined.state.risked)


def test_who_was_not_at_risk_does_not_get_there() -> None:
    cohorts = OpenCohorts(HORIZON)
    cohorts.pass_to(10 * DAY)
    assert not cohorts.get_there(10 * DAY, "a")
    assert cohorts.enter(10 * DAY, "a")
    assert not cohorts.enter(9 * DAY, "late")
    assert cohorts.get_there(10 * DAY, "a")
    assert not cohorts.get_there(10 * DAY, "a")
    cohorts.pass_to(1e6 * DAY)
    assert len(cohorts.state.cohorts) <= HORIZON, "a gap of any length"


def expected(part: float, stretch: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What 200 accounts a day do on average in 60 days: conversions, at risk, and the baseline's hazard."""
    ages = np.arange(61)
    reached = 0.2 * (1 - np.exp(-((ages / 14) ** 2)))
    hazard = np.diff(reached) / (1 - reached[:-1])
    now = part * np.interp(ages / stretch, ages, reached)
    over = np.arange(60)[None, :] < np.arange(59, -1, -1)[:, None]
    came = np.round(200 * np.diff(now)[None, :] * over).astype(np.int64)
    return came, np.round(200 * (1 - now[:-1])).astype(np.int64)[None, :] * over, hazard


@pytest.mark.parametrize("part", [0.4, 0.6, 0.75])
def test_a_missing_part_at_every_age_is_fewer(part: float) -> None:
    found = shape(*expected(part, 1.0), 5000)
    assert found.fewer
    assert not found.slower
    assert found.earliest <= found.middle <= found.latest
    assert found.middle <= 3


@pytest.mark.parametrize("stretch", [1.5, 2.0, 3.0])
def test_the_same_level_later_is_slower(stretch: float) -> None:
    found = shape(*expected(1.0, stretch), 5000)
    assert found.slower
    assert not found.fewer


def test_a_small_baseline_knows_less_and_few_days_never_say_slower() -> None:
    came, risked, hazard = expected(1.0, 2.0)
    sure, unsure = shape(came, risked, hazard, 5000), shape(came, risked, hazard, 5)
    assert sure.log_odds < unsure.log_odds < 0
    assert not shape(came[20:], risked[20:], hazard, 5000).slower
    for family in (FEWER, SLOWER):
        assert sum(weight for *_, weight in family) == pytest.approx(1.0)


def test_the_threshold_is_in_days_and_a_part_of_the_budget() -> None:
    watch = EarlyWatch(PROMISE, HORIZON)
    assert watch.threshold == pytest.approx(365.25 * 12 / EARLY_PART)
    assert (watch.statistic, watch.dated()) == (0.0, None)
    other = EarlyWatch(PROMISE, HORIZON + 1, watch.stored)
    assert isinstance(other.stored, EarlyState)
    assert len(other.cohorts.state.came) == HORIZON + 1


def story(
    *, part: float = 1.0, stretch: float = 1.0, activates: float = 0.5, seed: int = 1, days: int = 330
) -> tuple[ConversionGap, list[DriftAlert | Notice], list[str]]:
    """One source of 90 sign-ups a day; from CHANGE on a part pays, after a stretched lag, and a part activates."""
    signal = ConversionGap(max_segments=1)
    accounts = company(
        days=days,
        per_day=lambda source, day: 90.0,
        sources=["content"],
        activates=lambda source, day: activates if day >= CHANGE else 0.5,
        converts=lambda source, day: 0.2 * (part if day >= CHANGE else 1.0),
        lag=lambda random, day: random.lognormal(np.log(10), 0.6) * (stretch if day >= CHANGE else 1.0),
        seed=seed,
    )
    state, alerts = run(signal, [each for each in observe(signal, accounts) if each.at < START + days * DAY])
    (verdict,) = signal.verdicts(state)
    return signal, alerts, [verdict.state, verdict.finding]


def test_fewer_is_found_before_the_first_of_them_are_mature() -> None:
    _, alerts, verdict = story(part=0.5)
    (alert,) = alerts
    assert isinstance(alert, DriftAlert)
    told = (alert.at.timestamp() - START) / DAY - CHANGE
    assert 10 < told < 50
    assert abs((alert.since.timestamp() - START) / DAY - CHANGE) <= alert.since_margin_days + 1
    assert alert.now.low < 0.10 < alert.now.high < alert.before.low
    assert alert.threshold == pytest.approx(365.25 * 12 / EARLY_PART)
    assert 0 < len(alert.evidence) <= 10
    assert "would be wrong if they paid later" in alert.wrong_if
    assert verdict == ["drifting", ""]
    assert alert.statistic >= alert.threshold


@pytest.mark.parametrize("seed", [1, 2])
def test_slower_is_a_notice_and_no_drift(seed: int) -> None:
    _, alerts, verdict = story(stretch=1.8, seed=seed)
    assert drift_alerts(alerts) == []
    assert Counter(notice.finding for notice in notices(alerts)) == {"slower, not fewer": 1}
    assert verdict == ["watching", "slower, not fewer"]


def test_if_activation_falls_too_it_is_the_whole_funnel_early_as_well() -> None:
    _, alerts, verdict = story(part=0.5, activates=0.25, days=290)
    assert drift_alerts(alerts) == []
    (notice,) = notices(alerts)
    assert (notice.finding, notice.segment) == ("whole funnel", ALL)
    assert notice.at.timestamp() < START + (CHANGE + 60) * DAY
    assert verdict == ["watching", "whole funnel"]


def test_words() -> None:
    parts = [story(part=0.5)[1], story(stretch=1.8)[1], story(part=0.5, activates=0.25, days=290)[1]]
    found = "\n".join(as_text(alerts) for alerts in parts)
    assert found == golden(ConversionGap.name, found)


@settings(max_examples=25)
@given(order=st.permutations(["signed_up", "activated", "converted"]), moved=st.floats(0, 8))
def test_whatever_the_order_nobody_enters_twice(order: list[str], moved: float) -> None:
    """Each milestone comes in any order, and comes again at an earlier time."""
    signal, output = ConversionGap(), Collected("a")
    at = {"signed_up": 10.0, "activated": 12.0, "converted": 20.0}
    account = Account("a", "content", {})
    for earlier in (0.0, moved):
        for name in order:
            account.milestones = {**account.milestones, name: START + (at[name] - earlier) * DAY}
            signal.on_milestone(account, name, output)
    told = Counter(
        (each.measure, "followed_as" in each.segments) for each in output.observations if each.value == 1
    )
    assert told["sign_up_seen", False] == 1
    assert told["conversion_seen", True] <= 1
    assert sum(each.measure == "activation_seen" and each.value == 1 for each in output.observations) <= 1
    assert all(each.began <= each.at for each in output.observations)
