"""When a trend began: the range holds the truth, of slow trends too; after a drift and a decision only what came since counts."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.signals.monitor import Promise
from detectors.signals.two_trends_dating import FINE_WEEKS, MOST_SPANS, Ranks, count_rank, date_trend
from detectors.signals.two_trends_monitor import Trend, TwoTrendsMonitor
from detectors.signals.two_trends_state import category_of, ranks_of
from schemas.duration import DAY, WEEK
from schemas.observations import Observation
from tests.unit.account_world import T0
from tests.unit.test_two_trends_baseline import baseline

WEEKS = 40
PROMISE = Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=100, min_baseline_days=28.0)
TRENDS = (Trend("breadth", "rise", 100), Trend("depth", "fall", 100))


def weeks(began: int, by: float, seed: int, *, each: int = 15) -> list[Ranks]:
    """Weekly ranks that rise ``by`` standard deviations in week ``began``."""
    random = np.random.default_rng(seed)
    sums = [float(random.normal(by * (number >= began), 1.0, each).sum()) for number in range(WEEKS)]
    return [Ranks(T0 + number * WEEK, each, total) for number, total in enumerate(sums)]


@pytest.mark.parametrize("by", [0.4, 0.8])
def test_the_range_holds_the_start(by: float) -> None:
    found = [date_trend(weeks(28, by, seed), 300, 1.0, 0.0) for seed in range(100)]
    began = T0 + 28 * WEEK
    assert sum(each.earliest <= began <= each.latest for each in found) >= 92
    # As wide as it has to be: a smaller change leaves more weeks possible.
    assert 3 < np.mean([each.margin_days for each in found]) < 60 * (0.4 / by) ** 2


def test_a_small_baseline_and_lumpy_weeks_make_the_range_wider() -> None:
    one = weeks(30, 0.6, 3)
    plain, unsure, lumpy = (
        date_trend(one, worth, dispersion, 0.0).margin_days
        for worth, dispersion in ((1000, 1.0), (12, 1.0), (1000, 3.0))
    )
    assert plain <= unsure
    assert plain < lumpy


def test_where_nothing_rose_the_answer_is_the_callers() -> None:
    falling = [Ranks(T0 + number * WEEK, 10, -3.0 - number) for number in range(5)]
    assert date_trend(falling, 100, 1.0, 7.0).since == 7.0


def test_a_rank_counts_standard_deviations_from_the_mean_of_its_own_stratum() -> None:
    found, _ = baseline(
        {"new": [float(each) for each in range(100)], "old": [each / 10 for each in range(100)]}
    )
    ranks = ranks_of(found)
    for stratum, scale in (("new", 1.0), ("old", 0.1)):
        own = [ranks[category_of(found, stratum, each * scale)] for each in range(100)]
        assert np.mean(own) == pytest.approx(0, abs=0.05)
        assert np.std(own) == pytest.approx(1, abs=0.05)
        assert ranks[category_of(found, stratum, 1000.0)] > max(own)


def test_days_become_weeks_and_the_oldest_are_left_out() -> None:
    spans: list[Ranks] = []
    for day in range(1300):
        count_rank(spans, T0 + day * DAY + 5.0, 0.5)
    starts = [each.start for each in spans]
    assert starts == sorted(starts)
    assert MOST_SPANS - 7 < len(spans) <= MOST_SPANS
    assert {each.n for each in spans[:-64]} == {7}
    assert {each.n for each in spans[-FINE_WEEKS * 7 :]} == {1}
    assert all(each.total == 0.5 * each.n for each in spans)
    count_rank(spans, starts[3] + DAY, 0.5)
    assert spans[3].n == 8


def test_a_sharp_change_is_dated_by_the_day() -> None:
    spans: list[Ranks] = []
    for number in range(400):
        count_rank(spans, T0 + number * DAY / 4, 1.5 if number >= 384 else (-1) ** number * 1.0)
    found = date_trend(spans, 300, 1.0, 0.0)
    assert (found.since - T0) / DAY == 96
    assert found.latest - found.earliest <= 3 * DAY


def told(monitor: TwoTrendsMonitor, begin: int, end: int, by: float, seed: int) -> list[str]:
    """Four accounts a day from day ``begin`` to ``end``: breadth is ``by`` standard deviations higher, and depth lower."""
    random, kinds = np.random.default_rng(seed), []
    for number in range(4 * begin, 4 * end):
        began = T0 + number * DAY / 4
        for measure, sign in (("breadth", 1), ("depth", -1)):
            observation = Observation(
                signal="plg.adoption_breadth",
                measure=measure,
                at=began + 30 * DAY,
                began=began,
                value=float(5 + sign * by + random.normal()),
                account="",
            )
            kinds += [change.kind for change in monitor.take(observation, may_freeze=True)]
    return kinds


def test_a_drift_that_comes_again_is_dated_after_the_end_of_the_last_one() -> None:
    monitor = TwoTrendsMonitor(PROMISE, TRENDS)
    assert told(monitor, 0, 120, 0.0, 1) == ["frozen"]
    assert told(monitor, 120, 200, 1.5, 2) == ["drifting"]
    first = monitor.since
    assert told(monitor, 200, 320, 0.0, 3) == ["resolved"]
    assert told(monitor, 320, 400, 1.5, 4) == ["drifting"]
    assert first == pytest.approx(T0 + 120 * DAY, abs=WEEK)
    assert monitor.since == pytest.approx(T0 + 320 * DAY, abs=WEEK)
    assert monitor.since_margin_days < 60


def test_a_drift_after_a_decision_is_dated_by_the_new_baseline() -> None:
    monitor = TwoTrendsMonitor(PROMISE, TRENDS)
    told(monitor, 0, 120, 0.0, 1)
    told(monitor, 120, 200, 1.5, 2)
    monitor.relearn(T0 + 200 * DAY)
    assert told(monitor, 200, 340, 1.5, 3) == ["frozen"]
    assert told(monitor, 340, 420, 3.0, 4) == ["drifting"]
    assert monitor.since == pytest.approx(T0 + 340 * DAY, abs=WEEK)
    assert monitor.since_margin_days < 21


def test_a_year_without_a_word_is_no_trend() -> None:
    monitor = TwoTrendsMonitor(PROMISE, TRENDS, alone="one trend alone")
    assert told(monitor, 0, 150, 0.0, 1) == ["frozen"]
    assert told(monitor, 515, 700, 0.0, 2) == []
    assert told(monitor, 700, 780, 1.5, 3)[-1] == "drifting"
    assert monitor.since == pytest.approx(T0 + 700 * DAY, abs=2 * WEEK)
