"""Two versions at work side by side, as during an upgrade: the older one hears of a signal that it does not know. What is
stored of that signal stays as it is, and the newer version reads it again."""

from __future__ import annotations

import pytest

from detectors.catalogue import SIGNALS, signals
from detectors.drift import DriftStage
from detectors.effects import Effects
from schemas.settings import Settings

NEWER = signals(Settings().drift)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_version_that_does_not_know_a_signal_leaves_its_state(name: str) -> None:
    newer = DriftStage(NEWER)
    older = DriftStage([signal for signal in NEWER if signal.name != name])
    (signal,) = (signal for signal in NEWER if signal.name == name)
    first, second = signal.healthy_example()[:2]

    state = newer.new_state(name)
    assert newer.step(name, state, first, first.at, Effects(time=first.at))
    stored = newer.encode_state(name, state)
    seen = older.decode_state(name, stored)
    assert older.step(name, seen, second, second.at, Effects(time=second.at))
    assert older.verdicts(name, seen) == ()
    assert older.encode_state(name, seen) == stored

    never = older.new_state(name)
    assert older.step(name, never, first, first.at, Effects(time=first.at))
    begun = newer.decode_state(name, older.encode_state(name, never))
    assert newer.encode_state(name, begun) == newer.encode_state(name, newer.new_state(name))
