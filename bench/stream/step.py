"""The step that every arm does for every event: decode and check, duplicate memory, scores, alerts.

It is what streams/processor.py does for each event, less what the peers have nothing for and are therefore spared: lists
for the pages, timers, late events, dead letters. An arm keeps the AccountState in whatever it has for state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.stream.job import ICP
from bench.stream.meter import Meter
from detectors.account_state import AccountState, decode_state, encode_state
from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.effects import Effects
from schemas.event_reader import EventReader
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.pipeline import spare_the_collector

__all__ = ["AccountState", "AccountStep", "decode_state", "encode_state"]

EFFECTS_OF = 1000
"""events whose effects are gathered before they are let go of, as a batch's are"""


class AccountStep:
    """Stateless but for what it counts: ``take`` is given the state and changes it."""

    def __init__(self, meter: Meter) -> None:
        settings = Settings()
        self.read: Callable[[bytes], tuple[str, float, Any]] = EventReader(settings.limits, time.time()).read
        self.alerts = 0
        self._stage = AccountStage(load_icps([ICP]), signals(settings.drift), settings.late_after)
        self._step = self._stage.step
        self._effects = Effects()
        self._steps = 0
        self._meter = meter
        spare_the_collector()

    def take(self, account: str, state: AccountState, event: Any, at: float) -> None:
        """Steps the account through the event that ``read`` gave."""
        fresh = self._step(account, state, event, at, self._effects)
        self._steps += 1
        if self._steps == EFFECTS_OF:
            self.alerts += len(self._effects.alerts)
            self._effects = Effects()
            self._steps = 0
        if fresh:
            self._meter.took(1)
        else:
            self._meter.took(0, 1)
