"""plg.conversion_gap: weeks, baselines, the dating of a fall, segments, mix and rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sequential.contract import ChangeEstimate
from detectors.signals.baseline import freeze, heterogeneity, precise_enough
from detectors.signals.dating import date_fall, date_rise, share_since
from detectors.signals.mix import split_change
from detectors.signals.segments import MAX_CANDIDATES, OTHER, Roster, draw, segment_of
from detectors.signals.share_monitor import Promise, ShareMonitor
from detectors.signals.weeks import MAX_WEEKS, Week, count_in, flow_per_day, merge, total, week_start
from schemas.duration import DAY, WEEK

MONDAY = week_start(1_800_000_000.0)


def weeks(*counts: tuple[int, int]) -> list[Week]:
    return [Week(MONDAY + i * WEEK, n, ones, 0.0) for i, (n, ones) in enumerate(counts)]


def test_a_week_begins_on_monday_at_midnight_utc() -> None:
    assert week_start(345_600.0) == 345_600.0  # 5 January 1970
    assert week_start(345_600.0 - 1) == 345_600.0 - WEEK
    assert week_start(345_600.0 + WEEK - 1) == 345_600.0


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 1)), max_size=80))
def test_counting_by_weeks_loses_nothing_whatever_the_order(told: list[tuple[float, int]]) -> None:
    found: list[Week] = []
    for week, one in told:
        count_in(found, MONDAY + week * WEEK, one)
    assert total(found, -math.inf) == (len(told), sum(one for _, one in told))
    assert [week.start for week in found] == sorted({week.start for week in found})
    half = len(told) // 2
    left, right = [], []
    for side, part in ((left, told[:half]), (right, told[half:])):
        for week, one in part:
            count_in(side, MONDAY + week * WEEK, one)
    merge(left, right)
    assert left == found


def test_a_history_is_bounded_and_does_not_take_what_is_older() -> None:
    found: list[Week] = []
    for i in range(MAX_WEEKS + 40):
        count_in(found, MONDAY + i * WEEK, 1)
    assert len(found) == MAX_WEEKS
    assert found[0].start == MONDAY + 40 * WEEK
    assert count_in(found, MONDAY, 1) is None
    assert len(found) == MAX_WEEKS


def test_the_flow_is_that_of_whole_weeks_before_the_newest() -> None:
    found = weeks((70, 0), (70, 0), (140, 0), (140, 0), (3, 0))
    assert flow_per_day(found, found[-1].start + DAY) == pytest.approx(15)
    assert flow_per_day(found[1:], found[-1].start) is None


@pytest.mark.parametrize(
    ("counts", "newer"),
    [
        ([(180, 4), (200, 20), (200, 22), (200, 21)], "higher"),  # a recording that began slowly
        ([(200, 40), (200, 42), (200, 15), (200, 14)], "lower"),  # a fall while learning
    ],
)
def test_a_stretch_with_two_rates_is_split(counts: list[tuple[int, int]], newer: str) -> None:
    split = heterogeneity(weeks(*counts))
    assert split is not None
    assert (split.newer, split.first) == (newer, 1 if newer == "higher" else 2)


def test_a_homogeneous_stretch_is_split_no_more_often_than_stated() -> None:
    random = np.random.default_rng(7)
    found = [
        heterogeneity(weeks(*((80, int(random.binomial(80, 0.12))) for _ in range(8)))) for _ in range(2000)
    ]
    higher = sum(split is not None and split.newer == "higher" for split in found) / 2000
    lower = sum(split is not None and split.newer == "lower" for split in found) / 2000
    assert 0.02 < higher < 0.10 + 0.02
    assert lower < 0.01 + 0.007


@pytest.mark.parametrize("counts", [[], [(50, 3)], [(0, 0), (50, 3)], [(50, 0)] * 6, [(50, 50)] * 6])
def test_nothing_to_split_is_not_split(counts: list[tuple[int, int]]) -> None:
    assert heterogeneity(weeks(*counts)) is None


def test_a_baseline_needs_ones_not_only_observations() -> None:
    assert not precise_enough(0, 100_000)
    assert not precise_enough(10, 1_000)
    assert precise_enough(16, 1_000)


def test_what_is_frozen_is_wider_where_weeks_vary_more_than_by_chance() -> None:
    steady = freeze(0.0, 70 * DAY, 1_000, 200, weeks(*[(100, 20)] * 10))
    assert steady.per_day == 1_000 / 70
    assert steady.dispersion == 1
    assert 0.18 < steady.low < 0.2 < steady.high < 0.22
    varies = freeze(0.0, 70 * DAY, 1_000, 200, weeks(*[(100, 10), (100, 30)] * 5))
    assert varies.dispersion > 3
    assert varies.low < 0.175 < 0.225 < varies.high


def test_a_fall_is_dated_to_its_week_against_the_baseline_itself() -> None:
    found = weeks(*[(200, 40)] * 6, *[(200, 20)] * 5)
    late = ChangeEstimate(found[-1].start + DAY, 100, 5)
    dated = date_fall(1_000, 200, found, late)
    assert dated.since == found[6].start
    assert (dated.n, dated.ones) == (1_000, 100)
    assert found[5].start <= dated.earliest <= dated.since <= dated.latest <= found[7].start
    share = share_since(dated, dated.n, dated.ones, found)
    assert share.low < 0.1 == share.estimate < share.high


def test_a_sharp_fall_in_mid_week_is_dated_by_the_restart() -> None:
    found = weeks(*[(200, 60)] * 4, (200, 30), (100, 1))
    restart = ChangeEstimate(found[4].start + 3.5 * DAY, 200, 1)
    dated = date_fall(1_000, 300, found, restart)
    assert (dated.since, dated.n, dated.ones) == (restart.since, 200, 1)


def test_without_a_lower_week_the_restart_is_all_there_is() -> None:
    restart = ChangeEstimate(MONDAY, 3, 2)
    assert date_fall(0, 0, [], restart).since == MONDAY


def fed(monitor: ShareMonitor, share: float, days: range) -> list[str]:
    """60 observations a day, the ones evenly spread, so that chance has no part in it."""
    changes = []
    for number in range(60 * len(days)):
        at = (days.start + number / 60) * DAY
        one = int((number + 1) * share + 1e-9) - int(number * share + 1e-9)
        change = monitor.take(one, at, at + 60 * DAY)
        changes += [change] if change else []
    return changes


@pytest.mark.parametrize(("back_to", "ends"), [(0.18, []), (0.25, []), (0.3, ["recovered"])])
def test_a_fall_ends_when_the_share_is_back_not_before(back_to: float, ends: list[str]) -> None:
    promise = Promise(false_alarms_per_year=1, monitors=12, min_baseline=5_000, min_baseline_days=28)
    monitor = ShareMonitor(promise)
    assert fed(monitor, 0.3, range(140)) == ["frozen"]
    assert fed(monitor, 0.1, range(140, 170)) == ["fell"]
    assert monitor.phase == "fallen"
    assert monitor.state.fall is not None
    assert abs(monitor.state.fall.dated.since / DAY - 140) <= 1
    assert fed(monitor, back_to, range(170, 230)) == ends
    assert monitor.phase == ("watching" if ends else "fallen")


def test_a_fall_that_comes_again_is_dated_after_the_end_of_the_last_one() -> None:
    promise = Promise(false_alarms_per_year=1, monitors=12, min_baseline=5_000, min_baseline_days=28)
    monitor = ShareMonitor(promise)
    fed(monitor, 0.3, range(140))
    assert fed(monitor, 0.1, range(140, 400)) == ["fell"]
    assert fed(monitor, 0.3, range(400, 440)) == ["recovered"]
    assert fed(monitor, 0.1, range(440, 470)) == ["fell"]
    assert monitor.state.fall is not None
    assert abs(monitor.state.fall.dated.since / DAY - 440) <= 7


def test_a_rise_is_a_fall_of_the_zeros() -> None:
    found = weeks(*[(200, 20)] * 5, *[(200, 40)] * 4)
    dated = date_rise(found, ChangeEstimate(found[-1].start, 200, 40))
    assert (dated.since, dated.n, dated.ones) == (found[5].start, 800, 160)


parts = st.dictionaries(
    st.sampled_from("abcd"),
    st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    max_size=4,
)


@given(before=parts, after=parts)
def test_mix_and_rate_add_up_to_the_change(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> None:
    split = split_change(before, after)
    n0, n1 = sum(n for n, _ in before.values()), sum(n for n, _ in after.values())
    if not n0 or not n1:
        assert split is None
        return
    assert split is not None
    change = sum(ones for _, ones in after.values()) / n1 - sum(ones for _, ones in before.values()) / n0
    assert split.mix + split.rate == pytest.approx(change, abs=1e-12)


def test_kitagawa_by_hand() -> None:
    only_mix = split_change({"a": (100, 30), "b": (100, 10)}, {"a": (100, 30), "b": (300, 30)})
    assert only_mix is not None
    assert (only_mix.mix, only_mix.rate) == pytest.approx((-0.05, 0.0))
    assert only_mix.mix_share == pytest.approx(1)
    assert only_mix.rate_z == pytest.approx(0)
    only_rate = split_change({"a": (100, 30), "b": (100, 10)}, {"a": (100, 15), "b": (100, 5)})
    assert only_rate is not None
    assert only_rate.mix_share == pytest.approx(0)
    assert only_rate.rate_z < -2
    new_part = split_change({"a": (100, 30)}, {"a": (100, 30), "b": (100, 10)})
    assert new_part is not None
    assert (new_part.mix, new_part.rate) == pytest.approx((-0.10, 0.0))


def test_segments_are_the_largest_sources_and_never_change_their_meaning() -> None:
    roster = Roster([], False)
    for source in ("email", "direct", "social", "content", "direct"):
        assert segment_of(roster, source, 4) == source
    gone = draw(roster, {"direct": 50, "content": 80, "email": 3, "social": 3}, 4)
    assert (roster.sources, gone) == (["content", "direct"], ["email", "social"])
    for _ in range(3):
        assert segment_of(roster, "direct", 4) == "direct"
        assert segment_of(roster, "email", 4) == OTHER
        assert segment_of(roster, "podcast", 4) == OTHER


def test_a_source_that_comes_later_gets_a_free_place() -> None:
    roster = Roster([], False)
    segment_of(roster, "direct", 4)
    draw(roster, {"direct": 50}, 4)
    assert segment_of(roster, "podcast", 4) == "podcast"
    assert segment_of(roster, "radio", 4) == OTHER


def test_segments_are_bounded_whatever_the_sources_are_called() -> None:
    roster = Roster([], False)
    found = {segment_of(roster, f"source-{i}", 12) for i in range(500)}
    assert len(found) == MAX_CANDIDATES + 1
    assert segment_of(roster, "all", 12) == OTHER
    assert segment_of(roster, "other", 12) == OTHER
    assert segment_of(roster, "x" * 65, 12) == OTHER
    assert segment_of(roster, "", 12) == OTHER  # unknown, and there is no place left
    assert segment_of(Roster([], False), "", 12) == "unknown"
    assert segment_of(roster, "direct", 2) is None
