"""What a processor runs: a stage and the reader of its records (detectors/accounts.py, detectors/drift.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from detectors.effects import Effects

Decode = Callable[[bytes], tuple[str, float, Any]]
"""raw record -> (key, event time in Unix seconds, record); raises EventRefused"""


class Stage(Protocol):
    """Pure. States and records are its own; a processor only carries them."""

    name: str

    def new_state(self, key: str) -> Any: ...

    def encode_state(self, key: str, state: Any) -> bytes: ...

    def decode_state(self, key: str, raw: bytes) -> Any: ...

    def step(self, key: str, state: Any, record: Any, at: float, effects: Effects) -> bool: ...

    def finish(self, effects: Effects) -> None: ...

    def due(self, state: Any) -> float | None: ...

    def fire(self, key: str, state: Any, until: float, effects: Effects) -> None: ...
