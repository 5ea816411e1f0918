"""What a change detector is: it reads plain numbers one by one and says how strongly they speak for a change.

Rules that every detector keeps (detectors/checks.py, run by tests/contract/test_detectors.py):
1. The detector holds parameters only and never changes; what it has learned is in a state that the caller keeps.
2. Same numbers, same state, byte for byte. The size of a state is bounded.
3. A number that can't be (NaN, out of range) is refused with ValueError and leaves the state as it was.
4. A stored state has a version. One that can't be read is refused (StateRefused), never guessed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

from msgspec import Struct


class ChangeEstimate(Struct, frozen=True):
    """Where a change most likely began: time of the first observation after it, and what came since."""

    since: float
    n: int
    total: float


class Detector(Protocol):
    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        """For the conformance checks: a detector, values of a stream without a change, and values that can't be."""
        ...

    def new_state(self) -> Any: ...

    def update(self, state: Any, value: float, at: float) -> None:
        """Takes one observation in (changes ``state``); ``at`` in Unix seconds is only for dating the change.

        Raises ValueError for a value that can't be observed.
        """
        ...

    def statistic(self, state: Any) -> float:
        """The evidence for a change; alarm where it reaches the threshold."""
        ...

    def change(self, state: Any) -> ChangeEstimate | None:
        """The likeliest change, or None where nothing speaks for one."""
        ...

    def encode_state(self, state: Any) -> bytes: ...

    def decode_state(self, raw: bytes) -> Any:
        """Raises StateRefused."""
        ...
