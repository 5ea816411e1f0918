"""Announced changes: a drift that begins about the day is told as a notice, whatever the signal; nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import msgspec
import pytest

from detectors.announcements import (
    AFTER_DAYS,
    ANNOUNCED_CHANGE,
    BEFORE_DAYS,
    LEEWAY_AFTER_DAYS,
    LEEWAY_BEFORE_DAYS,
    MAX_ANNOUNCEMENTS,
    explains,
    may_come,
)
from detectors.catalogue import SIGNALS
from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import ACKNOWLEDGED, ANNOUNCED, Announcement, Verdict
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from schemas.errors import EventRefused
from schemas.observations import Observation
from tests.unit.drift_courses import COURSES, Course

REASON = "New list prices"
SHORT = "slg.off_profile_pipeline"
"""the course that is soonest run, for what one signal can show"""


def told(
    course: Course, on: float, at: float, segment: str | None = None, reason: str = REASON
) -> Observation:
    """An announcement as the account stage hands it on; Unix seconds."""
    about = {} if segment is None else {"segment": segment}
    return Observation(
        signal=course.signal.name,
        measure=ANNOUNCED,
        at=at,
        began=at,
        value=on,
        account="",
        segments={**about, "by": "Ann"},
        phrases=[reason],
    )


class Run:
    """A course through the drift stage, and how its segment stood on the way."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.name = course.signal.name
        self.stage = DriftStage([course.signal])
        self.state = self.stage.new_state(self.name)
        self.effects = Effects()
        self.states: list[str] = []

    def take(self, observations: Iterable[Observation], *, looks: int = 0) -> Run:
        for number, each in enumerate(observations):
            self.stage.step(self.name, self.state, each, each.at, self.effects)
            if looks and number % looks == 0:
                self.states.append(self.verdict().state)
        return self

    def verdict(self, segment: str | None = None) -> Verdict:
        wanted = segment or self.course.segment
        verdicts = self.stage.verdicts(self.name, self.state)
        return next(each for each in verdicts if each.segment == wanted)

    @property
    def said(self) -> list[DriftAlert | Notice]:
        """Of the course's segment."""
        alerts: Sequence[Any] = self.effects.alerts
        return [each for each in alerts if each.segment == self.course.segment]

    @property
    def drifts(self) -> list[DriftAlert]:
        return [each for each in self.said if isinstance(each, DriftAlert)]

    @property
    def notices(self) -> list[Notice]:
        return [each for each in self.said if isinstance(each, Notice) and each.finding == ANNOUNCED_CHANGE]


@cache
def course_of(name: str) -> Course:
    return COURSES[name]()


@cache
def plain(name: str) -> Run:
    return Run(course_of(name)).take(course_of(name).observations)


def day_of(drift: DriftAlert) -> float:
    """The beginning of the day on which it began, by estimate."""
    return drift.since.timestamp() // DAY * DAY


def before(observations: Sequence[Observation], at: float) -> int:
    """How many of them come before ``at``."""
    return sum(each.at < at for each in observations)


@pytest.mark.parametrize("name", COURSES)
def test_an_announced_drift_is_a_notice_whatever_the_signal(name: str) -> None:
    assert set(COURSES) == set(SIGNALS)
    course = course_of(name)
    began, ended = plain(name).drifts
    on, observations = day_of(began), course.observations
    place = before(observations, on)
    run = Run(course).take(observations[:place]).take([told(course, on, observations[place].at)])
    announced = run.verdict()
    assert (announced.state, announced.decisions) == ("watching", [])
    assert [(each.on, each.by, each.reason) for each in announced.announcements] == [(on, "Ann", REASON)]
    run.take(observations[place:], looks=50)

    (notice,) = run.notices
    assert (notice.at, notice.what) == (began.at, began.what)
    assert REASON in notice.means
    assert began.check in notice.means
    assert run.drifts == [ended]
    assert "drifting" not in run.states
    assert [state for state, _ in groupby(run.states)] == ["watching", "acknowledged", "resolved", "watching"]
    (made,) = run.verdict().decisions
    assert (made.kind, made.by, made.reason) == ("announced", "Ann", REASON)
    assert (made.at, made.since) == (began.at.timestamp(), began.since.timestamp())
    own = course.signal.encode_state
    assert own(run.state.own) == own(plain(name).state.own)  # the signal itself knows nothing of it


FAR = BEFORE_DAYS + AFTER_DAYS + LEEWAY_BEFORE_DAYS + LEEWAY_AFTER_DAYS


@pytest.mark.parametrize("days", [-FAR, FAR])
def test_what_began_well_before_or_after_the_day_is_told_as_ever(days: float) -> None:
    course = course_of(SHORT)
    began, _ = plain(SHORT).drifts
    on = day_of(began) + days * DAY
    run = Run(course).take([told(course, on, course.observations[0].at)]).take(course.observations)
    assert run.effects.alerts == plain(SHORT).effects.alerts
    assert run.verdict().decisions == []


def test_what_is_found_before_the_day_is_no_effect_of_it() -> None:
    course = course_of(SHORT)
    began, _ = plain(SHORT).drifts
    on = began.at.timestamp() // DAY * DAY + DAY
    assert explains(Announcement(0.0, on, "Ann", REASON), began.since.timestamp(), 60.0, on)
    run = Run(course).take([told(course, on, course.observations[0].at, course.segment)])
    run.take(course.observations)
    assert run.effects.alerts == plain(SHORT).effects.alerts


def test_an_announcement_that_comes_later_acknowledges_what_was_told() -> None:
    course = course_of(SHORT)
    began, ended = plain(SHORT).drifts
    place = before(course.observations, began.at.timestamp() + DAY)
    at = course.observations[place].at
    run = Run(course).take(course.observations[:place])
    assert run.verdict().state == "drifting"
    run.take([told(course, day_of(began) + FAR * DAY, at)])
    assert run.verdict().state == "drifting"
    run.take([told(course, day_of(began), at)])
    assert run.verdict().state == "acknowledged"
    (made,) = run.verdict().decisions
    assert (made.kind, made.at, made.by, made.reason) == ("announced", at, "Ann", REASON)
    run.take([told(course, day_of(began), at, reason="Once more")])
    assert len(run.verdict().decisions) == 1
    run.take(course.observations[place:])
    assert run.drifts == [began, ended]
    assert run.notices == []


def test_an_announcement_of_a_segment_is_of_that_segment_alone() -> None:
    name = "plg.conversion_gap"
    course = course_of(name)
    (began, ended), observations = plain(name).drifts, course.observations
    on = day_of(began)
    for segment, noticed in (("source:content", True), ("all", False)):
        place = before(observations, on)
        run = Run(course).take(observations[:place])
        run.take([told(course, on, observations[place].at, segment)]).take(observations[place:])
        assert run.drifts == ([ended] if noticed else [began, ended])
        assert len(run.notices) == noticed
        shown = {each.segment for each in run.stage.verdicts(name, run.state) if each.announcements}
        assert shown == {segment}


def test_a_segment_that_there_is_not_is_refused_and_nothing_changes() -> None:
    course = course_of(SHORT)
    run = Run(course)
    stored = run.stage.encode_state(run.name, run.state)
    with pytest.raises(EventRefused, match="no such segment"):
        run.take([told(course, 0.0, 0.0, "rep:nobody")])
    assert run.stage.encode_state(run.name, run.state) == stored


def test_the_newest_are_kept_and_a_stored_state_goes_on() -> None:
    course = course_of(SHORT)
    run = Run(course)
    empty = run.stage.encode_state(run.name, run.state)
    assert "announced" not in msgspec.msgpack.decode(empty)  # as it was before there were announcements
    run.take(
        told(course, DAY, float(number), reason=f"reason {number}") for number in range(3 * MAX_ANNOUNCEMENTS)
    )
    kept = run.verdict().announcements
    assert [each.at for each in kept] == list(range(3 * MAX_ANNOUNCEMENTS - 1, 2 * MAX_ANNOUNCEMENTS - 1, -1))
    assert run.stage.verdicts(run.name, run.stage.decode_state(run.name, empty))[0].announcements == []
    stored = run.stage.encode_state(run.name, run.state)
    run.state = run.stage.decode_state(run.name, stored)
    assert run.verdict().announcements == kept
    assert run.stage.encode_state(run.name, run.state) == stored


def test_of_several_the_nearest_day_is_the_cause() -> None:
    course = course_of(SHORT)
    began, _ = plain(SHORT).drifts
    at = course.observations[0].at
    run = Run(course).take(
        told(course, day_of(began) + days * DAY, at, reason=f"{days} days")
        for days in (-12, 1, BEFORE_DAYS - 2)
    )
    run.take(course.observations)
    assert "1 days" in run.notices[0].means


def test_it_is_known_until_a_person_says_otherwise_or_it_ends() -> None:
    """A person's own decision stands before the announcement, and is kept beside it."""
    course = course_of(SHORT)
    began, _ = plain(SHORT).drifts
    place = before(course.observations, began.at.timestamp() + DAY)
    at = course.observations[place].at
    run = Run(course).take([told(course, day_of(began), course.observations[0].at)])
    run.take(course.observations[:place])
    assert run.verdict().state == "acknowledged"
    decision = msgspec.structs.replace(
        told(course, 0.0, at, course.segment, "We looked"), measure=ACKNOWLEDGED, value=1.0
    )
    run.take([decision])
    assert [(each.kind, each.state) for each in run.verdict().decisions] == [
        ("acknowledged", "acknowledged"),
        ("announced", "drifting"),
    ]
    assert run.verdict().state == "acknowledged"


@pytest.mark.parametrize(
    ("days", "margin", "fits"),
    [
        (0.0, 0.0, True),
        (-BEFORE_DAYS, 0.0, True),
        (-BEFORE_DAYS - 0.1, 0.0, False),
        (AFTER_DAYS, 0.0, True),
        (AFTER_DAYS + 0.1, 0.0, False),
        (-BEFORE_DAYS - 5.0, 10.0, True),
        (-BEFORE_DAYS - 5.1, 10.0, False),
        (AFTER_DAYS + 10.0, 10.0, True),
        (AFTER_DAYS + 10.1, 10.0, False),
        (-BEFORE_DAYS - LEEWAY_BEFORE_DAYS - 0.1, 500.0, False),
        (AFTER_DAYS + LEEWAY_AFTER_DAYS + 0.1, 500.0, False),
    ],
)
def test_the_days_in_which_a_drift_begins_that_is_explained(days: float, margin: float, fits: bool) -> None:
    announcement = Announcement(0.0, 100 * DAY, "Ann", REASON)
    since = (100 + days) * DAY
    assert explains(announcement, since, margin, since + 90 * DAY) is fits
    assert not explains(announcement, since, margin, 100 * DAY - 1)
    assert may_come(announcement, since) or not fits


def test_what_can_explain_no_more_is_shown_as_no_more_than_history() -> None:
    announcement = Announcement(0.0, 100 * DAY, "Ann", REASON)
    assert may_come(announcement, (100 + AFTER_DAYS + LEEWAY_AFTER_DAYS) * DAY)
    assert not may_come(announcement, (100.1 + AFTER_DAYS + LEEWAY_AFTER_DAYS) * DAY)
