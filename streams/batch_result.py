"""What a processor says of each commit: for metrics, logs and those who pass alerts on."""

from __future__ import annotations

from msgspec import Struct

from detectors.effects import Effects
from streams.stores.contract import DeadLetter, OutboxRow


class BatchResult(Struct):
    """What one commit brought. Times in seconds."""

    stage: str
    touched: int
    """keys with a new state"""
    received: int
    applied: dict[str, int]
    """by record class"""
    duplicate: dict[str, int]
    late: dict[str, int]
    dead_letters: list[DeadLetter]
    alerts: list[OutboxRow]
    effects: Effects
    batch_s: float
    commit_s: float
