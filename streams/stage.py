"""What a processor runs: a stage and the reader of its records (detectors/accounts.py, detectors/drift.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from detectors.effects import Effects
from detectors.health.tally import Heard

Decode = Callable[[bytes], tuple[str, float, Any]]
"""raw record -> (key, event time in Unix seconds, record); raises EventRefused"""


class Stage(Protocol):
    """Pure. States and records are its own; a processor only carries them."""

    name: str
    tally_key: str
    """of the state that counts all records, which is no record's own; empty: they are not counted"""
    beside_key: str
    """of a state that steps of other keys look at, too; empty: none"""

    def new_state(self, key: str) -> Any: ...

    def encode_state(self, key: str, state: Any) -> bytes: ...

    def decode_state(self, key: str, raw: bytes) -> Any: ...

    def step(self, key: str, state: Any, record: Any, at: float, effects: Effects) -> bool: ...

    def finish(self, effects: Effects) -> None: ...

    def due(self, state: Any) -> float | None: ...

    def fire(self, key: str, state: Any, until: float, effects: Effects) -> None: ...

    def begin_tally(self, state: Any, time: float) -> None:
        """Sets the timer at which the state of ``tally_key`` tells what it has counted from ``time`` (Unix seconds) on."""
        ...

    def tally(self, state: Any, heard: Heard) -> None:
        """Counts what was heard in the state of ``tally_key``. How it is cut into pieces changes nothing."""
        ...

    def hold(self, state: Any) -> None:
        """Gives the state of ``beside_key``, as it is, for the steps that follow. It changes by its own steps only."""
        ...
