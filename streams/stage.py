"""What a processor runs: a stage and the reader of its records (detectors/accounts.py, detectors/drift.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from detectors.effects import Effects
from detectors.health.tally import Heard
from schemas.errors import EventRefused

Decoded = tuple[int, str, float, Any]
"""(number, key, event time in Unix seconds, record)"""
ReadAll = Callable[[Sequence[int], Sequence[Any]], tuple[list[Decoded], list[tuple[int, EventRefused]]]]
"""numbers and raw records, as many -> what can be read, in order, each with its number; and the numbers of what is refused"""


def one_by_one(read: Callable[[Any], tuple[str, float, Any]]) -> ReadAll:
    """What reads many with ``read``: raw record -> (key, event time in Unix seconds, record); raises EventRefused."""

    def read_all(
        numbers: Sequence[int], raws: Sequence[Any]
    ) -> tuple[list[Decoded], list[tuple[int, EventRefused]]]:
        found: list[Decoded] = []
        refused: list[tuple[int, EventRefused]] = []
        for number, raw in zip(numbers, raws, strict=True):
            try:
                found.append((number, *read(raw)))
            except EventRefused as error:
                refused.append((number, error))
        return found, refused

    return read_all


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
        """Gives the state of ``beside_key``, as it is, for the steps that follow. It changes by its own steps only, or, where it is
        that of ``tally_key``, by all of them: it is written whenever something was counted."""
        ...
