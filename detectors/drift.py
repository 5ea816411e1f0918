"""The drift stage: one observation of one signal -> new state, drift alerts and notices.

Keyed by the signal's name. A signal without state begins with ``new_state``; what its half of the work is stands in
detectors/signals/contract.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detectors.effects import Effects
from detectors.signals.contract import Signal, Verdict
from schemas.observations import Observation


class DriftStage:
    name = "drift"

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = {signal.name: signal for signal in signals}

    def new_state(self, signal: str) -> Any:
        found = self._signals.get(signal)
        return found.new_state() if found is not None else None

    def encode_state(self, signal: str, state: Any) -> bytes:
        found = self._signals.get(signal)
        return found.encode_state(state) if found is not None else b""

    def decode_state(self, signal: str, raw: bytes) -> Any:
        found = self._signals.get(signal)
        return found.decode_state(raw) if found is not None else None

    def step(self, signal: str, state: Any, observation: Observation, at: float, effects: Effects) -> bool:
        found = self._signals.get(signal)
        if found is not None:
            effects.alerts.extend(found.step(state, observation))
        return True

    def finish(self, effects: Effects) -> None:
        """Nothing is left for the end of a batch."""

    def due(self, state: Any) -> float | None:
        """A drift signal has no timers: it looks when an observation arrives."""
        return None

    def fire(self, signal: str, state: Any, until: float, effects: Effects) -> None:
        """Nothing to fire."""

    def verdicts(self, signal: str, state: Any) -> Sequence[Verdict]:
        found = self._signals.get(signal)
        return found.verdicts(state) if found is not None else ()
