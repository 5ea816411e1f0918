"""clg.churn_cohorts, drift half: later customers who leave are found; what only looks like it is not."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from detectors.signals.clg_churn_cohorts import ChurnCohorts, era
from schemas.alerts import DriftAlert
from schemas.errors import EventRefused
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, T0
from tests.unit.churn_world import SIGNAL, customers
from tests.unit.judging import day_of, judge, said
from tests.unit.signal_words import as_text, golden

BEGAN = 400.0


def later_leave(acquired: float, day: float, elite: bool) -> float:
    return 3.0 if acquired > BEGAN and not elite else 1.0


@pytest.mark.parametrize("seed", [1, 2])
def test_later_customers_who_leave_are_found(seed: int) -> None:
    state, alerts = judge(SIGNAL, customers(later_leave, seed=seed, days=700))
    whole = next(alert for alert in alerts if alert.segment == "all")
    assert isinstance(whole, DriftAlert)
    assert BEGAN + 60 < day_of(whole.at) < BEGAN + 270
    assert abs(day_of(whole.since) - BEGAN) <= whole.since_margin_days + 14
    assert whole.before.high < whole.now.low
    assert 1.7 < whole.now.estimate < 7
    assert "uniform" not in {found for _, found in said(alerts)}
    assert len(whole.evidence) == 10
    verdict = SIGNAL.verdicts(state)[0]
    assert (verdict.state, verdict.unit) == ("drifting", "ratio")


@pytest.mark.parametrize("seed", [1, 2])
def test_churn_that_rises_everywhere_is_uniform(seed: int) -> None:
    state, alerts = judge(
        SIGNAL, customers(lambda _, day, __: 3.0 if day > 450 else 1.0, seed=seed, days=700)
    )
    assert ("all", "uniform") in said(alerts)
    assert {found for _, found in said(alerts)} == {"uniform"}
    verdict = SIGNAL.verdicts(state)[0]
    assert (verdict.state, verdict.finding) == ("watching", "uniform")


@pytest.mark.parametrize("seed", [1, 2])
def test_one_bad_month_of_onboarding_is_silent(seed: int) -> None:
    _, alerts = judge(
        SIGNAL, customers(lambda began, *_: 4.0 if BEGAN < began < BEGAN + 31 else 1.0, seed=seed)
    )
    assert said(alerts) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_annual_renewals_are_silent(seed: int) -> None:
    _, alerts = judge(SIGNAL, customers(lambda *_: 1.0, seed=seed, renewals=0.8))
    assert said(alerts) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_growth_is_silent_though_new_customers_always_leave_more(seed: int) -> None:
    _, alerts = judge(SIGNAL, customers(lambda *_: 1.0, seed=seed, per_day=lambda day: 1.0 + day / 200))
    assert said(alerts) == []


def test_a_tenure_that_nobody_had_reached_is_not_counted_until_it_is_known() -> None:
    """Nobody was a customer for longer than a year, when most leave; that is not the fault of those who come to it."""
    young = [
        each
        for each in customers(
            lambda began, day, _: 4.0 if day - began > 360 else 1.0,
            seed=3,
            installed=0,
            per_day=lambda _: 4.0,
        )
        if each.exposure <= 30
    ]
    state, alerts = judge(SIGNAL, young)
    assert said(alerts) == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


def test_the_communitys_date_says_who_is_early() -> None:
    since = datetime.fromtimestamp(T0 + (BEGAN - 183) * DAY, UTC)
    state, alerts = judge(SIGNAL, customers(later_leave, seed=2, label=lambda began: era(began, since)))
    found = [alert for alert in alerts if isinstance(alert, DriftAlert) and alert.segment == "all"]
    assert abs(day_of(found[0].since) - BEGAN) <= found[0].since_margin_days + 14
    watch = state.segments["all"].monitor.stored.watch
    assert watch.baseline.n > 300


def test_eras() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    days = (-10, 182, 184, 365, 367)
    assert [era(since.timestamp() + day * DAY, since) for day in days] == [
        *("earlier", "earlier"),
        *("suspect", "suspect"),
        "later",
    ]
    assert [era(since.timestamp() + day * DAY, None) for day in (0, 180, 182)] == [
        "2026H1",
        "2026H1",
        "2026H2",
    ]


def test_before_churn_was_recorded_nothing_is_counted() -> None:
    observations = customers(lambda *_: 1.0, seed=1, days=200)[1:]
    state, alerts = judge(SIGNAL, observations)
    verdict = SIGNAL.verdicts(state)[0]
    assert (verdict.n, alerts) == (0, [])
    assert verdict.counted_out == {"left_truncated": len(observations)}
    assert verdict.missing.startswith("a first churn, 0 of 300 observations")


@pytest.mark.parametrize("change", [{"value": 2.0}, {"exposure": -1.0}, {"exposure": float("nan")}])
def test_what_cannot_be_is_refused(change: dict[str, float]) -> None:
    state = SIGNAL.new_state()
    with pytest.raises(EventRefused):
        SIGNAL.step(state, msgspec.structs.replace(SIGNAL.healthy_example()[5], **change))


def test_more_days_at_risk_than_a_month_has_are_counted_out() -> None:
    signal = ChurnCohorts.configured(DriftSettings(), 12)
    state = signal.new_state()
    observations = signal.healthy_example()
    signal.step(state, observations[0])
    signal.step(state, msgspec.structs.replace(observations[500], exposure=31.0))
    assert signal.verdicts(state)[0].counted_out == {"not_a_month": 1}


def test_the_words() -> None:
    _, drifts = judge(SIGNAL, customers(later_leave, seed=2, days=650))
    _, rises = judge(SIGNAL, customers(lambda _, day, __: 3.0 if day > 450 else 1.0, seed=1, days=700))
    found = as_text([*drifts, *rises])
    assert found == golden(SIGNAL.name, found)
