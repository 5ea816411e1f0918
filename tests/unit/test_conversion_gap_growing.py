"""plg.conversion_gap: a baseline grows while nothing falls, both watches by the same accounts; evidence of a verdict."""

from __future__ import annotations

import msgspec
import pytest

from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_early import EarlyWatch
from detectors.signals.share_monitor import ENOUGH_ONES, ENOUGH_WEEKS, MonitorState, Promise, ShareMonitor
from schemas.duration import DAY, WEEK
from tests.unit.conversion_gap_world import START, company, drift_alerts, observe, run

PROMISE = Promise(false_alarms_per_year=1, monitors=12, min_baseline=300, min_baseline_days=28)
HORIZON = 30


def fed(monitor: ShareMonitor, share: float, days: range, *, may_grow: bool = True) -> list[str]:
    """12 observations a day, the ones evenly spread, so that chance has no part in it."""
    changes = []
    for number in range(12 * len(days)):
        at = (days.start + number / 12) * DAY
        one = int((number + 1) * share + 1e-9) - int(number * share + 1e-9)
        change = monitor.take(one, at, at + 60 * DAY, may_grow=may_grow)
        changes += [change] if change else []
    return changes


def test_a_baseline_doubles_until_it_has_enough_ones_in_enough_weeks() -> None:
    monitor = ShareMonitor(PROMISE)
    assert fed(monitor, 0.2, range(500)) == ["frozen", "grown", "grown", "grown"]
    watch = monitor.state.watch
    assert watch is not None
    assert watch.baseline.ones >= ENOUGH_ONES
    assert ENOUGH_WEEKS <= (watch.baseline.end - watch.baseline.start) / WEEK < 2 * ENOUGH_WEEKS
    assert watch.baseline.low > 0.93 * 0.2
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(monitor.state), type=MonitorState)
    assert stored == monitor.state


def test_it_grows_neither_into_a_fall_nor_a_rise_nor_while_the_early_watch_is_not_quiet() -> None:
    for share in (0.14, 0.3):
        monitor = ShareMonitor(PROMISE)
        assert fed(monitor, 0.2, range(29)) == ["frozen"]
        assert "grown" not in fed(monitor, share, range(29, 110))
    monitor = ShareMonitor(PROMISE)
    assert fed(monitor, 0.2, range(200), may_grow=False) == ["frozen"]


@pytest.mark.parametrize("apart", [0.0, 0.08])
def test_low_weeks_are_no_fall_where_weeks_vary(apart: float) -> None:
    """Twenty of 100 pay, or 28 and 12 of 100 in turns; then it is 10 for five weeks."""
    monitor = ShareMonitor(PROMISE)
    monday = 4  # of 1970
    for week in range(30):
        days = range(monday + 7 * week, monday + 7 * (week + 1))
        assert "fell" not in fed(monitor, 0.2 - apart if week % 2 else 0.2 + apart, days)
    assert monitor.state.watch is not None
    assert (monitor.state.watch.baseline.dispersion > 2) is (apart > 0)
    assert ("fell" in fed(monitor, 0.1, range(monday + 210, monday + 245))) is (apart == 0)


def test_both_watches_are_widened_alike() -> None:
    signal = ConversionGap(max_segments=1)
    accounts = company(
        days=300,
        per_day=lambda source, day: 30,
        sources=["direct"],
        activates=lambda source, day: 0.6,
        converts=lambda source, day: 0.1 + 0.15 * (day // 7 % 2),
        seed=3,
    )
    state, _ = run(signal, observe(signal, accounts))
    segment = state.segments["all"]
    assert segment.paid.state.watch is not None
    dispersion = segment.paid.state.watch.baseline.dispersion
    assert dispersion > 1.5
    assert segment.early.stored.dispersion == dispersion


def test_an_early_watch_that_is_widened_asks_for_more() -> None:
    statistics = []
    for dispersion in (1.0, 2.0):
        watch = EarlyWatch(PROMISE, HORIZON)
        for day in range(61):
            watch.pass_to(day * DAY, dispersion=dispersion if day >= 60 else None)
            for number in range(20):
                watch.enter(day * DAY, day * DAY, f"{day}-{number}")
            for _ in range(5 if 5 <= day < 45 else 0):
                watch.convert((day - 5) * DAY, day * DAY, "")
        statistics.append(watch.statistic)
    assert statistics[1] < statistics[0] / 100


def test_after_a_fall_it_is_for_good() -> None:
    monitor = ShareMonitor(PROMISE)
    assert fed(monitor, 0.3, range(29)) == ["frozen"]
    assert "fell" in fed(monitor, 0.1, range(29, 60))
    assert fed(monitor, 0.3, range(60, 300)) == ["recovered"]
    watch = monitor.state.watch
    assert watch is not None
    assert watch.baseline.n < 400


@pytest.mark.parametrize("pays_in", [5, None])
def test_the_early_watch_judges_all_who_are_not_in_its_baseline(pays_in: int | None) -> None:
    """20 start a day; five pay on the fifth day, from day 40 on none or as before. The baseline is known on day 60 only."""
    watch = EarlyWatch(PROMISE, HORIZON)
    for day in range(61):
        at = day * DAY
        watch.pass_to(at, dispersion=1.0 if day >= 60 else None)
        for number in range(20):
            watch.enter(at, at, f"{day}-{number}")
        began = day - 5
        if began >= 0 and (began < 40 or pays_in is not None):
            for number in range(5):
                watch.convert(began * DAY, at, f"{began}-{number}")
    state = watch.cohorts.state
    assert sum(state.baseline_came) == 5 * 31, "those of days 0 to 30, who were followed for 30 days"
    assert (watch.statistic > watch.threshold) is (pays_in is None)


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_a_verdict_shows_who_did_not_pay(part: float) -> None:
    signal = ConversionGap(max_segments=1)
    accounts = company(
        days=300,
        per_day=lambda source, day: 60.0,
        sources=["content"],
        activates=lambda source, day: 0.5,
        converts=lambda source, day: 0.2 * (part if day >= 200 else 1.0),
        seed=3,
    )
    paid = {each.account for each in accounts if "converted" in each.milestones}
    state, alerts = run(signal, [each for each in observe(signal, accounts) if each.at < START + 300 * DAY])
    (verdict,) = signal.verdicts(signal.decode_state(signal.encode_state(state)))
    assert bool(drift_alerts(alerts)) is (part < 1)
    assert 0 < len(verdict.evidence) <= 10
    early = verdict.threshold == state.segments["all"].early.threshold
    assert early is (part < 1)
    for each in verdict.evidence:
        # Who has not yet may pay later; who did not within the horizon is told as such.
        assert early or each.account not in paid
        assert each.phrases == ["activated then, has not paid yet" if early else "did not pay within 60 days"]
        assert START < each.at < START + 300 * DAY
