"""slg.off_profile_pipeline, drift half, on events that went through the account stage: what it finds, and what it must not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from detectors.signals.contract import BASELINE_RETAKEN
from detectors.signals.slg_off_profile_pipeline import OffProfilePipeline
from schemas.alerts import DriftAlert, Notice
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, GOOD, T0, VARIANT, icp
from tests.unit.sales_world import BAD, day_of, judge, observe, said, team
from tests.unit.signal_words import as_text, golden

SIGNAL = OffProfilePipeline.configured(DriftSettings(max_segments=6), 24)
REPS = {name: (lambda day: 2.5) for name in ("anna", "ben", "cleo")}
STRICT = VARIANT.replace("weight: 60", "weight: 50")
"""60 points were enough before: now nobody without 20 reps fits."""
SOME = {"technologies": ["snowflake"]}


def selling(share: Any, *, days: int = 300, seed: int = 1, flows: Any = REPS) -> list[Any]:
    def make(rep: str, day: float, random: np.random.Generator) -> Mapping[str, Any]:
        off = random.random() < share(rep, day)
        return {"attributes": BAD if off else SOME if random.random() < 0.3 else GOOD}

    return team(days=days, reps=flows, make=make, seed=seed)


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


def test_the_end_is_told_and_a_person_can_take_the_baseline_anew() -> None:
    accounts = selling(lambda _, day: 0.45 if 150 <= day < 230 else 0.1, days=330)
    state, alerts = judge(SIGNAL, observe(SIGNAL, accounts))
    whole = [state for segment, state in said(alerts) if segment == "all"]
    assert whole == ["drifting", "market-wide", "resolved"]
    at = T0 + 400 * DAY
    retaken = Observation(
        signal=SIGNAL.name,
        measure=BASELINE_RETAKEN,
        at=at,
        began=at,
        value=1.0,
        account="",
        segments={"segment": "all"},
    )
    assert SIGNAL.step(state, retaken) == []
    verdict = SIGNAL.verdicts(state)[0]
    assert verdict.state == "learning"
    assert verdict.missing == "0 of 300 observations, 0 of 28 days"


def test_any_batches_give_the_same_bytes() -> None:
    files = (icp(), icp(STRICT, version="2", effective_from="2026-06-01T00:00:00Z"))
    observations = observe(SIGNAL, selling(lambda _, day: 0.1 if day < 120 else 0.4, days=200), *files)
    whole, alerts = judge(SIGNAL, observations)
    stored, again = SIGNAL.new_state(), []
    for start in range(0, len(observations), 97):
        again += [alert for each in observations[start : start + 97] for alert in SIGNAL.step(stored, each)]
        stored = SIGNAL.decode_state(SIGNAL.encode_state(stored))
    assert again == alerts
    assert SIGNAL.encode_state(stored) == SIGNAL.encode_state(whole)


def test_the_words() -> None:
    accounts = selling(lambda rep, day: 0.1 if day < 190 or rep == "cleo" else 0.6, days=300)
    files = (icp(), icp(STRICT, version="2", effective_from="2026-04-20T00:00:00Z"))
    _, alerts = judge(SIGNAL, observe(SIGNAL, accounts, *files))
    found = as_text(alerts)
    assert found == golden(SIGNAL.name, found)
