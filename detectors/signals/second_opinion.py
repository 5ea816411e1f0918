"""A second opinion on a signal: one of river's detectors reads what the signal counts in ``all``, and says what it finds.

Rules:
1. It decides nothing: what it finds is a notice, at most one in QUIET. The signal's own state, verdict and alerts are what they
   would be without it.
2. It has river's own parameters, and there is no promise of how often it is wrong. HDDM_A alone is told to look both ways,
   as the others do: by itself it finds rises only.
3. It reads values as they come (``Reading``), without what the signal does about mix, age and growth; days by the logarithm, as
   they spread: river's parameters are made for values about 1. After a find it goes on; with the baseline of ``all`` it
   begins anew.
4. A state of another detector or of another version of river gives way to a new one, since no promise rests on it. One
   that is damaged is refused.
"""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from detectors.sequential.river_detector import RiverDetector, RiverState
from detectors.sequential.stored_state import decode, encode
from detectors.signals.contract import ALL, Opinion, Quantity, Reading, Signal
from detectors.signals.words import day, per_hundred
from schemas.alerts import Notice, alert_id, moment
from schemas.duration import DAY
from schemas.settings import RiverDetectorName

FINDING = "second opinion"
QUIET = 28 * DAY
NEWEST = 30
"""River does not say since when: the newest so many observations are compared with all before them."""
STATE_VERSION = 1


class Kept(Struct, array_like=True):
    """``n``: observations read; when a change was last found and last told of (Unix seconds). Since the last find: the sum of
    the values before the newest, how many these are, and the newest. ``river``: the state of river's detector."""

    made_by: str
    n: int = 0
    found_at: float | None = None
    told_at: float | None = None
    before: float = 0.0
    before_n: int = 0
    newest: list[float] = []
    river: bytes = b""


class OpinionState:
    def __init__(self, kept: Kept, river: RiverState) -> None:
        self.kept = kept
        self.river = river


def can_read(name: RiverDetectorName, reading: Reading) -> bool:
    """Whether river's detector takes such values: HDDM_A has an answer for 0 and 1 only."""
    return name != "hddm_a" or reading.unit == "share"


class SecondOpinion:
    """River's detector ``name`` beside ``signal``. Raises ValueError where it can't read the signal's values."""

    def __init__(self, name: RiverDetectorName, signal: Signal) -> None:
        if not can_read(name, signal.reading):
            raise ValueError(f"{name} takes 0 and 1, and {signal.name} has other values")
        self._name = name
        self._signal = signal
        self._detector = RiverDetector(name, **({"two_sided_test": True} if name == "hddm_a" else {}))
        self._made_by = f"{name} of river {self._detector.version}"

    def new_state(self, told_at: float | None = None) -> OpinionState:
        """``told_at``: when one that it takes the place of last gave a notice."""
        return OpinionState(Kept(self._made_by, told_at=told_at), self._detector.new_state())

    def encode_state(self, state: OpinionState) -> bytes:
        state.kept.river = self._detector.encode_state(state.river)
        return encode(STATE_VERSION, state.kept)

    def decode_state(self, raw: bytes) -> OpinionState:
        """A new one where there was none (empty), and by rule 4. Raises StateRefused."""
        if not raw:
            return self.new_state()
        kept = decode(raw, STATE_VERSION, Kept, what=f"the second opinion on {self._signal.name}")
        if kept.made_by != self._made_by:
            return self.new_state()
        return OpinionState(kept, self._detector.decode_state(kept.river))

    def listen(self, state: OpinionState, own: Any) -> list[Notice]:
        """Reads what the signal counted in its last step; ``own``: the signal's state after it."""
        out: list[Notice] = []
        for told in own.told:
            if told.measure not in self._signal.reading.measures:
                continue
            self._detector.update(state.river, _scaled(told.value, self._signal.reading.unit), told.at)
            kept = state.kept
            _count(kept, told.value)
            if self._detector.statistic(state.river) < 1:
                continue
            kept.found_at = told.at
            if kept.told_at is None or told.at >= kept.told_at + QUIET:
                kept.told_at = told.at
                out.append(self._notice(kept, own, told.at))
            kept.before, kept.before_n, kept.newest = 0.0, 0, []
        return out

    def opinion(self, state: OpinionState) -> Opinion:
        return Opinion(self._name, state.kept.n, state.kept.found_at)

    def _notice(self, kept: Kept, own: Any, at: float) -> Notice:
        reading, verdict = self._signal.reading, self._signal.verdicts(own)[0]
        earlier = (
            f"{_mean(kept.before, kept.before_n, reading.unit)} over the {kept.before_n:,} before and "
            if kept.before_n
            else ""
        )
        now = _mean(sum(kept.newest), len(kept.newest), reading.unit)
        return Notice(
            id=alert_id("notice", self._signal.name, ALL, FINDING, self._name, at, kept.n),
            at=moment(at),
            signal=self._signal.name,
            segment=ALL,
            finding=FINDING,
            what=(
                f"A second opinion, river's {self._name}, found a change on {day(at)}, at observation {kept.n:,} of those that it "
                f"has read: {reading.of}, {earlier}{now} over the newest {len(kept.newest)}."
            ),
            means=(
                "It decides nothing, and nothing is promised about how often it is wrong. "
                + (
                    "The signal itself is still learning."
                    if verdict.state == "learning"
                    else f"The signal itself is {verdict.state}: its statistic is {verdict.statistic:,.0f}, and alarms at "
                    f"{verdict.threshold:,.0f}."
                )
            ),
        )


def _count(kept: Kept, value: float) -> None:
    kept.n += 1
    kept.newest.append(value)
    if len(kept.newest) > NEWEST:
        kept.before += kept.newest.pop(0)
        kept.before_n += 1


def _scaled(value: float, unit: Quantity) -> float:
    return math.log1p(value) if unit == "days" else value


def _mean(total: float, n: int, unit: Quantity) -> str:
    mean = total / n
    if unit == "share":
        return f"{per_hundred(mean)} of 100"
    return f"{mean:.1f} days" if unit == "days" else f"{mean:.1f}"
