"""data.health on hours of sources: what makes one ill, what does not, how it ends, and what is bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.health.share import WATCHES
from schemas.duration import DAY, HOUR
from schemas.errors import EventRefused, StateRefused
from schemas.observations import Observation
from tests.unit.health_world import (
    CHANGE,
    CRM,
    DESK,
    HEALTH,
    START,
    TRACKER,
    around_the_clock,
    copies,
    day_of,
    heard,
    hours,
    office,
    source,
    spread_over,
    told,
)


def filled(name: str, share: float, until: int = 10_000, then: float = 0.0) -> Any:
    def counts(draw: np.random.Generator, n: int, day: int) -> dict[str, list[int]]:
        k = int(draw.binomial(n, share if day < until else then))
        return {f"filled_{name}": [k]} if k else {}

    return counts


# silence


@pytest.mark.parametrize(
    ("rate", "within"), [(around_the_clock(2000), 1.0), (office(40), 5.0), (around_the_clock(12), 3.0)]
)
def test_a_source_that_dies_is_found_and_dated(rate: Any, within: float) -> None:
    dies = source(TRACKER, rate, silent=lambda day, hour: day >= CHANGE + 1)
    state, alerts = heard(hours(CHANGE + 20, 1, dies, source(CRM, office(30))))
    (alert,) = alerts
    assert (alert.state, alert.symptom, alert.source, alert.type) == (
        "ill",
        "silent",
        "/web",
        "product.event",
    )
    assert CHANGE + 1 < day_of(alert) <= CHANGE + 1 + within
    assert abs(alert.since.timestamp() - (START + (CHANGE + 1) * DAY)) < 3.1 * DAY
    assert alert.suspends == ["plg.adoption_breadth"]
    verdicts = {verdict.segment: verdict for verdict in HEALTH.verdicts(state)}
    assert verdicts["all"].state == verdicts["product.event /web"].state == "ill"
    assert verdicts["crm.stage_changed /crm"].state == "watching"


def test_it_is_well_again_when_events_come() -> None:
    pauses = source(TRACKER, around_the_clock(500), silent=lambda day, hour: CHANGE <= day < CHANGE + 10)
    state, alerts = heard(hours(CHANGE + 14, 2, pauses))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    assert CHANGE + 10 <= day_of(alerts[1]) <= CHANGE + 11
    assert alerts[0].id != alerts[1].id
    ((_, illness),) = [(fact.type, fact.illness) for fact in HEALTH.facts(state)]
    assert illness.ended == alerts[1].at.timestamp()
    assert not illness.adopted


def test_holidays_are_no_outage() -> None:
    """Easter: Friday to Monday nobody works; a person who is away for two weeks; nights and weekends anyway."""
    easter = (88, 89, 90, 91)
    at_work = source(CRM, office(60), silent=lambda day, hour: day in easter)
    tracker = source(TRACKER, around_the_clock(300))
    assert heard(hours(200, 3, at_work, tracker, source(DESK, office(4))))[1] == []


@pytest.mark.parametrize("day", range(5))
@pytest.mark.parametrize("share", [0.0, 0.02])
def test_two_holidays_in_a_week_are_no_outage(day: int, share: float) -> None:
    """Wherever they lie, and whether weekends are dead or nearly so."""
    usual = office(300)

    def rate(of: int, hour: int) -> float:
        return usual(of, hour) or share * 30

    first = 84 + day
    rests = source(CRM, rate, silent=lambda of, hour: first <= of < first + 2)
    assert heard(hours(120, 21 + day, rests))[1] == []


def test_holidays_make_it_no_slower() -> None:
    """After Easter and a long weekend, a source that dies on a Wednesday is missed on Tuesday."""
    at_work = source(
        CRM, office(60), silent=lambda day, hour: day in (88, 89, 90, 91, 107) or day >= CHANGE + 2
    )
    _, (alert,) = heard(hours(CHANGE + 20, 22, at_work))
    assert CHANGE + 2 < day_of(alert) <= CHANGE + 7.5


@pytest.mark.parametrize("imported", [3, 80])
def test_an_import_raises_no_expectation(imported: int) -> None:
    """A history of ten thousand is sent within a day, as the first thing or later: a source that goes on as before is well, and
    one that dies a month after it is missed."""
    usual = around_the_clock(200)

    def rate(day: int, hour: int) -> float:
        return usual(day, hour) + (400 if day == imported else 0)

    assert heard(hours(CHANGE, 23, source(TRACKER, rate)))[1] == []
    dies = source(TRACKER, rate, silent=lambda day, hour: day >= CHANGE)
    _, (alert,) = heard(hours(CHANGE + 10, 23, dies))
    assert CHANGE < day_of(alert) <= CHANGE + 2


@pytest.mark.parametrize("seed", range(3))
def test_a_year_without_a_false_alarm(seed: int) -> None:
    """Three installations of four sources; two grow, one shrinks; fields, categories and copies are as usual."""
    state, alerts = heard(
        hours(
            365,
            10 + seed,
            source(CRM, office(15), growth_a_year=2.0, counts=filled("note", 0.3)),
            source(TRACKER, around_the_clock(400), growth_a_year=0.4, counts=filled("feature", 0.7)),
            source(
                DESK,
                around_the_clock(20),
                counts=lambda draw, n, day: (
                    copies(draw, n, 1) | {"values_category": spread_over(draw, n, [5, 3, 1, 1])}
                ),
            ),
            source({"type": "web.visit", "source": "/site"}, around_the_clock(3)),
        )
    )
    assert alerts == []
    assert {verdict.state for verdict in HEALTH.verdicts(state)} == {"watching"}


# shape


@pytest.mark.parametrize(("usual", "a_day"), [(0.9, 15.0), (0.3, 60.0)])
def test_an_emptied_field_is_found(usual: float, a_day: float) -> None:
    empties = source(CRM, office(a_day), counts=filled("note", usual, until=CHANGE))
    _, (alert,) = heard(hours(CHANGE + 12, 4, empties))
    assert (alert.symptom, alert.field, alert.suspends) == ("field emptied", "note", ["slg.hedged_language"])
    assert CHANGE < day_of(alert) <= CHANGE + 7
    assert "no longer fills note" in alert.what


def test_a_field_that_is_filled_less_is_no_illness() -> None:
    less = source(CRM, office(60), counts=filled("note", 0.5, until=CHANGE, then=0.35))
    assert heard(hours(CHANGE + 60, 5, less))[1] == []


def test_a_bulk_change_without_notes_is_no_illness() -> None:
    """Operations close four hundred dead deals in an hour, without a note."""

    def bulk(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        return told(CRM, at, 400) if (day, hour) == (CHANGE, 20) else None

    usual = source(CRM, office(40), counts=filled("note", 0.5))
    assert heard(hours(CHANGE + 20, 6, usual, bulk))[1] == []


def categories(until: int, usual: list[float], then: list[float], last: int = 10_000) -> Any:
    def counts(draw: np.random.Generator, n: int, day: int) -> dict[str, list[int]]:
        return {"values_category": spread_over(draw, n, then if until <= day < last else usual)}

    return counts


def test_a_value_that_takes_over_is_found_and_becomes_the_usual_after_four_weeks() -> None:
    form = source(DESK, around_the_clock(60), counts=categories(CHANGE, [3, 3, 2, 1], [1, 0, 0, 0]))
    state, alerts = heard(hours(CHANGE + 60, 7, form))
    assert [(alert.state, alert.symptom) for alert in alerts] == [
        ("ill", "values taken over"),
        ("well", "values taken over"),
    ]
    assert CHANGE + 3 <= day_of(alerts[0]) <= CHANGE + 6
    assert 28 <= day_of(alerts[1]) - day_of(alerts[0]) < 29
    (fact,) = HEALTH.facts(state)
    assert fact.illness.adopted


def test_one_outage_that_all_ask_about_is_no_illness() -> None:
    outage = categories(CHANGE, [3, 3, 2, 1], [0, 0, 0, 1], last=CHANGE + 2)
    assert heard(hours(CHANGE + 30, 8, source(DESK, around_the_clock(80), counts=outage)))[1] == []


def test_what_is_told_twice_is_found() -> None:
    twice = source(
        DESK, around_the_clock(50), counts=lambda draw, n, day: copies(draw, n, 3 if day >= CHANGE else 1)
    )
    _, (alert,) = heard(hours(CHANGE + 70, 9, twice))  # it is no better for having lasted
    assert (alert.state, alert.symptom) == ("ill", "told twice")
    assert day_of(alert) <= CHANGE + 3


def test_a_clock_behind_is_found_and_one_backlog_is_not() -> None:
    def late(share: Any) -> Any:
        made = source(TRACKER, around_the_clock(400))

        def make(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
            found = made(draw, day, hour, at)
            if found is not None:
                found.counts["seen"][3] = int(found.counts["seen"][0] * share(day, hour))
            return found

        return make

    _, (alert,) = heard(hours(CHANGE + 70, 11, late(lambda day, hour: float(day >= CHANGE))))
    assert (alert.symptom, alert.state) == ("clock behind", "ill")
    backlog = late(lambda day, hour: float(day == CHANGE and 6 <= hour < 9))
    assert heard(hours(CHANGE + 30, 11, backlog))[1] == []


def test_what_was_sent_at_once_has_no_rhythm() -> None:
    """A history, put in within an hour: its source says nothing more, and was never expected to."""

    def at_once(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        return told(DESK, at, 400) if (day, hour) == (1, 5) else None

    state, alerts = heard(hours(CHANGE, 16, at_once, source(TRACKER, around_the_clock(100))))
    assert alerts == []
    (verdict,) = [each for each in HEALTH.verdicts(state) if each.segment == "support.ticket /desk"]
    assert (verdict.state, verdict.missing) == ("learning", "its next event")


# bounds and state


def test_invented_sources_drive_out_no_real_one() -> None:
    invented = (
        told(
            {"type": "web.visit", "source": f"/{day}-{hour}-{number}"},
            START + day * DAY + (hour + 1) * HOUR,
            1,
        )
        for day in range(40)
        for hour in range(24)
        for number in range(3)
    )
    real = hours(40, 12, source(TRACKER, around_the_clock(200)))
    both = sorted([*invented, *real], key=lambda each: each.at)
    state, alerts = heard(both)
    assert alerts == []
    assert sum(map(len, state.watches.values())) <= WATCHES
    assert state.watches["product.event"]["/web"].state == "watching"
    assert len(HEALTH.encode_state(state)) < 400_000


def test_a_source_that_another_replaces_is_let_go() -> None:
    old = source(TRACKER, around_the_clock(200), silent=lambda day, hour: day >= CHANGE)
    new = source(
        {"type": "product.event", "source": "/web2"},
        around_the_clock(200),
        silent=lambda day, hour: day < CHANGE,
    )
    state, alerts = heard(hours(CHANGE + 60, 13, old, new))
    assert [alert.state for alert in alerts] == ["ill", "well"]
    assert set(state.watches["product.event"]) == {"/web2"}
    assert [fact.illness.adopted for fact in HEALTH.facts(state)] == [True]


def test_a_stored_state_goes_on_as_the_one_that_was_kept() -> None:
    stream = list(
        hours(
            CHANGE + 10,
            14,
            source(CRM, office(40), counts=filled("note", 0.5, until=CHANGE)),
            source(DESK, around_the_clock(30), counts=categories(CHANGE, [3, 3, 2, 1], [1, 0, 0, 0])),
        )
    )
    whole, alerts = heard(stream)
    stored, again = HEALTH.new_state(), []
    for number, each in enumerate(stream):
        again += HEALTH.step(stored, each)
        if number % 997 == 0:
            stored = HEALTH.decode_state(HEALTH.encode_state(stored))
    assert alerts == again != []
    assert HEALTH.encode_state(whole) == HEALTH.encode_state(stored)


def test_the_parts_of_an_hour_add_up() -> None:
    """As several partitions and processes tell them."""
    whole = told(DESK, START + HOUR, 10, filled_category=[6], named=[10], bits=[1, 2, 5, 9])
    parts = [
        told(DESK, START + HOUR, 4, filled_category=[1], named=[4], bits=[2, 5]),
        told(DESK, START + HOUR, 6, filled_category=[5], named=[6], bits=[1, 2, 9]),
    ]
    later = told(DESK, START + 2 * HOUR, 1)
    assert heard([whole, later])[0] == heard([*parts, later])[0]


@pytest.mark.parametrize(
    "change",
    [
        {"signal": "plg.conversion_gap"},
        {"measure": "minute"},
        {"at": START + 1},
        {"at": float("nan")},
        {"at": -HOUR},
        {"segments": {"type": "web.visit"}},
        {"counts": {"seen": [1, 2]}},
        {"counts": {"seen": [1, 0, 0, -1]}},
        {"counts": {"seen": [1, 0, 0, 0], "values.note": [1]}},
        {"counts": {"seen": [1, 0, 0, 0], "named": [1]}},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    state, _ = heard(hours(2, 15, source(DESK, around_the_clock(30))))
    before = HEALTH.encode_state(state)
    with pytest.raises(EventRefused):
        HEALTH.step(state, msgspec.structs.replace(told(DESK, START + 3 * DAY, 1), **change))
    assert HEALTH.encode_state(state) == before


def test_a_foreign_state_is_refused() -> None:
    for raw in (b"", b"{}", HEALTH.encode_state(HEALTH.new_state())[:-1]):
        with pytest.raises(StateRefused):
            HEALTH.decode_state(raw)
