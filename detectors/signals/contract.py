"""What a drift signal is. One signal is one file here and one line in detectors/catalogue.py.

A signal has two halves, which never meet in one process's memory:

- the *account half* runs inside the account stage. It sees milestones of one account and its own timers, and emits
  observations, each a mature fact;
- the *drift half* runs in the drift stage, keyed by the signal's name. It sees the observations of all accounts in the
  order of their maturing, and keeps verdicts by segment.

Both are pure: event time only; the same observations give the same verdicts, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from schemas.alerts import DriftAlert, Interval, Notice
from schemas.observations import Observation
from schemas.settings import DriftSettings

Milestone = Literal["signed_up", "activated", "onboarded", "converted", "churned"]
VerdictState = Literal["learning", "watching", "drifting", "resolved"]
ALL = "all"
"""The segment that holds everything."""


class AccountFacts(Protocol):
    """What a signal may read of an account."""

    @property
    def account(self) -> str: ...

    @property
    def source(self) -> str:
        """Acquisition source, one of the built-in table's names or the ICP file's; ``unknown`` without one."""
        ...

    @property
    def milestones(self) -> Mapping[str, float]:
        """milestone -> Unix seconds of its earliest event"""
        ...


class AccountOutput(Protocol):
    """Where the account half puts what it finds. Timer names are the signal's own; setting one again moves it."""

    def observe(
        self, measure: str, *, at: float, began: float, value: float, segments: Mapping[str, str]
    ) -> None: ...

    def set_timer(self, name: str, due: float) -> None: ...


class Point(Struct, array_like=True, gc=False):
    """One step of a chart: a bucket of time with its count and sum, and the statistic at its end."""

    at: float
    n: int
    total: float
    statistic: float


class Verdict(Struct, kw_only=True):
    """What is known of one signal in one segment. ``missing`` says in words what learning still needs."""

    signal: str
    segment: str
    state: VerdictState
    at: float
    since: float | None
    since_margin_days: float | None
    before: Interval | None
    now: Interval | None
    statistic: float
    threshold: float
    n: int
    missing: str
    finding: str = ""
    """a named finding that holds now beside the state (``whole funnel``), or nothing"""
    counted_out: dict[str, int]
    """what is not in ``n``, by reason (left_truncated, settling, sales_led)"""
    history: list[Point]


class Signal(Protocol):
    name: str
    title: str
    """in words, for alerts and pages"""
    needs: frozenset[str]
    """event types without which the signal can't be judged"""
    listens: frozenset[str]
    """milestones that the account half wants to hear of"""

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        """``monitors``: how many monitors, over all signals and segments of the installation, share the budget of false
        alarms."""
        ...

    def healthy_example(self) -> Sequence[Observation]:
        """What a company tells this signal while nothing changes, evenly spaced and long enough to leave learning; for
        the conformance checks (detectors/checks.py)."""
        ...

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        """Called when ``milestone`` is reached, and again if a late event moves it to an earlier time."""
        ...

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None: ...

    def new_state(self) -> Any: ...

    def encode_state(self, state: Any) -> bytes:
        """Explicit and versioned (no pickle)."""
        ...

    def decode_state(self, raw: bytes) -> Any:
        """Raises StateRefused when ``raw`` has a version that can't be read."""
        ...

    def step(self, state: Any, observation: Observation) -> Sequence[DriftAlert | Notice]:
        """Takes the observation in (changes ``state``) and returns the alerts that it set off.

        Raises EventRefused, and leaves ``state`` as it was, for an observation that the signal can't have made.
        """
        ...

    def verdicts(self, state: Any) -> Sequence[Verdict]:
        """One for each segment, ``all`` first, then by name."""
        ...
