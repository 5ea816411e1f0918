"""plg.ticket_comprehension, drift half, on tickets that went through the account stage: what it finds, and what it must
not."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from detectors.signals.plg_ticket_comprehension import TicketComprehension
from detectors.signals.plg_ticket_comprehension_state import Shared, believed
from detectors.signals.plg_ticket_comprehension_taxonomy import BASIC as BASIC_NUMBER
from detectors.text import MAX_TOKENS
from schemas.alerts import DriftAlert, Notice
from schemas.errors import EventRefused
from schemas.settings import DriftSettings
from streams.simulation.texts import CATEGORIES, LAUNCHED
from tests.unit.account_world import DAY, HOUR, T0, event
from tests.unit.judging import day_of, judge, retaken, said
from tests.unit.signal_words import as_text, golden
from tests.unit.ticket_world import BASIC, REST, customer, desk, wrote

SIGNAL = TicketComprehension.configured(DriftSettings(max_segments=5, min_baseline=400), 24)


def drifts(alerts: Any) -> list[DriftAlert]:
    return [alert for alert in alerts if isinstance(alert, DriftAlert)]


@pytest.mark.parametrize("seed", [4, 5])
def test_a_rise_is_found_with_its_evidence(seed: int) -> None:
    observations = desk(signal=SIGNAL, days=170, odds=lambda day, _: 3.0 if day >= 120 else 1.0, seed=seed)
    state, alerts = judge(SIGNAL, observations)
    (whole,) = [alert for alert in drifts(alerts) if alert.segment == "all"]
    assert 120 < day_of(whole.at) < 155
    assert abs(day_of(whole.since) - 120) <= whole.since_margin_days + 7
    assert len(whole.evidence) == 10
    assert whole.mix_share == pytest.approx(0.0, abs=0.2)
    assert "Heard most: “" in whole.what
    assert "Kinds of 100 tickets: basic comprehension" in whole.what
    assert SIGNAL.verdicts(state)[0].counted_out["kind_unsure"] > 0


def test_one_source_whose_accounts_do_not_know_is_found_under_its_name() -> None:
    observations = desk(
        signal=SIGNAL,
        days=290,
        per_day=lambda day: 10.0,
        odds=lambda day, source: 6.0 if source == "paid_social" and day >= 240 else 1.0,
    )
    _, alerts = judge(SIGNAL, observations)
    assert ("source:paid_social", "drifting") in said(alerts)
    assert not {"source:referral", "source:content"} & {segment for segment, _ in said(alerts)}


@pytest.mark.parametrize("seed", [4, 5])
def test_more_newcomers_are_mix(seed: int) -> None:
    observations = desk(
        signal=SIGNAL,
        days=210,
        per_day=lambda day: 8.0 if day < 120 else 14.0,
        tenures=lambda day: {10: 1.0 if day < 120 else 6.0, 60: 1.0, 200: 1.0, 500: 1.0},
        seed=seed,
    )
    _, alerts = judge(SIGNAL, observations)
    assert drifts(alerts) == []
    assert ("all", "mix") in said(alerts)


@pytest.mark.parametrize("seed", [4, 5])
def test_a_launched_feature_is_asked_about_for_two_weeks(seed: int) -> None:
    def launch(day: float, random: Any) -> list[list[Any]]:
        release = event(
            "product.released", T0 + 120 * DAY, {"release": "r", "complexity": 3, "features": ["assistant"]}
        )
        accounts: list[list[Any]] = [[release]] if day == 120 else []
        if 120 <= day < 134:
            for number in range(6):
                at = T0 + (day + random.random()) * DAY
                subject, body = LAUNCHED[number % len(LAUNCHED)]
                accounts.append(
                    customer(at, 200, wrote(at, subject, body=body, category=CATEGORIES[BASIC][0]))
                )
        return accounts

    state, alerts = judge(SIGNAL, desk(signal=SIGNAL, days=160, more=launch, seed=seed))
    assert drifts(alerts) == []
    assert SIGNAL.verdicts(state)[0].counted_out["feature_launched"] >= 70


def test_one_account_that_writes_much_is_one_observation() -> None:
    def flood(day: float, random: Any) -> list[list[Any]]:
        tickets = [wrote(T0 + 120 * DAY + n * HOUR, category=CATEGORIES[BASIC][0]) for n in range(50)]
        return [customer(T0 + 120 * DAY, 200, *tickets)] if day == 120 else []

    _, alerts = judge(SIGNAL, desk(signal=SIGNAL, days=150, more=flood))
    assert said(alerts) == []


@pytest.mark.parametrize("seed", [4, 5])
def test_a_form_that_writes_the_category_is_data_health(seed: int) -> None:
    observations = desk(
        signal=SIGNAL,
        days=190,
        category=lambda day: CATEGORIES[BASIC][0] if 120 <= day < 150 else "",
        seed=seed,
    )
    state, alerts = judge(SIGNAL, observations)
    assert drifts(alerts) == []
    assert ("all", "ticket form") in said(alerts)
    assert state.shared.form == -1


def test_categories_that_are_no_longer_filled_in_are_no_drift() -> None:
    observations = desk(signal=SIGNAL, days=200, uncategorised=lambda day: 0.2 if day < 120 else 0.9)
    _, alerts = judge(SIGNAL, observations)
    assert drifts(alerts) == []


@pytest.mark.parametrize(("odds", "found"), [(1.0, []), (3.0, [("all", "drifting")])])
def test_without_any_category_the_text_is_enough(odds: float, found: list[tuple[str, str]]) -> None:
    signal = TicketComprehension.configured(DriftSettings(max_segments=1), 24)
    observations = desk(
        signal=signal,
        days=180,
        uncategorised=lambda day: 1.0,
        odds=lambda day, _: odds if day >= 120 else 1.0,
        seed=11,
    )
    state, alerts = judge(signal, observations)
    assert said(alerts) == found
    assert signal.verdicts(state)[0].counted_out["kind_unsure"] > 50


def test_growth_and_weekends_are_no_drift() -> None:
    observations = desk(
        signal=SIGNAL, days=240, per_day=lambda day: float(4 * 1.004**day * (0.3 if day % 7 >= 5 else 1.0))
    )
    state, alerts = judge(SIGNAL, observations)
    assert said(alerts) == []
    assert SIGNAL.verdicts(state)[0].state == "watching"


def test_other_kinds_that_shift_are_noticed() -> None:
    observations = desk(
        signal=SIGNAL,
        days=250,
        rest=lambda day: REST if day < 120 else REST | {"bug": 0.03, "integration": 0.42},
    )
    _, alerts = judge(SIGNAL, observations)
    assert drifts(alerts) == []
    assert said(alerts) == [("all", "other kinds")]


def test_an_outage_is_told_within_its_week() -> None:
    observations = desk(
        signal=SIGNAL,
        days=122,
        per_day=lambda day: 8.0 if day < 120 else 120.0,
        rest=lambda day: REST if day < 120 else {"bug": 1.0},
    )
    _, alerts = judge(SIGNAL, observations)
    (told,) = [alert for alert in alerts if isinstance(alert, Notice)]
    assert told.finding == "other kinds"
    assert 120 < day_of(told.at) < 123
    shares = re.search(r"bug ([0-9.]+) to ([0-9.]+)", told.what)
    assert shares is not None
    assert float(shares[1]) < 35 < 60 < float(shares[2])


def test_a_help_desk_with_one_kind_only_is_believed() -> None:
    shared = Shared()
    assert all(believed(shared, 0, denied=number % 2 == 0) for number in range(300))
    assert not shared.untold


def test_a_form_is_found_out_and_its_end_as_well() -> None:
    shared = Shared()
    assert all(believed(shared, number % 7, denied=False) for number in range(100))
    trusted = [believed(shared, BASIC_NUMBER, denied=number % 2 == 0) for number in range(30)]
    assert shared.untold
    assert trusted == [True] * trusted.index(False) + [False] * (30 - trusted.index(False))
    assert 9 <= trusted.index(False) <= 12
    assert [believed(shared, number % 7, denied=False) for number in range(1, 7)] == [True] * 6
    assert shared.form == -1


def test_the_baseline_grows_and_the_taxonomy_with_it() -> None:
    state, sizes, rests = SIGNAL.new_state(), [], []
    for observation in desk(signal=SIGNAL, days=200):
        SIGNAL.step(state, observation)
        watch, taxonomy = state.segments["all"].monitor.stored.watch, state.shared.taxonomy
        if watch is not None and watch.baseline.n not in sizes:
            assert sum(taxonomy.before) == watch.baseline.n
            sizes.append(watch.baseline.n)
            rests.append(taxonomy.rest)
    first, grown = sizes
    assert grown >= 2 * first
    assert rests[0] is not None
    assert rests[1] is rests[0]


def test_a_baseline_taken_anew_has_a_taxonomy_of_its_own() -> None:
    observations = desk(signal=SIGNAL, days=110)
    state, _ = judge(SIGNAL, observations)
    assert state.shared.taxonomy.before
    SIGNAL.step(state, retaken(SIGNAL, T0 + 111 * DAY))
    again = msgspec.structs.replace(observations[-1], at=T0 + 112 * DAY)
    SIGNAL.step(state, again)
    assert state.shared.taxonomy.before == []
    assert state.shared.taxonomy.rest is None


@pytest.mark.parametrize("measure", ["categorised", "by_text", "launched"])
def test_tokens_that_no_text_has_are_refused(measure: str) -> None:
    state = SIGNAL.new_state()
    seen, *others = SIGNAL.healthy_example()
    for each in (seen, *others[:300]):
        SIGNAL.step(state, each)
    before = SIGNAL.encode_state(state)
    for tokens in (list(range(MAX_TOKENS + 1)), [-1], [3, 3], [10**6]):
        with pytest.raises(EventRefused):
            SIGNAL.step(state, msgspec.structs.replace(others[300], measure=measure, tokens=tokens))
    assert SIGNAL.encode_state(state) == before


def test_the_words() -> None:
    def tenures(day: float) -> dict[int, float]:
        return {10: 1.0 if day < 150 else 5.0, 60: 1.0, 200: 1.0, 500: 1.0}

    observations = desk(
        signal=SIGNAL,
        days=330,
        per_day=lambda day: 10.0,
        tenures=tenures,
        odds=lambda day, source: 4.0 if 230 <= day < 290 and source != "content" else 1.0,
        rest=lambda day: REST if day < 200 else REST | {"bug": 0.05},
        category=lambda day: CATEGORIES["bug"][0] if 120 <= day < 130 else "",
    )
    _, alerts = judge(SIGNAL, observations)
    found = as_text(alerts)
    assert found == golden(SIGNAL.name, found)
