"""What stepping a stage through a batch brings about, besides the new states."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from schemas.alerts import Alert
from schemas.observations import Observation


class Listing(Struct, gc=False):
    """One account's place in a variant's list.

    ``bound`` is log2 of a bound of its trigger score at ``at`` (Unix seconds) that halves every ``envelope_s``:
    ``rank = bound + at / envelope_s`` orders accounts by what they can score at any later time, so that the top of
    the list is found without scoring every account.
    """

    variant: str
    account: str
    fit: float | None
    """None: as it was; -1: the screen puts the account out"""
    trigger: float
    at: float
    bound: float
    envelope_s: float


BY_TIMER = -1


class Effects(Struct):
    alerts: list[Alert] = []
    observations: list[Observation] = []
    moved: dict[tuple[str, str], Any] = {}
    """(variant, account) whose place in the list has changed -> what the stage needs to find the new one"""
    listings: list[Listing] = []
    """the new places, put here at the end of a batch"""
    timers_changed: bool = False
    """set by a step that set or removed a timer; whoever runs the stage reads and resets it"""
    time: float = 0.0
    """how far the time of the state partition has come (Unix seconds), set by whoever runs the stage: what a step
    observes is known from then on"""
    position: int = BY_TIMER
    """the number, in its batch, of the record that is stepped through, or BY_TIMER; set by whoever runs the stage"""
    positions: list[int] = []
    """where each of ``observations`` comes from"""
