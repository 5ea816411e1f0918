"""slg.aged_win_rate, drift half: what it finds in a pipeline of known hazards, and what it must not."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.signals.opportunities import LOST, WON
from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_aged_win_rate_state import Age, median_of
from schemas.alerts import DriftAlert, Notice
from schemas.duration import WEEK
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.judging import judge, said
from tests.unit.pipeline_world import CHANGE, DAY, START, day_of, lingering, pipeline
from tests.unit.signal_words import as_text, golden

SIGNAL = AgedWinRate.configured(DriftSettings(), 120)


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
