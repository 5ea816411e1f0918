"""Plants: what can be written, their profile in time, and that each lever moves its own measure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event_reader import decode_event
from schemas.events import Event, ProductEvent, ProductReleased, StageChanged, SupportTicket
from streams.simulation import texts
from streams.simulation.account import Population
from streams.simulation.calendar import DAY_S, NEVER, Calendar
from streams.simulation.company import Order, simulate
from streams.simulation.fates import CYCLE_MEDIAN_DAYS, SLOW_SHARE
from streams.simulation.levers import Levers
from streams.simulation.population import populate
from streams.simulation.scenario import LEVERS, Lever, Plant, Scenario
from streams.simulation.scenarios import SCENARIOS
from streams.simulation.seeds import Seeds

HEALTHY = msgspec.structs.replace(SCENARIOS["healthy"], annual_contracts=0.0)
"""without renewals, at which lives would end in lumps"""
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
CALENDAR = Calendar(int(UNTIL.timestamp()), 300)


def planted(lever: str, factor: float, **changes: Any) -> Scenario:
    plant = Plant(**({"lever": lever, "factor": factor, "start": 0.0, "because": "test"} | changes))
    return msgspec.structs.replace(HEALTHY, plants=(plant,))


def people(scenario: Scenario, accounts: int = 16_000) -> Population:
    return populate(scenario, CALENDAR, Levers(scenario.plants, CALENDAR), Seeds(3), accounts)


def events(scenario: Scenario, folder: Path) -> list[Event]:
    path = folder / "events.jsonl"
    order = Order(scenario=scenario, accounts=500, days=200, seed=3, until=UNTIL)
    simulate(order, path, lambda stage, done, total: None)
    return [decode_event(raw) for raw in path.read_bytes().splitlines()]


def self_serve(population: Population) -> Any:
    return ~population.sales_led & ~population.installed


def mean(values: Any) -> float:
    return float(np.mean(values))


POPULATION_MEASURES: dict[Lever, Callable[[Population], float]] = {
    "signups": len,
    "activated": lambda p: mean(p.activated[self_serve(p)] < NEVER),
    "paid_given_activated": lambda p: mean(p.paid[self_serve(p) & (p.activated < NEVER)] < NEVER),
    "conversion_lag": lambda p: float(
        np.median((p.paid - p.activated)[self_serve(p) & (p.paid < NEVER)]) / DAY_S
    ),
    "onboarding_time": lambda p: float(np.median((p.onboarded - p.activated)[p.onboarded < NEVER]) / DAY_S),
    "churn": lambda p: 1 / float(np.median((p.churned - p.paid)[self_serve(p) & (p.paid < NEVER)])),
    "leaving": lambda p: 1 / float(np.median((p.churned - p.paid)[self_serve(p) & (p.paid < NEVER)])),
    "poor_fits": lambda p: mean(p.fit[p.sales_led] == 0) / mean(p.fit[p.sales_led] > 0),
    "company_size": lambda p: float(np.median(p.employees)),
    "cycle_spread": lambda p: float(np.std(log_cycles(p)[lost(p)])),
    "lingering": lambda p: math.exp(mean(log_cycles(p)[lost(p)])),
}


def lost(population: Population) -> Any:
    """Of one band, so that cycles compare."""
    return population.sales_led & (population.paid == NEVER) & (population.band == 1)


def log_cycles(population: Population) -> Any:
    return np.log(np.maximum(population.closed - population.opened, 1) / DAY_S)


def basic_share(found: list[Event]) -> float:
    basic = set(texts.CATEGORIES["basic_comprehension"])
    known = [e.data.category for e in found if isinstance(e, SupportTicket) and e.data.category]
    return mean([category in basic for category in known])


def feature_evenness(found: list[Event]) -> float:
    """Mean entropy of use over features, of accounts with enough of it."""
    use: dict[str, Counter[str]] = {}
    for event in found:
        if isinstance(event, ProductEvent) and event.data.feature:
            use.setdefault(event.subject, Counter())[event.data.feature] += 1
    return mean(
        [
            -sum(n / count.total() * math.log(n / count.total()) for n in count.values())
            for count in use.values()
            if count.total() >= 100
        ]
    )


def hedged_share(found: list[Event]) -> float:
    notes = [e.data.note for e in found if isinstance(e, StageChanged) and e.data.note]
    return mean([note in texts.HEDGED for note in notes])


EVENT_MEASURES: dict[Lever, Callable[[list[Event]], float]] = {
    "tickets": lambda found: sum(isinstance(e, SupportTicket) for e in found),
    "support_need": lambda found: sum(isinstance(e, SupportTicket) for e in found),
    "basic_questions": basic_share,
    "feature_breadth": feature_evenness,
    "hedged_notes": hedged_share,
    "release_complexity": lambda found: mean(
        [e.data.complexity for e in found if isinstance(e, ProductReleased)]
    ),
}


def test_every_lever_has_its_test() -> None:
    apart = {"cycle_clusters", "late_wins"}
    assert set(POPULATION_MEASURES) | set(EVENT_MEASURES) | apart == set(LEVERS) == set(get_args(Lever))


def test_two_clusters_spread_cycles_and_keep_their_mean() -> None:
    usual, moved = people(HEALTHY), people(planted("cycle_clusters", 5.0))
    before, after = log_cycles(usual)[lost(usual)], log_cycles(moved)[lost(moved)]
    between = SLOW_SHARE * (1 - SLOW_SHARE) * math.log(5.0) ** 2
    assert np.var(after) - np.var(before) == pytest.approx(between, rel=0.2)
    assert mean(after) == pytest.approx(mean(before), abs=0.12)


def test_late_wins_are_of_deals_that_would_be_lost_past_the_median() -> None:
    usual, moved = people(HEALTHY), people(planted("late_wins", 10.0))
    turned = (usual.paid == NEVER) & (moved.paid < NEVER)
    median = np.asarray(CYCLE_MEDIAN_DAYS)[usual.band]
    late = usual.sales_led & (usual.paid == NEVER) & (np.exp(log_cycles(usual)) > median)
    assert not (turned & ~late).any()
    assert turned.sum() / late.sum() == pytest.approx(0.27, abs=0.06)
    assert (usual.closed == moved.closed).all()


@pytest.mark.parametrize("lever", POPULATION_MEASURES)
@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_a_lever_moves_the_fates_by_its_factor(lever: Lever, factor: float) -> None:
    measure = POPULATION_MEASURES[lever]
    moved = measure(people(planted(lever, factor))) / measure(people(HEALTHY))
    assert moved == pytest.approx(factor, rel=0.12)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return events(HEALTHY, tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("lever", EVENT_MEASURES)
def test_a_lever_moves_the_events(lever: Lever, usual: list[Event], tmp_path: Path) -> None:
    measure = EVENT_MEASURES[lever]
    moved = measure(events(planted(lever, 2.0), tmp_path)) / measure(usual)
    # Evenness and the share of odds rise by less than the factor.
    assert moved > (1.1 if lever == "feature_breadth" else 1.25)


@pytest.mark.parametrize("lever", [lever for lever in POPULATION_MEASURES if lever != "signups"])
def test_a_lever_leaves_the_other_fates_alone(lever: Lever) -> None:
    moved, usual = people(planted(lever, 0.5)), people(HEALTHY)
    assert moved.lead_at.tolist() == usual.lead_at.tolist()
    if lever not in ("company_size", "poor_fits"):
        assert moved.employees.tolist() == usual.employees.tolist()
    if lever not in ("activated", "poor_fits"):
        assert moved.activated[self_serve(moved)].tolist() == usual.activated[self_serve(usual)].tolist()


def test_fewer_signups_are_some_of_the_same() -> None:
    fewer, usual = people(planted("signups", 0.5, segment={"source": "social"})), people(HEALTHY)
    social = [source.name for source in HEALTHY.sources].index("social")
    assert set(fewer.number.tolist()) < set(usual.number.tolist())
    assert (fewer.source != social).sum() == (usual.source != social).sum()
    signups = (fewer.source == social) & ~fewer.installed
    assert signups.sum() == pytest.approx(((usual.source == social) & ~usual.installed).sum() / 2, rel=0.15)


def test_more_signups_of_all_sources_are_not_copies_of_each_other() -> None:
    more = people(planted("signups", 2.0), 8000)
    brought = more.number >= 8000
    sources = Counter(more.source[brought].tolist())
    assert len(sources) == len(HEALTHY.sources)
    assert len(set(more.employees[brought].tolist())) > 100
    first, second = (more.activated[brought & (more.source == place)][:50] for place in (0, 1))
    assert (first < NEVER).tolist() != (second < NEVER).tolist()


@given(
    share=st.floats(0, 0.99),
    ramp=st.floats(0, 200),
    factor=st.floats(0.01, 20),
    at=st.floats(-0.5, 1.5),
)
def test_a_profile_runs_from_one_to_the_factor(share: float, ramp: float, factor: float, at: float) -> None:
    plant = Plant(lever="tickets", factor=factor, start=share, ramp_days=ramp, because="test")
    levers = Levers((plant,), CALENDAR)
    moment = float(CALENDAR.at_share(at))
    value = levers.factor("tickets", moment)
    assert min(1, factor) - 1e-9 <= value <= max(1, factor) + 1e-9
    if moment < levers.starts(plant):
        assert value == 1
    if moment >= levers.starts(plant) + ramp * DAY_S + 1:
        assert value == pytest.approx(factor)


def test_a_profile_ends_and_keeps_to_its_segment() -> None:
    plant = Plant(lever="churn", factor=3, segment={"source": "social"}, start=0.2, end=0.4, because="test")
    levers = Levers((plant,), CALENDAR)
    during, after = CALENDAR.at_share(0.3), CALENDAR.at_share(0.5)
    assert levers.factor("churn", during, source="social") == 3
    assert levers.factor("churn", during, source="content") == 1
    assert levers.factor("churn", after, source="social") == 1
    assert levers.factor("tickets", during, source="social") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 0.0},
        {"start": 1.0},
        {"start": 0.5, "end": 0.5},
        {"lever": "signups", "segment": {"fit": "good"}},
        {"lever": "release_complexity", "segment": {"source": "social"}},
        {"lever": "poor_fits", "segment": {"fit": "good"}},
        {"lever": "churn", "segment": {"rep": "rep-01"}},
        {"lever": "leaving", "ramp_days": 3.0},
    ],
)
def test_a_plant_without_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"plant|segment"):
        Plant(**({"lever": "tickets", "factor": 2.0, "because": "test"} | wrong))


@pytest.mark.parametrize(
    "segment", [{"source": "contnet"}, {"fit": "superb"}, {"circle": "elites"}, {"rep": "rep-99"}]
)
def test_a_segment_that_is_not_there_is_refused(segment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="which there isn't"):
        planted("hedged_notes", 2.0, segment=segment)


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        msgspec.structs.replace(HEALTHY, sources=HEALTHY.sources[:-1])
