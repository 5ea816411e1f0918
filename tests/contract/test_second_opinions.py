"""Every signal of the catalogue with a second opinion beside it keeps the contract, and says of itself what it says alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from detectors.catalogue import signals
from detectors.checks import (
    SIGNAL_CHECKS,
    signal_counts_out_what_began_before_its_baseline,
    signal_is_silent_without_a_change,
    signal_refuses_foreign_states,
)
from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import Signal, Verdict
from detectors.signals.second_opinion import FINDING
from schemas.alerts import Alert, Notice
from schemas.observations import Observation
from schemas.settings import DriftSettings

CHECKS = [
    check
    for check in SIGNAL_CHECKS
    # It makes no promise to be silent. What is stored is the drift stage's; test_second_opinion.py has its foreign states. It is not
    # told of what the signal counts out.
    if check
    not in (
        signal_is_silent_without_a_change,
        signal_refuses_foreign_states,
        signal_counts_out_what_began_before_its_baseline,
    )
]


class Beside:
    """A signal as the drift stage runs it with river's ADWIN beside it."""

    def __init__(self, signal: Signal) -> None:
        self.name = signal.name
        self.healthy_example = signal.healthy_example
        self._stage = DriftStage([signal], second_opinions={signal.name: "adwin"})

    def new_state(self) -> Any:
        return self._stage.new_state(self.name)

    def encode_state(self, state: Any) -> bytes:
        return self._stage.encode_state(self.name, state)

    def decode_state(self, raw: bytes) -> Any:
        return self._stage.decode_state(self.name, raw)

    def step(self, state: Any, observation: Observation) -> Sequence[Alert]:
        effects = Effects()
        self._stage.step(self.name, state, observation, observation.at, effects)
        return effects.alerts

    def verdicts(self, state: Any) -> Sequence[Verdict]:
        return self._stage.verdicts(self.name, state)


def each_signal() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("signal", signals(DriftSettings()), ids=lambda signal: signal.name)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@each_signal()
def test_contract(signal: Signal, check: Callable[[Signal], None]) -> None:
    check(cast(Signal, Beside(signal)))


@each_signal()
def test_the_signal_does_not_know_of_it(signal: Signal) -> None:
    beside, alone = Beside(signal), signal.new_state()
    state, read = beside.new_state(), 0
    for observation in signal.healthy_example():
        told = [alert for alert in beside.step(state, observation) if not _second(alert)]
        assert told == signal.step(alone, observation)
        read = state.second.kept.n
    assert signal.encode_state(state.own) == signal.encode_state(alone)
    assert 500 < read <= signal.verdicts(alone)[0].n


def _second(alert: Alert) -> bool:
    return isinstance(alert, Notice) and alert.finding == FINDING
