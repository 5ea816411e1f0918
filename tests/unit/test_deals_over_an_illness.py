"""slg.cycle_spread and slg.aged_win_rate over an illness of the CRM: a deal whose closing was not heard is no deal that lingers."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_cycle_spread import CycleSpread
from schemas.alerts import DriftAlert, Notice
from schemas.settings import DriftSettings
from tests.unit.judging import said
from tests.unit.pipeline_world import CHANGE, DAY, START, pipeline, wider

SPREAD = CycleSpread.configured(DriftSettings(), 120)
AGED = AgedWinRate.configured(DriftSettings(), 120)


def over_an_illness(
    signal: Any, *, begins: float, lasts: float, **of_deals: Any
) -> list[DriftAlert | Notice]:
    """As the drift stage tells a signal: what touches the illness is left out (detectors/suspension.py)."""
    began, ended = START + begins * DAY, START + (begins + lasts) * DAY
    told = [
        each for each in pipeline(signal.name, **of_deals) if not (began <= each.at and each.began <= ended)
    ]
    first = next(number for number, each in enumerate(told) if each.at > ended)
    state, alerts = signal.new_state(), []
    for each in told[:first]:
        alerts += signal.step(state, each)
    signal.interrupted(state, ended)
    for each in told[first:]:
        alerts += signal.step(state, each)
    return alerts


@pytest.mark.parametrize("lasts", [3, 30])
@pytest.mark.parametrize("begins", [100, CHANGE])
@pytest.mark.parametrize("signal", [SPREAD, AGED], ids=["spread", "aged"])
def test_an_illness_is_no_drift_whether_it_is_learned_or_watched(
    signal: Any, begins: int, lasts: int
) -> None:
    assert said(over_an_illness(signal, begins=begins, lasts=lasts, seed=1, days=520)) == []


def test_a_drift_after_an_illness_is_found() -> None:
    alerts = over_an_illness(SPREAD, begins=CHANGE - 60, lasts=5, seed=1, days=460, length=wider)
    assert ("all", "drifting") in said(alerts)
