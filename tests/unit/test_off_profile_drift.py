"""slg.off_profile_pipeline, drift half, on events that went through the account stage: what it finds, and what it must not."""

from __future__ import annotations

import pytest

from schemas.alerts import DriftAlert, Notice
from tests.unit.account_world import icp
from tests.unit.judging import day_of, judge, said
from tests.unit.off_profile_world import REPS, SIGNAL, STRICT, selling
from tests.unit.sales_world import observe
from tests.unit.signal_words import as_text, golden


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rise_is_found_in_all(seed: int) -> None:
    accounts = selling(lambda _, day: 0.12 if day < 180 else 0.35, seed=seed)
    _, alerts = judge(SIGNAL, observe(SIGNAL, accounts))
    drifts = [alert for alert in alerts if isinstance(alert, DriftAlert)]
    first = drifts[0]
    assert 180 < day_of(first.at) - 7 < 220
    assert abs(day_of(first.since) - 180) <= first.since_margin_days + 7
    assert first.before.high < first.now.low
    assert len(first.evidence) == 10
    found = said(drifts)
    assert ("all", "drifting") in found
    assert {state for _, state in found} == {"drifting"}
    assert len(found) == len(set(found))


def test_one_rep_who_sells_outside_is_found_under_their_name() -> None:
    accounts = selling(lambda rep, day: 0.5 if rep == "ben" and day > 200 else 0.1, days=320)
    _, alerts = judge(SIGNAL, observe(SIGNAL, accounts))
    assert ("rep:ben", "drifting") in said(alerts)
    assert not {"rep:anna", "rep:cleo"} & {segment for segment, _ in said(alerts)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_new_file_is_no_drift_and_it_is_said_what_it_did(seed: int) -> None:
    files = (icp(), icp(STRICT, version="2", effective_from="2026-08-17T00:00:00Z"))
    accounts = selling(lambda *_: 0.1, days=330, seed=seed)
    state, alerts = judge(SIGNAL, observe(SIGNAL, accounts, *files))
    assert said(alerts) == [("all", "file change")]
    (told,) = alerts
    assert isinstance(told, Notice)
    assert "Of the same 40 new opportunities, version 1 of the ICP file puts out" in told.what
    whole = SIGNAL.verdicts(state)[0]
    assert whole.state == "watching"
    assert whole.before is not None
    assert whole.before.estimate == pytest.approx(0.1 + 0.9 * 0.3, abs=0.08)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_drift_is_found_while_the_new_version_is_still_learned(seed: int) -> None:
    files = (icp(), icp(STRICT, version="2", effective_from="2026-08-17T00:00:00Z"))
    new_file = 168
    accounts = selling(lambda _, day: 0.1 if day < new_file + 5 else 0.4, days=new_file + 40, seed=seed)
    state, alerts = judge(SIGNAL, observe(SIGNAL, accounts, *files))
    assert ("all", "drifting") in said(alerts)
    verdict = SIGNAL.verdicts(state)[0]
    assert verdict.state == "drifting"
    assert verdict.finding == "new version"


def test_growth_weekends_and_bursts_are_no_drift() -> None:
    def flow(day: float) -> float:
        return float(1.5 * 1.004**day * (0.3 if day % 7 >= 5 else 1.0))

    accounts = selling(lambda *_: 0.15, days=330, flows=dict.fromkeys(REPS, flow))
    _, alerts = judge(SIGNAL, observe(SIGNAL, accounts))
    assert [alert for alert in alerts if isinstance(alert, DriftAlert)] == []


def test_the_left_edge_is_counted_out() -> None:
    accounts = selling(lambda _, day: 0.5 if day < 20 else 0.1, days=200)
    state, alerts = judge(SIGNAL, observe(SIGNAL, accounts))
    assert said(alerts) == []
    whole = SIGNAL.verdicts(state)[0]
    assert whole.counted_out["settling"] > 100
    assert whole.before is not None
    assert whole.before.estimate < 0.2


def test_the_words() -> None:
    accounts = selling(lambda rep, day: 0.1 if day < 190 or rep == "cleo" else 0.6, days=300)
    files = (icp(), icp(STRICT, version="2", effective_from="2026-04-20T00:00:00Z"))
    _, alerts = judge(SIGNAL, observe(SIGNAL, accounts, *files))
    found = as_text(alerts)
    assert found == golden(SIGNAL.name, found)
