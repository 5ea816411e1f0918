"""slg.aged_win_rate, drift half: what it finds in a pipeline of known hazards, and what it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.signals.monitor import Promise
from detectors.signals.opportunities import LOST, WON
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_aged_win_rate_baseline import freeze, unsteady
from detectors.signals.slg_aged_win_rate_monitor import ENOUGH_WON, FEWEST_WON, AgedMonitor
from detectors.signals.slg_aged_win_rate_state import Age, median_of
from schemas.alerts import DriftAlert, Notice
from schemas.duration import WEEK
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.judging import judge, said
from tests.unit.pipeline_world import CHANGE, DAY, START, day_of, lingering, pause_after, pipeline
from tests.unit.signal_words import as_text, golden

SIGNAL = AgedWinRate.configured(DriftSettings(), 120)
PROMISE = Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=300, min_baseline_days=28.0)


def day_of_observation(told: Observation) -> float:
    return (told.at - START) / DAY


KEPT_ALIVE = lingering(slow=2.0, late_wins=0.03)
WIDENED = lingering(slow=2.0, late_wins=0.45)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_aged_deals_that_win_are_found(seed: int) -> None:
    _, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=480, seed=seed, length=WIDENED))
    first = next(each for each in alerts if isinstance(each, DriftAlert))
    assert (first.segment, first.state) == ("all", "drifting")
    assert CHANGE < day_of(first.at) < CHANGE + 150
    assert abs(day_of(first.since) - CHANGE) <= first.since_margin_days + 35
    assert first.now.low > 1.5


@pytest.mark.parametrize(("seed", "stop"), [(1, 385), (3, 370)])
def test_after_a_pause_each_change_is_told_while_it_holds(seed: int, stop: int) -> None:
    told = pipeline(SIGNAL.name, days=stop + 5, seed=seed, length=WIDENED)
    monitor, changes = AgedMonitor(PROMISE), []
    for each in pause_after(told, stop, days=365):
        for change in monitor.take(each, may_freeze=True):
            changes.append((change.kind, monitor.phase))
    told_of = [change for change in changes if change[0] != "noticed"]
    assert told_of == [("frozen", "watching"), ("drifting", "drifting"), ("resolved", "resolved")]


def wins_of_baseline(state: SegmentedState) -> int:
    watch = state.segments["all"].monitor.stored.watch
    assert watch is not None
    return int(watch.baseline.won)


def test_the_baseline_grows_while_nothing_happens_and_no_further_than_is_enough() -> None:
    told = pipeline(SIGNAL.name, days=600, seed=1, per_day=6.0)
    state, grown = SIGNAL.new_state(), []
    for each in told:
        SIGNAL.step(state, each)
        if state.segments["all"].monitor.stored.watch is not None:
            grown.append(wins_of_baseline(state))
    first, second, last = sorted(set(grown))
    assert first < 2 * FEWEST_WON
    assert 2 * first <= second < ENOUGH_WON <= last < 2 * ENOUGH_WON
    monitor = state.segments["all"].monitor
    base = monitor.stored.watch.baseline
    watched = [week for week in monitor.stored.weeks if base.start <= week.start < base.end]
    # The hazards want what there was in the whole stretch; its first part, from which they are, had none of its own.
    since = base.won - first
    assert sum(sum(week.expected_won) for week in watched) == pytest.approx(since, rel=0.15)
    assert sum(base.won_by_bin) == base.won


def test_young_weeks_of_a_healthy_stretch_are_neither_unsteady_nor_more_varied() -> None:
    """Its first weeks have few aged deals, all of them just past the median, where wins are common."""
    state, _ = judge(SIGNAL, pipeline(SIGNAL.name, days=400, seed=1, per_day=12.0))
    weeks = state.segments["all"].monitor.stored.weeks
    early = sum(week.ones for week in weeks[4:16]) / sum(week.unwon for week in weeks[4:16])
    later = sum(week.ones for week in weeks[28:40]) / sum(week.unwon for week in weeks[28:40])
    assert early > 1.5 * later
    assert unsteady(weeks) is None
    assert freeze(weeks, weeks[0].start, weeks[-1].start).won_dispersion < 1.2


def test_a_baseline_does_not_grow_by_a_drift() -> None:
    state, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=700, seed=1, length=WIDENED))
    before, _ = judge(SIGNAL, pipeline(SIGNAL.name, days=CHANGE, seed=1, length=WIDENED))
    assert ("all", "drifting") in said(alerts)
    assert wins_of_baseline(state) == wins_of_baseline(before)


def test_a_change_for_all_open_deals_on_one_day_is_found_too() -> None:
    def closes(created: float, closed: float, won: bool) -> float:
        aged = max(created + 15, CHANGE)
        return closed if won or closed <= aged else aged + 2 * (closed - aged)

    told = [
        msgspec.structs.replace(each, measure=WON)
        if each.measure == LOST and day_of_observation(each) > CHANGE + 5 and each.value > 15 and i % 2
        else each
        for i, each in enumerate(pipeline(SIGNAL.name, days=480, seed=1, closes=closes))
    ]
    _, alerts = judge(SIGNAL, told)
    first = next(each for each in alerts if isinstance(each, DriftAlert))
    assert (first.segment, first.state) == ("all", "drifting")
    assert CHANGE < day_of(first.at) < CHANGE + 120


def test_lingering_alone_is_kept_alive() -> None:
    for seed in (1, 2, 3):
        state, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=480, seed=seed, length=KEPT_ALIVE))
        assert {what for _, what in said(alerts)} == {"kept alive"}
        assert ("all", "kept alive") in said(alerts)
        assert all(isinstance(each, Notice) for each in alerts)
        assert SIGNAL.verdicts(state)[0].finding == "kept alive"


def test_the_words() -> None:
    _, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=520, seed=1, length=WIDENED))
    assert as_text(alerts) == golden("slg.aged_win_rate", as_text(alerts))


LOOK_ALIKES: dict[str, dict[str, Any]] = {
    "nothing changes": {},
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
    "larger deals": {
        "shares": {
            "up to 10000 EUR": lambda day: 0.8 if day < CHANGE else 0.2,
            "over 10000 EUR": lambda day: 0.2 if day < CHANGE else 0.8,
        }
    },
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_silent(look_alike: str, seed: int) -> None:
    state, alerts = judge(SIGNAL, pipeline(SIGNAL.name, days=480, seed=seed, **LOOK_ALIKES[look_alike]))
    assert said(alerts) == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


def test_a_long_silence_and_closings_of_nobody_change_nothing() -> None:
    state = SIGNAL.new_state()
    told = pipeline(SIGNAL.name, days=90, seed=1)
    far = START + 90 * 365 * DAY
    for each in told:
        SIGNAL.step(state, each)
    for measure in (WON, LOST):
        closing = Observation(
            signal=SIGNAL.name,
            measure=measure,
            at=far,
            began=far - WEEK,
            value=7.0,
            account="a",
            segments={"rep": "nobody", "closer": "nobody"},
            stratum="never heard of",
        )
        assert SIGNAL.step(state, closing) == []
    weeks = state.segments["all"].monitor.stored.weeks
    assert len(weeks) <= 260
    assert sum(week.ones + week.lost for week in weeks) <= sum(each.measure in (WON, LOST) for each in told)


def test_the_median_counts_open_deals() -> None:
    ages = [
        Age(n=100, won=0, lost=0),
        Age(n=100, won=5, lost=5),
        Age(n=80, won=10, lost=10),
        Age(n=55, lost=30),
    ]
    # Of those beyond three and a half weeks 0.675 are left; in the fourth, more than half of the rest end.
    assert 17.5 < median_of(ages) < 24.5
    assert median_of(ages[:3]) == 0.0
    assert median_of([Age(n=10, won=5)]) == 0.0
