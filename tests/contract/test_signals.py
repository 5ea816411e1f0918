"""Every signal of the catalogue keeps the contract, as the default settings make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from detectors.catalogue import SIGNALS, configured_signals
from detectors.checks import (
    SIGNAL_CHECKS,
    Broken,
    signal_leaves_its_input_alone,
    signal_refuses_what_cannot_be,
)
from detectors.signals.contract import Signal
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_state import GapState
from schemas.alerts import DriftAlert, Notice
from schemas.errors import EventRefused
from schemas.observations import Observation
from schemas.settings import DriftSettings


@pytest.mark.parametrize("check", SIGNAL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SIGNALS)
def test_contract(name: str, check: Callable[[Signal], None]) -> None:
    check(configured_signals(DriftSettings())[name])


def test_all_signals_share_one_budget() -> None:
    settings = DriftSettings(max_segments=5)
    assert set(configured_signals(settings)) == set(SIGNALS)


class ChangesItsInput(ConversionGap):
    def step(self, state: GapState, observation: Observation) -> Sequence[DriftAlert | Notice]:
        out = super().step(state, observation)
        observation.value = 0.0
        return out


class NamesTheAccount(ConversionGap):
    def step(self, state: GapState, observation: Observation) -> Sequence[DriftAlert | Notice]:
        try:
            return super().step(state, observation)
        except EventRefused as error:
            error.what = f"{observation.account}: {error.what}"
            raise


@pytest.mark.parametrize(
    ("broken", "check"),
    [(ChangesItsInput, signal_leaves_its_input_alone), (NamesTheAccount, signal_refuses_what_cannot_be)],
)
def test_a_signal_that_breaks_a_rule_is_found(
    broken: type[ConversionGap], check: Callable[[Signal], None]
) -> None:
    with pytest.raises(Broken):
        check(broken())
