"""What a change detector is: it reads observations one by one and says how strongly they speak for a change.

Rules that every detector keeps (detectors/checks.py, run by tests/contract/test_detectors.py):
1. The detector holds parameters only and never changes; what it has learned is in a state that the caller keeps.
2. Same numbers, same state, byte for byte. The size of a state is bounded.
3. A number that can't be (NaN, out of range) is refused with ValueError and leaves the state as it was.
4. A stored state has a version. One that can't be read is refused (StateRefused), never guessed at.
5. ``unit`` says what the false-alarm promise is counted in: while nothing changes, the average of units until the
   statistic reaches A is at least A. Without a unit there is no promise, and an alarm is a statistic of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

Unit = Literal["observations", "expected events", "days"]
Direction = Literal["fall", "rise", "both"]

YEAR_DAYS = 365.25
CEILING = 1e18
"""No statistic exceeds it: above, the evidence says no more to anybody, and a bounded number can't overflow. A smaller
statistic keeps every promise."""
HIGHEST_THRESHOLD = 1e15


def threshold(*, units_per_day: float, false_alarms_per_year: float, monitors: int = 1) -> float:
    """The threshold at which one of ``monitors`` that share a budget of false alarms keeps its part of it.

    ``units_per_day`` is the observed flow of the detector's unit (1 for days). At least 1, at most HIGHEST_THRESHOLD.
    Raises ValueError where a number is not positive.
    """
    if not (units_per_day > 0 and false_alarms_per_year > 0 and monitors > 0):
        raise ValueError("a threshold needs a positive flow, a positive budget and at least one monitor")
    return min(max(units_per_day * YEAR_DAYS * monitors / false_alarms_per_year, 1.0), HIGHEST_THRESHOLD)


class ChangeEstimate(Struct, frozen=True):
    """Where a change most likely began: time of the first observation after it, and what came since."""

    since: float
    n: int
    total: float


class Detector(Protocol):
    @property
    def unit(self) -> Unit | None: ...

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Any], Sequence[Any]]]:
        """For the conformance checks: a detector, values of a stream without a change, and values that can't be."""
        ...

    def new_state(self) -> Any: ...

    def update(self, state: Any, value: Any, at: float) -> None:
        """Takes one observation in (changes ``state``); ``value`` is what the class names, ``at`` in Unix seconds is for
        dating the change (and the calendar of detectors whose unit is days).

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
