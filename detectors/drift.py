"""The drift stage: one observation of one signal -> new state, drift alerts and notices.

Keyed by the signal's name. A signal without state begins with ``new_state``; what its half of the work is stands in
detectors/signals/contract.py. Beside it are kept the decisions of people (detectors/decisions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from detectors.decisions import DECISIONS, Decided, decide, forget_what_ended, show, standing
from detectors.effects import Effects
from detectors.signals.contract import ACKNOWLEDGED, Signal, Verdict
from schemas.observations import Observation


class DriftState(Struct):
    """``own``: the signal's state. ``decided``: segment -> what people decided about it."""

    own: Any
    decided: dict[str, Decided] = {}


class _Stored(Struct):
    own: bytes
    decided: dict[str, Decided]


_stored = msgspec.msgpack.Decoder(_Stored)


class DriftStage:
    name = "drift"

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = {signal.name: signal for signal in signals}

    def new_state(self, signal: str) -> DriftState:
        found = self._signals.get(signal)
        return DriftState(found.new_state() if found is not None else None)

    def encode_state(self, signal: str, state: DriftState) -> bytes:
        found = self._signals.get(signal)
        own = found.encode_state(state.own) if found is not None else b""
        return msgspec.msgpack.encode(_Stored(own, state.decided))

    def decode_state(self, signal: str, raw: bytes) -> DriftState:
        """Raises StateRefused. A state from before decisions were kept is the signal's own, and nothing more."""
        found = self._signals.get(signal)
        if found is None:
            return DriftState(None)
        try:
            stored = _stored.decode(raw)
        except msgspec.MsgspecError:
            return DriftState(found.decode_state(raw))
        return DriftState(found.decode_state(stored.own), stored.decided)

    def step(
        self, signal: str, state: DriftState, observation: Observation, at: float, effects: Effects
    ) -> bool:
        """Raises EventRefused, and leaves ``state`` as it was, for an observation that can't be."""
        found = self._signals.get(signal)
        if found is None:
            return True
        if observation.measure not in DECISIONS:
            alerts = found.step(state.own, observation)
            if alerts and state.decided:
                forget_what_ended(state.decided, alerts)
            effects.alerts.extend(alerts)
            return True
        verdicts = found.verdicts(state.own)
        stood = standing(observation, verdicts)
        if observation.measure != ACKNOWLEDGED:
            effects.alerts.extend(found.step(state.own, observation))
        decide(state.decided, observation, stood, {verdict.segment for verdict in verdicts})
        return True

    def finish(self, effects: Effects) -> None:
        """Nothing is left for the end of a batch."""

    def due(self, state: DriftState) -> float | None:
        """A drift signal has no timers: it looks when an observation arrives."""
        return None

    def fire(self, signal: str, state: DriftState, until: float, effects: Effects) -> None:
        """Nothing to fire."""

    def verdicts(self, signal: str, state: DriftState) -> Sequence[Verdict]:
        found = self._signals.get(signal)
        return show(state.decided, found.verdicts(state.own)) if found is not None else ()
