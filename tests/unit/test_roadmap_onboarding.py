"""clg.roadmap_onboarding: what is told of releases and newcomers, what sets the signal off, and what must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.effects import Effects
from detectors.signals.clg_roadmap_onboarding import (
    ALONE,
    COMPLEXITY,
    ONBOARDING,
)
from detectors.signals.size_bands import size_band
from schemas.alerts import DriftAlert, Notice
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0, Account, event, icp, product, profile, time_of
from tests.unit.judging import judge
from tests.unit.onboarding_world import HORIZON, SIGNAL, firm, more_complex, slow
from tests.unit.signal_words import as_text, golden

# The account half.


def told(account: Account, measure: str) -> list[Observation]:
    return [each for each in account.effects.observations if each.measure == measure]


def newcomer(**attributes: Any) -> Account:
    bands = "\nbands:\n  employees: [100, 1000]\n"
    account = Account(icp(more=bands), signals=[SIGNAL])
    account.take(profile(T0, **attributes), product(T0, "signed_up"))
    return account


def test_an_account_is_told_when_its_time_is_over() -> None:
    account = newcomer(employees=400)
    account.take(product(T0 + 12 * DAY, "onboarded"))
    account.wait(T0 + HORIZON - 1)
    assert told(account, ONBOARDING) == []
    account.wait(T0 + HORIZON)
    (found,) = told(account, ONBOARDING)
    assert (found.value, found.began, found.at, found.stratum) == (12.0, T0, T0 + HORIZON, "101-1000")


def test_who_is_not_onboarded_in_time_counts_as_the_whole_time() -> None:
    account = newcomer()
    account.wait(T0 + HORIZON)
    account.take(product(T0 + HORIZON + DAY, "onboarded"))
    (found,) = told(account, ONBOARDING)
    assert (found.value, found.stratum) == (60.0, "unknown")


def test_a_release_is_told_at_once() -> None:
    account = Account(name="product:app", signals=[SIGNAL])
    release = msgspec.structs.replace(
        event("product.released", T0, {"release": "7", "complexity": 8}), subject="product:app"
    )
    effects = Effects()
    account.stage.step("product:app", account.state, release, time_of(release), effects)
    (found,) = effects.observations
    assert (found.measure, found.value, found.at) == (COMPLEXITY, 8.0, T0)


def test_size_bands() -> None:
    assert [size_band(n, [100.0, 1000.0]) for n in (1, 100, 101, 1000, 1001)] == [
        *("up to 100", "up to 100", "101-1000", "101-1000", "over 1000"),
    ]
    assert size_band(70, []) == "51-500"
    assert [size_band(n, []) for n in (None, True, "many")] == ["unknown"] * 3


# The drift half.


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_rising_is_found(seed: int) -> None:
    _, alerts = judge(SIGNAL, firm(complexity=more_complex, slower=slow, seed=seed))
    (drift,) = [alert for alert in alerts if isinstance(alert, DriftAlert)]
    assert drift.state == "drifting"
    assert abs((drift.since.timestamp() - T0) / DAY - 250) <= drift.since_margin_days + 14
    assert drift.before.estimate < drift.now.estimate
    assert len(drift.evidence) == 10


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("alone", ["complexity", "onboarding", "larger newcomers", "nothing"])
def test_one_alone_is_a_notice_and_no_drift(alone: str, seed: int) -> None:
    changes: dict[str, Any] = {
        "complexity": {"complexity": more_complex},
        "onboarding": {"slower": slow},
        "larger newcomers": {"complexity": more_complex, "large": lambda day: 0.3 if day < 250 else 0.8},
        "nothing": {},
    }[alone]
    _, alerts = judge(SIGNAL, firm(**changes, seed=seed))
    found = [(type(alert), getattr(alert, "finding", "")) for alert in alerts]
    assert found == ([] if alone == "nothing" else [(Notice, ALONE)])


def test_before_onboarding_is_recorded_nothing_counts() -> None:
    observations = firm(days=40)
    state, _ = judge(SIGNAL, observations[1:])
    assert state.segments["all"].counted_out["left_truncated"] > 100
    assert "a first onboarding" in SIGNAL.verdicts(state)[0].missing


def test_what_it_says() -> None:
    drifting = judge(
        SIGNAL,
        firm(
            complexity=lambda day: 7.0 if 250 <= day < 420 else 3.0,
            slower=lambda day: 2.5 if 250 <= day < 420 else 1.0,
            days=700,
        ),
    )[1]
    alone = [judge(SIGNAL, firm(complexity=more_complex))[1][0], judge(SIGNAL, firm(slower=slow))[1][0]]
    said = as_text([*drifting, *alone])
    states = [alert.state for alert in drifting if isinstance(alert, DriftAlert)]
    assert states == ["drifting", "resolved"]
    assert said == golden("clg_roadmap_onboarding", said)
