"""Observations of a share for the tests of rate_monitor.py and what stands on it: seeded, spread evenly over days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
import numpy as np

from detectors.signals.monitor import Change, Promise
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateState
from schemas.duration import DAY
from schemas.observations import Observation

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""a Monday"""
PROMISE = Promise(false_alarms_per_year=1.0, monitors=24, min_baseline=300, min_baseline_days=28.0)


def shares(
    *,
    days: int,
    per_day: Mapping[str, Callable[[float], float]],
    share: Callable[[str, float], float],
    seed: int,
    dimension: str = "",
    signal: str = "test",
    measure: str = "share",
    maturing_s: float = 0.0,
    strata: bool = True,
) -> list[Observation]:
    """``per_day``: part (a rep, a source) -> observations a day on a day, ``share`` of (part, day) -> probability of a one.
    Each account is new."""
    random = np.random.default_rng(seed)
    told = []
    for day in range(days):
        for part, flow in per_day.items():
            for _ in range(random.poisson(flow(day))):
                began = START + (day + random.random()) * DAY
                told.append(
                    Observation(
                        signal=signal,
                        measure=measure,
                        at=began + maturing_s,
                        began=began,
                        value=float(random.random() < share(part, day)),
                        account="",
                        segments={dimension: part} if dimension else {},
                        stratum=part if strata else "",
                    )
                )
    told.sort(key=lambda observation: observation.at)
    for number, observation in enumerate(told):
        observation.account = f"a{number}"
    return told


def run(monitor: RateMonitor, observations: Iterable[Observation]) -> list[tuple[float, Change]]:
    """(day, change) of all that changed but the freezing."""
    found = []
    for observation in observations:
        for change in monitor.take(observation, may_freeze=True):
            if change.kind != "frozen":
                found.append(((observation.at - START) / DAY, change))
    return found


def stored_again(monitor: RateMonitor, way: str, *, grows_to: int = 0) -> RateMonitor:
    raw = msgspec.msgpack.encode(monitor.stored)
    stored = msgspec.msgpack.decode(raw, type=RateState)
    return RateMonitor(PROMISE, way, stored, grows_to=grows_to)  # type: ignore[arg-type]
