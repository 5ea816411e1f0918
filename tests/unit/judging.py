"""A signal's drift half on observations: what it says, and a person's decision in between. For tests of all signals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from detectors.signals.contract import ALL, BASELINE_RETAKEN
from schemas.alerts import DriftAlert, Notice
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0


def judge(signal: Any, observations: Iterable[Observation]) -> tuple[Any, list[DriftAlert | Notice]]:
    state = signal.new_state()
    return state, [alert for observation in observations for alert in signal.step(state, observation)]


def said(alerts: Iterable[DriftAlert | Notice]) -> list[tuple[str, str]]:
    """(segment, state or finding)"""
    return [
        (alert.segment, alert.state if isinstance(alert, DriftAlert) else alert.finding) for alert in alerts
    ]


def day_of(at: datetime) -> float:
    return (at - datetime.fromtimestamp(T0, UTC)).total_seconds() / DAY


def retaken(signal: Any, at: float, segment: str = ALL) -> Observation:
    """A person takes the segment's baseline anew at ``at`` (Unix seconds)."""
    return Observation(
        signal=signal.name,
        measure=BASELINE_RETAKEN,
        at=at,
        began=at,
        value=1.0,
        account="",
        segments={"segment": segment},
    )
