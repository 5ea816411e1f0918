"""Every signal of the catalogue keeps the contract, as the default settings make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from detectors.catalogue import signals
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
@pytest.mark.parametrize("signal", signals(DriftSettings()), ids=lambda signal: signal.name)
def test_contract(signal: Signal, check: Callable[[Signal], None]) -> None:
    check(signal)


def test_signals_have_names_of_their_own() -> None:
    names = [signal.name for signal in signals(DriftSettings())]
    assert len(set(names)) == len(names) > 0


def test_more_segments_share_the_same_budget() -> None:
    thresholds = []
    for most in (4, 8):
        (gap,) = [s for s in signals(DriftSettings(max_segments=most)) if s.name == ConversionGap.name]
        state = gap.new_state()
        for observation in gap.healthy_example():
            gap.step(state, observation)
        thresholds.append(gap.verdicts(state)[0].threshold)
    assert thresholds[1] == pytest.approx(2 * thresholds[0])


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
