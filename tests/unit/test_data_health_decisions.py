"""data.health and people: a source that was retired, an illness that is known."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.health.data_health import HealthState
from detectors.signals.contract import ACKNOWLEDGED, BASELINE_RETAKEN, Verdict
from schemas.duration import DAY, HOUR
from schemas.errors import EventRefused
from schemas.observations import Observation
from tests.unit.health_world import (
    CHANGE,
    CRM,
    DESK,
    HEALTH,
    START,
    TRACKER,
    around_the_clock,
    heard,
    hours,
    office,
    source,
)

ENDED = "product.event /web"


def decision(at: float, segment: str = ENDED, *, retake: bool = True) -> Observation:
    return Observation(
        signal="data.health",
        measure=BASELINE_RETAKEN if retake else ACKNOWLEDGED,
        at=at,
        began=at,
        value=1.0,
        account="",
        known=at,
        segments={"segment": segment, "by": "Ann"},
        phrases=["The connector is switched off"],
    )


def ending(days: int, decided: Observation, speaks: int = 10_000) -> list[Observation]:
    """The tracker says nothing from CHANGE to the day ``speaks``; a decision among the hours."""
    tracker = source(TRACKER, around_the_clock(500), silent=lambda day, hour: CHANGE <= day < speaks)
    stream = [*hours(days, 17, tracker, source(CRM, office(30))), decided]
    return sorted(stream, key=lambda each: each.at)


def verdict_of(state: HealthState, segment: str = ENDED) -> Verdict | None:
    return next((each for each in HEALTH.verdicts(state) if each.segment == segment), None)


def test_a_source_that_was_retired_is_ill_no_more() -> None:
    at = START + (CHANGE + 9) * DAY + HOUR / 2
    state, alerts = heard(ending(CHANGE + 10, decision(at)))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    assert alerts[1].at.timestamp() == at
    assert alerts[1].suspends == alerts[0].suspends == ["plg.adoption_breadth"]
    assert "By a person's decision" in alerts[1].what
    (fact,) = HEALTH.facts(state)
    assert (fact.illness.ended, fact.illness.adopted) == (at, False)
    verdict = verdict_of(state)
    assert verdict is not None
    assert (verdict.state, verdict.missing, verdict.finding) == ("learning", "its next event", "")
    (made,) = verdict.decisions
    assert (made.kind, made.by, made.state, made.since) == (
        "baseline_retaken",
        "Ann",
        "ill",
        alerts[0].since.timestamp(),
    )
    assert HEALTH.verdicts(state)[0].state == "watching"


def test_what_is_meant_to_be_so_becomes_the_usual_by_a_persons_word() -> None:
    """The clock stays behind; who depends on it learns anew, and so does the watch."""
    made = source(TRACKER, around_the_clock(400))

    def late(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        found = made(draw, day, hour, at)
        if found is not None and day >= CHANGE:
            found.counts["seen"][3] = found.counts["seen"][0]
        return found

    at = START + (CHANGE + 40) * DAY + HOUR / 2
    stream = sorted([*hours(CHANGE + 100, 19, late), decision(at)], key=lambda each: each.at)
    state, alerts = heard(stream)
    assert [(alert.state, alert.symptom) for alert in alerts] == [
        ("ill", "clock behind"),
        ("well", "clock behind"),
    ]
    assert "By a person's decision" in alerts[1].what
    assert "learn their baselines anew" in alerts[1].means
    (fact,) = HEALTH.facts(state)
    assert (fact.illness.ended, fact.illness.adopted) == (at, True)
    assert state.watches["product.event"]["/web"].state == "watching"


def test_retired_before_it_is_missed_it_is_never_ill_and_is_shown_for_four_weeks() -> None:
    decided = decision(START + CHANGE * DAY + HOUR / 2)
    state, alerts = heard(ending(CHANGE + 27, decided))
    assert alerts == []
    assert verdict_of(state) is not None
    state, alerts = heard(ending(CHANGE + 30, decided))
    assert alerts == []
    assert verdict_of(state) is None
    assert state.decided == {}


@pytest.mark.parametrize("silent", [10, 60])
def test_a_retired_source_that_speaks_again_is_learned_anew(silent: int) -> None:
    """Whether it is still shown or not."""
    decided = decision(START + (CHANGE + 5) * DAY + HOUR / 2)
    again = CHANGE + silent
    state, alerts = heard(ending(again + 20, decided, speaks=again))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    verdict = verdict_of(state)
    assert verdict is not None
    assert (verdict.state, verdict.missing) == ("learning", "1.1 weeks of its rhythm")
    state, alerts = heard(ending(again + 40, decided, speaks=again))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    assert state.watches["product.event"]["/web"].state == "watching"
    assert state.watches["product.event"]["/web"].rhythm.a_day == pytest.approx(450, rel=0.1)


def test_an_acknowledged_illness_is_shown_as_such_and_goes_on() -> None:
    decided = decision(START + (CHANGE + 5) * DAY + HOUR / 2, retake=False)
    state, alerts = heard(ending(CHANGE + 10, decided))
    assert [alert.state for alert in alerts] == ["ill"]
    (fact,) = HEALTH.facts(state)
    assert fact.illness.ended is None
    stored = HEALTH.decode_state(HEALTH.encode_state(state))
    for each in (state, stored):
        verdict = verdict_of(each)
        assert verdict is not None
        assert (verdict.state, verdict.finding) == ("acknowledged", "silent")
        assert [made.reason for made in verdict.decisions] == ["The connector is switched off"]
        assert HEALTH.verdicts(each)[0].state == "acknowledged"
    state, alerts = heard(ending(CHANGE + 30, decided, speaks=CHANGE + 12))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    assert not state.decided[ENDED].known


def test_an_acknowledgement_is_not_of_the_next_illness() -> None:
    def made(day: int, hour: int) -> bool:
        return CHANGE <= day < CHANGE + 12 or day >= CHANGE + 80

    tracker = source(TRACKER, around_the_clock(500), silent=made)
    decided = decision(START + (CHANGE + 5) * DAY + HOUR / 2, retake=False)
    stream = sorted([*hours(CHANGE + 120, 18, tracker), decided], key=lambda each: each.at)
    state, alerts = heard(stream)
    assert [alert.state for alert in alerts] == ["ill", "well", "ill"]
    verdict = verdict_of(state)
    assert verdict is not None
    assert verdict.state == "ill"
    assert len(verdict.decisions) == 1


@pytest.mark.parametrize("retake", [True, False])
@pytest.mark.parametrize("segment", ["product.event /nowhere", "nothing", "", "all"])
def test_a_decision_about_no_source_is_refused(segment: str, retake: bool) -> None:
    state, _ = heard(hours(2, 15, source(DESK, around_the_clock(30))))
    before = HEALTH.encode_state(state)
    with pytest.raises(EventRefused, match=r"source|segment"):
        HEALTH.step(state, decision(START + 2 * DAY, segment, retake=retake))
    assert HEALTH.encode_state(state) == before
