"""clg.churn_cohorts: who says what is usual at a tenure, also after a person's decision; and how sure a ratio is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.sequential.cohort_excess import ExcessState, ExcessWeek
from detectors.signals.clg_churn_cohorts import era
from detectors.signals.clg_churn_cohorts_judging import judge as judge_month
from detectors.signals.clg_churn_cohorts_monitor import MONTH
from detectors.signals.clg_churn_cohorts_ratio import compared, compared_since
from detectors.signals.clg_churn_cohorts_state import ChurnBaseline, ChurnWatch, ratio
from detectors.signals.dating import Dated
from schemas.alerts import DriftAlert
from schemas.duration import WEEK
from tests.unit.account_world import DAY, T0
from tests.unit.churn_world import SIGNAL, customers
from tests.unit.judging import day_of, judge, retaken

BEGAN = 400.0


def watch_without_hazards() -> ChurnWatch:
    baseline = ChurnBaseline(0.0, 0.0, 1000, 100.0, 1.0, 0.001, 1.0, [None] * 8, [0.0] * 8)
    return ChurnWatch(baseline, 1.0, ExcessState([]), [0.0] * 8, {})


@pytest.mark.parametrize(
    ("late", "passed", "learned"),
    [(False, 0.0, 10.0), (True, 0.0, 0.0), (True, 89.0, 0.0), (True, 90.0, 10.0)],
)
def test_later_customers_teach_a_tenure_only_where_all_early_ones_are_past_it(
    late: bool, passed: float, learned: float
) -> None:
    watch = watch_without_hazards()
    judge_month(watch, 40.0, 50.0, 1.0, elite=False, late=late, passed=passed)
    found = [(tenure, part.days, part.events) for tenure, part in watch.unseen.items()]
    assert found == ([(1, learned, 1.0)] if learned else [])


def test_the_last_tenure_is_never_passed() -> None:
    watch = watch_without_hazards()
    judge_month(watch, 900.0, 930.0, 0.0, elite=False, late=True, passed=5000.0)
    assert watch.unseen == {}


def test_what_the_baseline_saw_of_a_tenure_it_does_not_know_yet_is_kept() -> None:
    state, _ = judge(SIGNAL, customers(lambda *_: 1.0, seed=1, days=230))
    watch = state.segments["all"].monitor.stored.watch
    frozen = watch.baseline.end - T0
    begun_since = 230 * DAY - frozen
    assert watch.baseline.hazards[6] is None
    # Some 30 of 700 customers are in it at a time; in the weeks since the baseline alone it would be far less.
    assert watch.unseen[6].days > 30 * begun_since / DAY


def test_after_a_persons_decision_what_later_eras_do_is_usual() -> None:
    since = datetime.fromtimestamp(T0 + (BEGAN - 183) * DAY, UTC)
    told = customers(
        lambda began, _, elite: 3.0 if began > BEGAN and not elite else 1.0,
        seed=3,
        days=1000,
        label=lambda began: era(began, since),
    )
    _, alerts = judge(SIGNAL, told)
    first = next(alert for alert in alerts if isinstance(alert, DriftAlert) and alert.segment == "all")
    decided = first.at.timestamp() + DAY
    decision = retaken(SIGNAL, decided)
    history = [*(each for each in told if each.at < decided), decision, *(e for e in told if e.at >= decided)]
    state, alerts = judge(SIGNAL, history)
    monitor = state.segments["all"].monitor
    states = [each.state for each in alerts if isinstance(each, DriftAlert) and each.segment == "all"]
    assert states == ["drifting", "resolved"]
    baseline = monitor.stored.watch.baseline
    # Of those acquired since then, too: nobody of an earlier era is that young any more.
    assert baseline.hazards[2] is not None
    assert baseline.start >= decided + MONTH
    assert day_of(first.at) > BEGAN


def test_a_ratio_against_a_large_baseline_is_garwoods() -> None:
    exact, known = compared(30, 20.0, 1e7), ratio(30, 20.0)
    assert exact is not None
    assert known is not None
    assert (exact.low, exact.high) == pytest.approx((known.low, known.high), rel=1e-3)
    assert compared(0, 20.0, 50.0).low == 0.0
    assert compared(3, 0.0, 50.0) is None


def test_the_interval_of_a_ratio_holds_it_though_the_baseline_is_estimated() -> None:
    random, true, held, short = np.random.default_rng(1), 2.0, 0, 0
    for _ in range(2000):
        baseline = int(random.poisson(60))
        observed, expected = int(random.poisson(true * 50)), 50 * baseline / 60
        found, known = compared(observed, expected, baseline), ratio(observed, expected)
        held += found.low <= true <= found.high
        short += known.low <= true <= known.high
    assert held > 0.94 * 2000
    assert short < 0.9 * 2000


def test_the_interval_since_a_start_is_the_widest_of_the_possible_ones() -> None:
    weeks = [ExcessWeek(number, events, 4.0) for number, events in enumerate([4, 4, 5, 9, 12, 15])]
    dated = Dated(4 * WEEK, 3 * WEEK, 5 * WEEK, 0, 0)
    found, alone = compared_since(dated, weeks, 100.0), compared(27, 8.0, 100.0)
    longest, shortest = compared(36, 12.0, 100.0), compared(15, 4.0, 100.0)
    assert (found.estimate, found.n) == (alone.estimate, alone.n)
    assert found.low == min(alone.low, longest.low, shortest.low) < alone.low
    assert found.high == max(alone.high, longest.high, shortest.high) > alone.high
