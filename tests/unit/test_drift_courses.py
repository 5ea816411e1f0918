"""What every signal says over the course of a drift, from learning to its end, whatever it watches.

What a signal finds, how soon and what it must not is in its own tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import msgspec
import pytest

from detectors.catalogue import SIGNALS
from detectors.signals.contract import ALL, Verdict, VerdictState
from schemas.alerts import DriftAlert, Notice
from schemas.duration import WEEK
from tests.unit.drift_courses import COURSES, Course
from tests.unit.judging import retaken

LOOKS = 400
BATCHES = 7


@dataclass
class Run:
    """A course as it went: ``found`` is the state right after the first alert of its segment, ``told`` after how many
    observations that was; ``states``: the verdict's, one after the other."""

    course: Course
    alerts: list[DriftAlert | Notice] = field(default_factory=list)
    states: list[VerdictState] = field(default_factory=list)
    found: bytes = b""
    told: int = 0
    end: bytes = b""

    def verdict(self, raw: bytes) -> Verdict:
        return _verdict(self.course, self.course.signal.decode_state(raw))

    @property
    def drifts(self) -> list[DriftAlert]:
        mine = [alert for alert in self.alerts if alert.segment == self.course.segment]
        return [alert for alert in mine if isinstance(alert, DriftAlert)]


def _verdict(course: Course, state: object) -> Verdict:
    (found,) = [each for each in course.signal.verdicts(state) if each.segment == course.segment]
    return found


@pytest.fixture(scope="module", params=COURSES)
def run(request: pytest.FixtureRequest) -> Run:
    course = COURSES[request.param]()
    made, state, seen = Run(course), course.signal.new_state(), []
    for number, observation in enumerate(course.observations, start=1):
        made.alerts += course.signal.step(state, observation)
        if not made.told and made.drifts:
            made.found, made.told = course.signal.encode_state(state), number
        if number % (len(course.observations) // LOOKS) == 0:
            verdicts = course.signal.verdicts(state)
            seen += [verdict.state for verdict in verdicts if verdict.segment == course.segment]
    made.states = [state for state, _ in groupby(seen)]
    made.end = course.signal.encode_state(state)
    return made


def test_every_signal_has_a_course() -> None:
    assert set(COURSES) == set(SIGNALS)


def test_its_beginning_and_its_end_are_told_once(run: Run) -> None:
    began, ended = run.drifts
    assert (began.state, ended.state) == ("drifting", "resolved")
    assert began.id != ended.id
    assert began.since < began.at < ended.at
    assert began.since < ended.since < ended.at


def test_its_states_follow_one_another(run: Run) -> None:
    assert run.states == ["learning", "watching", "drifting", "resolved", "watching"]


def test_a_stored_state_goes_on_as_the_one_that_was_kept(run: Run) -> None:
    signal, told = run.course.signal, run.course.observations
    state, alerts = signal.new_state(), []
    for start in range(0, len(told), len(told) // BATCHES):
        batch = told[start : start + len(told) // BATCHES]
        alerts += [alert for each in batch for alert in signal.step(state, each)]
        state = signal.decode_state(signal.encode_state(state))
    assert alerts == run.alerts
    assert signal.encode_state(state) == run.end


def test_a_baseline_can_be_retaken_while_it_drifts(run: Run) -> None:
    """The drift is closed with an alert of its own, once, and what was learned is forgotten."""
    signal, segment = run.course.signal, run.course.segment
    state, at = signal.decode_state(run.found), run.course.observations[run.told - 1].at
    before = _verdict(run.course, state)
    (closed,) = signal.step(state, retaken(signal, at, segment))
    assert (closed.segment, closed.state) == (segment, "resolved")
    assert "by a person's decision" in closed.what
    verdict = _verdict(run.course, state)
    assert (verdict.state, verdict.before, verdict.since) == ("learning", None, None)
    assert (verdict.n, verdict.statistic, verdict.threshold) == (before.n, 0.0, 0.0)
    assert verdict.missing != ""
    assert signal.step(state, retaken(signal, at, segment)) == []


def test_a_baseline_can_be_retaken_where_nothing_drifts(run: Run) -> None:
    signal, segment = run.course.signal, run.course.segment
    state = signal.decode_state(run.end)
    assert signal.step(state, retaken(signal, run.course.observations[-1].at, segment)) == []
    assert _verdict(run.course, state).state == "learning"


def test_what_was_learned_anew_is_the_new_normal(run: Run) -> None:
    """What goes on as it did when the baseline was retaken is no drift."""
    signal, told = run.course.signal, run.course.observations
    state = signal.decode_state(run.found)
    signal.step(state, retaken(signal, told[run.told - 1].at, run.course.segment))
    ended = next(place for place, each in enumerate(told) if each.at >= run.drifts[1].since.timestamp())
    alerts = [alert for each in told[run.told : ended] for alert in signal.step(state, each)]
    assert [alert for alert in alerts if alert.segment == run.course.segment] == []


def test_when_it_comes_again_it_has_ids_of_its_own(run: Run) -> None:
    """The same history once more, weeks later: the second drift is not taken for a repeat of the first."""
    signal, told = run.course.signal, run.course.observations
    state, later = signal.decode_state(run.end), (told[-1].at - told[0].at) // WEEK * WEEK + WEEK
    again = (msgspec.structs.replace(each, at=each.at + later, began=each.began + later) for each in told)
    ids = [alert.id for each in again for alert in signal.step(state, each)]
    assert ids
    assert not {*ids} & {alert.id for alert in run.alerts}
    assert len({*ids}) == len(ids)


def test_a_state_stays_small(run: Run) -> None:
    assert len(run.end) < 100_000
    assert run.verdict(run.end).history[-1].at > run.drifts[1].since.timestamp()


def test_the_whole_is_always_there(run: Run) -> None:
    assert run.course.signal.verdicts(run.course.signal.decode_state(run.end))[0].segment == ALL
