"""River's detectors beside the signals: what they notice and how seldom they say so, and their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import ALL, Opinion, Signal
from detectors.signals.second_opinion import FINDING, QUIET, SecondOpinion
from detectors.signals.slg_hedged_language import HEDGED
from schemas.alerts import Alert, Notice
from schemas.duration import DAY
from schemas.errors import StateRefused
from schemas.observations import Observation, encode_observation
from schemas.settings import DriftSettings, RiverDetectorName, Settings
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore
from tests.unit import notes_world
from tests.unit.drift_courses import COURSES
from tests.unit.judging import retaken
from tests.unit.test_suspension import SAMPLE, outage

NOTES = notes_world.SIGNAL
GAP = "plg.conversion_gap"


@dataclass
class Heard:
    """What came of a stream: the state of the stage, all that was said, and the second opinion's part of it."""

    stage: DriftStage
    state: Any
    alerts: list[Alert]

    @property
    def notices(self) -> list[Notice]:
        return [each for each in self.alerts if isinstance(each, Notice) and each.finding == FINDING]


def heard(
    signal: Signal,
    name: RiverDetectorName | None,
    observations: Sequence[Observation],
    raw: bytes | None = None,
) -> Heard:
    stage = DriftStage([signal], second_opinions={} if name is None else {signal.name: name})
    state = stage.new_state(signal.name) if raw is None else stage.decode_state(signal.name, raw)
    effects = Effects()
    for observation in observations:
        stage.step(signal.name, state, observation, observation.at, effects)
    return Heard(stage, state, effects.alerts)


@cache
def notes() -> Sequence[Observation]:
    """Notes that hedge four times as often from day 150 to day 230."""
    return notes_world.writing(lambda rep, day: 0.45 if 150 <= day < 230 else 0.1, days=330)


@pytest.mark.parametrize("course", COURSES)
def test_a_change_of_every_signal_is_noticed_and_its_drift_is_not_touched(course: str) -> None:
    made = COURSES[course]()
    beside, alone = (
        heard(made.signal, "adwin", made.observations),
        heard(made.signal, None, made.observations),
    )
    assert beside.notices
    assert [each for each in beside.alerts if each not in beside.notices] == alone.alerts
    signal = made.signal
    assert signal.encode_state(beside.state.own) == signal.encode_state(alone.state.own)
    assert all(each.segment == ALL and "decides nothing" in each.means for each in beside.notices)


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "kswin", "hddm_a"])
def test_each_detector_finds_the_change_and_its_end(name: RiverDetectorName) -> None:
    days = [(each.at.timestamp() - notes()[0].at) / DAY for each in heard(NOTES, name, notes()).notices]
    assert any(150 < day < 215 for day in days)
    assert any(230 < day < 300 for day in days)


def test_its_words() -> None:
    first = heard(NOTES, "adwin", notes()).notices[0]
    assert first.what == (
        "A second opinion, river's adwin, found a change on 18 August 2026, at observation 960 of those that it has read: "
        "share of new opportunities that hedge about fit, 11.9 of 100 over the 930 before and 40.0 of 100 over the newest 30."
    )
    assert first.means == (
        "It decides nothing, and nothing is promised about how often it is wrong. The signal itself is drifting: its statistic "
        "is 649,290, and alarms at 71,693."
    )


def alternating(every: int, length: int) -> list[Observation]:
    """Eight openings a day; all hedge and none hedge, in turns of so many."""
    told = [NOTES._example("stage_change_seen", 0.0, 0.0, 1.0, 0)]
    for i in range(length):
        began = (30 + i / 8) * DAY
        told.append(NOTES._example(HEDGED, began + 14 * DAY, began, float(i // every % 2), i))
    return told


def test_at_most_one_notice_in_four_weeks_whatever_it_finds() -> None:
    told = alternating(every=64, length=2_000)
    beside = heard(NOTES, "adwin", told)
    finds, stage, state = 0, beside.stage, beside.stage.new_state(NOTES.name)
    for observation in told:
        before = state.second.kept.found_at
        stage.step(NOTES.name, state, observation, observation.at, Effects())
        finds += state.second.kept.found_at != before
    at = [each.at.timestamp() for each in beside.notices]
    assert finds > len(at) > 2
    assert all(later - earlier >= QUIET for earlier, later in pairwise(at))
    assert len({each.id for each in beside.notices}) == len(at)
    assert beside.notices[0].means.endswith("The signal itself is still learning.")


def test_what_is_counted_out_it_does_not_read() -> None:
    """Of the first four weeks nothing is, though the signal is told of it."""
    settling = [each for each in notes() if each.began < notes()[0].at + 20 * DAY]
    assert any(each.measure == HEDGED for each in settling)
    assert heard(NOTES, "adwin", settling).state.second.kept.n == 0


def test_turned_on_and_off_the_signal_keeps_what_it_has_learned() -> None:
    half = len(notes()) // 2
    without = heard(NOTES, None, notes()[:half])
    raw = without.stage.encode_state(NOTES.name, without.state)
    on = heard(NOTES, "adwin", notes()[half:], raw)
    assert 0 < on.state.second.kept.n < NOTES.verdicts(on.state.own)[0].n
    off = heard(NOTES, None, [], on.stage.encode_state(NOTES.name, on.state))
    whole = heard(NOTES, None, notes())
    assert off.stage.encode_state(NOTES.name, off.state) == whole.stage.encode_state(NOTES.name, whole.state)


def test_another_detector_begins_anew() -> None:
    adwin = heard(NOTES, "adwin", notes()[:3000])
    raw = adwin.stage.encode_state(NOTES.name, adwin.state)
    assert heard(NOTES, "adwin", [], raw).state.second.kept.n == adwin.state.second.kept.n > 0
    assert heard(NOTES, "kswin", [], raw).state.second.kept.n == 0


def test_a_state_that_cannot_be_read_is_refused() -> None:
    opinion = SecondOpinion("adwin", NOTES)
    raw = opinion.encode_state(opinion.new_state())
    version, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
    for foreign in (msgspec.msgpack.encode((version + 1, body)), raw[:-1], b"{}"):
        with pytest.raises(StateRefused, match=r"second opinion on slg\.hedged_language"):
            opinion.decode_state(foreign)


def test_it_begins_anew_with_the_baseline_of_the_whole_alone() -> None:
    found = heard(NOTES, "adwin", notes()).notices[0]
    until = next(n for n, each in enumerate(notes()) if each.at > found.at.timestamp())
    at = notes()[until - 1].at  # of the find itself
    of_one_rep = heard(NOTES, "adwin", [*notes()[:until], retaken(NOTES, at, "rep:anna")])
    assert of_one_rep.state.second.kept.n > 0
    of_all = heard(NOTES, "adwin", [*notes()[:until], retaken(NOTES, at)])
    kept = of_all.state.second.kept
    assert (kept.n, kept.found_at, kept.told_at) == (0, None, at)


def test_hddm_a_does_not_read_what_is_not_0_or_1() -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        SecondOpinion("hddm_a", COURSES["slg.cycle_spread"]().signal)


def test_it_does_not_read_what_an_ill_source_has_touched() -> None:
    store, settings = MemoryStore(), Settings(drift=DriftSettings(second_opinion={GAP: "adwin"}))
    pipeline = Pipeline(store, SAMPLE, settings, None)
    pipeline.observe([encode_observation(each) for each in outage()])
    (whole,) = [each for each in pipeline.verdicts() if (each.signal, each.segment) == (GAP, ALL)]
    assert whole.counted_out["data_health"] > 100
    assert whole.second_opinion == Opinion("adwin", whole.n, None)
