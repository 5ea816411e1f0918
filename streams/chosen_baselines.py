"""Says in the log which chosen baselines (``drift.baseline_from``) are not in force, when states are taken over.

A state keeps what it began with: what it has counted, or counted out, can't be taken back. Who changes the setting of an
installation that runs must be told, since nothing else would happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import structlog

from detectors.drift import DriftStage
from schemas.alerts import moment
from streams.stores.contract import Claim, Loaded

FIRST = "the first stretch"

_log = structlog.get_logger("plumbline.drift")


class _Store(Protocol):
    def load(self, claim: Claim, keys: Iterable[str], due_until: float | None) -> Loaded: ...


def say_what_is_not_in_force(stage: DriftStage, store: _Store, claim: Claim) -> None:
    """Raises what the store raises, and StateRefused."""
    for signal, stored in store.load(claim, stage.signal_names, None).states.items():
        chosen = stage.chosen(signal, stage.decode_state(signal, stored.state))
        if chosen is not None and not chosen.in_force:
            _log.warning(
                "baseline_from is not in force: read the history anew, or take the baseline anew (docs/drift.md)",
                signal=signal,
                learned_from=_words(chosen.begun_with),
                settings=_words(chosen.asked),
            )


def _words(at: float | None) -> str:
    return FIRST if at is None else moment(at).isoformat()
