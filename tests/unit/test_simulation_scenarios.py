"""The scenarios: each signal has its drift and its look-alikes, and the truth says which is which."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.event_reader import decode_event
from schemas.events import AccountProfile, StageChanged
from streams.cli.simulate import command
from streams.simulation.scenarios import SCENARIOS

SIGNALS = {
    "plg.conversion_gap",
    "plg.ticket_comprehension",
    "plg.adoption_breadth",
    "slg.cycle_spread",
    "slg.hedged_language",
    "slg.aged_win_rate",
    "slg.off_profile_pipeline",
    "clg.roadmap_onboarding",
    "clg.support_burden",
    "clg.churn_cohorts",
}
CONTROLS = {"healthy", "healthy-sales-led", "healthy-community-led"}


def test_every_signal_has_its_drift_and_its_look_alikes() -> None:
    alone = Counter(scenario.drifts[0] for scenario in SCENARIOS.values() if len(scenario.drifts) == 1)
    alike = Counter(scenario.resembles for scenario in SCENARIOS.values() if scenario.resembles)
    assert set(alone) == set(alike) == SIGNALS
    assert all(
        count >= 3
        for signal, count in alike.items()
        if signal not in ("slg.off_profile_pipeline", "slg.hedged_language")
    )
    assert sum(len(scenario.drifts) > 1 for scenario in SCENARIOS.values()) >= 2


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_says_what_is_expected_of_a_detector(name: str) -> None:
    scenario = SCENARIOS[name]
    assert bool(scenario.drifts) + bool(scenario.resembles or scenario.ill) == (name not in CONTROLS)
    assert set(scenario.drifts) <= SIGNALS
    # What has to be found is planted; what damages data is a happening.
    assert bool(scenario.drifts) <= bool(scenario.plants)
    assert bool(scenario.ill) <= bool(scenario.happenings)
    if name in CONTROLS:
        assert not scenario.plants
        assert not scenario.happenings


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_can_be_simulated(name: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asked = ["--scenario", name, "--accounts", "60", "--days", "120", "--activity", "0.05", "-o", str(path)]
    result = CliRunner().invoke(command, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    truth = json.loads(result.stdout)
    scenario = SCENARIOS[name]
    assert truth["expected"] == {
        "drifts": list(scenario.drifts),
        "resembles": scenario.resembles,
        "ill": scenario.ill,
    }
    assert [plant["factor"] for plant in truth["plants"]] == [plant.factor for plant in scenario.plants]
    assert [each["kind"] for each in truth["happenings"]] == [each.kind for each in scenario.happenings]
    assert truth["lines"] == len([decode_event(raw) for raw in path.read_bytes().splitlines()])


def test_a_person_reads_what_happens_and_what_is_expected(tmp_path: Path) -> None:
    asked = ["--scenario", "plg-ticket-form-changed", "--accounts", "30", "--days", "60"]
    result = CliRunner().invoke(command, [*asked, "-o", str(tmp_path / "events.jsonl")])
    assert "happens: ticket_form_changed from 2026-10-08T00:00:00Z" in result.stdout
    assert (
        "expected: plg.ticket_comprehension stays silent; the data of support.ticket are ill" in result.stdout
    )


def test_the_start_of_a_happening_can_be_asked_for(tmp_path: Path) -> None:
    asked = ["--scenario", "data-notes-emptied", "--accounts", "60", "--days", "60"]
    moment = "2026-10-20T00:00:00Z"
    result = CliRunner().invoke(
        command, [*asked, "--drift-at", moment, "-o", str(tmp_path / "e.jsonl"), "--json"]
    )
    assert json.loads(result.stdout)["happenings"][0]["starts"] == moment


def test_sales_looks_for_good_fits_and_customers_of_a_community_have_an_elite(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asked = ["--scenario", "healthy-sales-led", "--accounts", "600", "--days", "200", "--activity", "0.02"]
    truth = json.loads(CliRunner().invoke(command, [*asked, "-o", str(path), "--json"]).stdout)
    assert truth["accounts"]["sales_led"] > 450
    assert truth["accounts"]["good_fits"] > 200
    events = [decode_event(raw) for raw in path.read_bytes().splitlines()]
    deals = {e.data.opportunity_id: e.data for e in events if isinstance(e, StageChanged)}
    assert len({deal.currency for deal in deals.values()}) == 3
    assert len({deal.owner_id for deal in deals.values()}) > 8

    asked = ["--scenario", "healthy-community-led", *asked[2:]]
    CliRunner().invoke(command, [*asked, "-o", str(path)])
    profiles = [e for e in map(decode_event, path.read_bytes().splitlines()) if isinstance(e, AccountProfile)]
    paying = {e.subject for e in profiles if e.data.attributes.get("customer_since")}
    board = {e.subject for e in profiles if e.data.attributes.get("advisory_board")}
    assert board <= paying
    assert 0.01 < len(board) / len(paying) < 0.12
