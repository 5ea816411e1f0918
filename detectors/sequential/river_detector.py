"""River's ADWIN, PageHinkley, KSWIN and HDDM_A as detectors of this program, with a state that can be stored safely.

Rules:
1. They make no promise (``unit`` is None): the statistic is 1 where river's detector has just found a change, else 0.
   docs/detection.md holds what was measured of their run lengths.
2. A state is stored as plain numbers under river's own names, with river's version; one of another version of river is
   refused. Nothing is pickled. ADWIN's buckets are kept by compiled code, which gives and takes its own bytes, and aborts
   at bytes that are not: these are stored as they are with a checksum, so that only whole ones are given back.
3. KSWIN draws a sample at each observation. Its generator is seeded anew by the number of the observation, so that the
   same numbers give the same state.
4. River is imported when a detector is made, not before: it takes seconds.
5. HDDM_A only takes 0 and 1, and like all of river's binary detectors looks for *rising* ones unless told otherwise.
"""

from __future__ import annotations

import importlib
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, get_args
from zlib import crc32

from msgspec import Struct

from detectors.sequential.contract import ChangeEstimate, Unit
from detectors.sequential.stored_state import decode, encode
from schemas.errors import StateRefused
from schemas.settings import RiverDetectorName

STATE_VERSION = 1
_PARAMETER_BYTES = 36
"""delta, clock, bucket count, shortest window and grace: what ADWIN's own bytes begin with"""
_CLASSES: Mapping[RiverDetectorName, tuple[str, str]] = {
    "adwin": ("river.drift", "ADWIN"),
    "page_hinkley": ("river.drift", "PageHinkley"),
    "kswin": ("river.drift", "KSWIN"),
    "hddm_a": ("river.drift.binary", "HDDMA"),
}
_NUMBERS: Mapping[RiverDetectorName, tuple[str, ...]] = {
    "adwin": (),
    "page_hinkley": ("_sum_increase", "_sum_decrease", "_min_increase", "_max_decrease"),
    "kswin": ("n", "p_value"),
    "hddm_a": (),
}
_MEANS: Mapping[RiverDetectorName, tuple[str, ...]] = {
    "adwin": (),
    "page_hinkley": ("_x_mean",),
    "kswin": (),
    "hddm_a": ("_x_min", "_x_max", "_z"),
}


class RiverState:
    """River's detector at work, how many observations it has seen, and when it last found a change."""

    __slots__ = ("found_at", "live", "seen")

    def __init__(self, live: Any, seen: int = 0, found_at: float | None = None) -> None:
        self.live = live
        self.seen = seen
        self.found_at = found_at


class _Stored(Struct, array_like=True):
    river: str
    name: str
    seen: int
    found_at: float | None
    drift: bool
    warning: bool
    numbers: dict[str, float]
    means: dict[str, tuple[float, float]]
    window: list[float]
    buckets: bytes
    checksum: int


class RiverDetector:
    """One of river's drift detectors.

    Parameters
    ----------
    name
        ``adwin``, ``page_hinkley``, ``kswin`` or ``hddm_a``.
    parameters
        River's own, by river's names (``delta`` of ADWIN, say). KSWIN's seed is 0 unless given.

    References
    ----------
    A. Bifet, R. Gavalda, SDM (2007) for ADWIN; E. S. Page, Biometrika 41 (1954); C. Raab, M. Heusinger, F.-M. Schleif,
    Neurocomputing 416 (2020) for KSWIN; I. Frias-Blanco et al., IEEE Transactions on Knowledge and Data Engineering 27
    (2015) for HDDM_A.
    """

    unit: ClassVar[Unit | None] = None

    def __init__(self, name: RiverDetectorName, **parameters: Any) -> None:
        if name not in get_args(RiverDetectorName):
            raise ValueError(f"river's detectors are {', '.join(get_args(RiverDetectorName))}")
        if name == "kswin" and parameters.get("seed") is None:
            parameters["seed"] = 0
        self.name: RiverDetectorName = name
        self.parameters = parameters
        module, kind = _CLASSES[name]
        self._kind = getattr(importlib.import_module(module), kind)
        self._mean = importlib.import_module("river.stats").Mean
        self.version = str(importlib.import_module("river").__version__)
        self._kind(**parameters)  # parameters that river refuses are refused now

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[float], Sequence[float]]]:
        quiet = [float(i % 5 == 0) for i in range(600)]
        impossible = (math.nan, math.inf, -math.inf)
        return [
            (cls("adwin"), quiet, impossible),
            (cls("page_hinkley"), quiet, impossible),
            (cls("kswin"), quiet, impossible),
            (cls("hddm_a"), quiet, (*impossible, 0.5, 2.0)),
        ]

    def new_state(self) -> RiverState:
        return RiverState(self._kind(**self.parameters))

    def update(self, state: RiverState, value: float, at: float) -> None:
        if not math.isfinite(value) or not math.isfinite(at):
            raise ValueError("an observation and its time are finite")
        if self.name == "hddm_a" and value not in (0, 1):
            raise ValueError("HDDM_A takes 0 and 1")
        live = state.live
        state.seen += 1
        if self.name == "kswin":
            if live.drift_detected:
                live._reset()
            live._rng.seed(self.parameters["seed"] + state.seen)
        live.update(value)
        if live.drift_detected:
            state.found_at = at

    def statistic(self, state: RiverState) -> float:
        return 1.0 if state.live.drift_detected else 0.0

    def change(self, state: RiverState) -> ChangeEstimate | None:
        """The time of the alarm, for as long as it stands: river does not date changes."""
        if not state.live.drift_detected or state.found_at is None:
            return None
        return ChangeEstimate(state.found_at, 1, 0.0)

    def encode_state(self, state: RiverState) -> bytes:
        live = state.live
        buckets = live._helper.__getstate__() if self.name == "adwin" else b""
        stored = _Stored(
            river=self.version,
            name=self.name,
            seen=state.seen,
            found_at=state.found_at,
            drift=bool(live.drift_detected),
            warning=bool(getattr(live, "_warning_detected", False)),
            numbers={number: float(getattr(live, number)) for number in _NUMBERS[self.name]},
            means={each: _of_mean(getattr(live, each)) for each in _MEANS[self.name]},
            window=[float(value) for value in live.window] if self.name == "kswin" else [],
            buckets=buckets,
            checksum=crc32(buckets),
        )
        return encode(STATE_VERSION, stored)

    def decode_state(self, raw: bytes) -> RiverState:
        """Raises StateRefused."""
        what = f"the state of river's {self.name}"
        stored = decode(
            raw,
            STATE_VERSION,
            _Stored,
            what=what,
            fits=lambda stored: (
                stored.name == self.name
                and set(stored.numbers) == set(_NUMBERS[self.name])
                and set(stored.means) == set(_MEANS[self.name])
            ),
        )
        if stored.river != self.version:
            raise StateRefused(
                f"{what} is of river {stored.river}; this program has river {self.version}",
                remedy="install the version of river that wrote it, or take the baseline anew",
            )
        live = self._kind(**self.parameters)
        live._drift_detected = stored.drift
        if hasattr(live, "_warning_detected"):
            live._warning_detected = stored.warning
        for number, value in stored.numbers.items():
            setattr(live, number, value)
        for each, (n, mean) in stored.means.items():
            setattr(live, each, self._to_mean(n, mean))
        if self.name == "kswin":
            live.n = int(live.n)
            live.window = deque(stored.window, maxlen=live.window_size)
        if self.name == "adwin":
            fresh = live._helper.__getstate__()
            same_parameters = fresh[:_PARAMETER_BYTES] == stored.buckets[:_PARAMETER_BYTES]
            if crc32(stored.buckets) != stored.checksum or not same_parameters:
                raise StateRefused(
                    f"{what} is damaged or belongs to other parameters",
                    remedy="run the version that wrote it, or take the baseline anew",
                )
            live._helper.__setstate__(stored.buckets)
        return RiverState(live, stored.seen, stored.found_at)

    def _to_mean(self, n: float, mean: float) -> Any:
        made = self._mean()
        made.n, made._mean = n, mean
        return made


def _of_mean(mean: Any) -> tuple[float, float]:
    return float(mean.n), float(mean._mean)
