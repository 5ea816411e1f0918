"""What a drift signal's account half sees of an account, and where it puts what it finds (detectors/signals/contract.py)."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.account_state import AccountState, set_timer
from detectors.effects import Effects
from schemas.observations import Observation

SIGNAL_TIMER = "signal"
"""Timers of signals are named ``signal:<signal>:<the signal's own name>``."""


class Facts:
    """``source``: the acquisition source as it stands, fixed or not."""

    def __init__(self, account: str, state: AccountState, source: str) -> None:
        self.account = account
        self.milestones: Mapping[str, float] = state.milestones
        self.source = source


class Output:
    """Observations go out, timers into the account's state."""

    def __init__(self, account: str, state: AccountState, signal: str, effects: Effects) -> None:
        self._account = account
        self._state = state
        self._signal = signal
        self._effects = effects

    def observe(
        self, measure: str, *, at: float, began: float, value: float, segments: Mapping[str, str]
    ) -> None:
        self._effects.observations.append(
            Observation(
                signal=self._signal,
                measure=measure,
                at=at,
                began=began,
                value=value,
                account=self._account,
                segments=dict(segments),
            )
        )

    def set_timer(self, name: str, due: float) -> None:
        set_timer(self._state, f"{SIGNAL_TIMER}:{self._signal}:{name}", due, self._effects)
