"""Trigger scores: for each trigger a decayed sum over its events, with the evidence that explains it.

Rules:
1. A trigger's contribution is ``weight * value``; a variant's score is the sum of its triggers' contributions, so
   the parts always add up.
2. Order of arrival changes nothing. Which events count is a function of the *set* of matching events:
   - ``at_least: n`` with ``within``: an event counts when it is at least the n-th within the window that ends at it;
   - ``at_least: {distinct, count}``: an event counts when its value is new within the window that ends at it, and at
     least the count-th distinct one there;
   - ``daily_cap``: the events of one UTC day together add at most the cap; where they would add more, each of them is
     scaled by the same factor.
   An event without the field whose values are counted is no event for the trigger.
3. Memory is bounded. A window holds the newest MIN_WINDOW events, or twice its count if that is more, of those younger
   than twice the window plus ``late_after``; rule 2 is exact while no more events than that fall into that time. Of one
   distinct value only those events are held that can still decide something, so a busy user fills no window; where more
   different values come than it can hold, further ones can't be told from those that were there before, and don't
   count. Evidence holds the newest MAX_EVIDENCE events.
4. A weight and a daily cap count as they are written in the version that scores, for all that is remembered; days
   that no late event can change any more keep the cap that they had.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

from msgspec import Struct

from detectors.decay import Decay, Fading, HalfLife, Lasts, Linear, Steps
from detectors.matching import Getter, Predicate, always, compile_node, data_getter
from schemas.conditions import AllOf
from schemas.icp import DistinctCount, Trigger

MIN_WINDOW = 32
SLACK = 16
MAX_WINDOW = 116
"""2 * the highest count that schemas/icp.py takes, and the slack"""
MAX_EVIDENCE = 5
DAY_S = 86400.0


class Day(Struct, array_like=True, gc=False):
    """One UTC day under a daily cap: how many units its events have, and their decayed sum before the cap."""

    units: float
    fading: Fading


class Cell(Struct, array_like=True, gc=False):
    """What one account remembers of one trigger."""

    fading: Fading
    recent: list[tuple[float, str, int]]
    """the newest matching events (Unix seconds, event id, value), oldest first; value as in ``window``"""
    window: list[tuple[float, int, bool]] = []
    """(Unix seconds, hash of the distinct value or of the event id, does it count), sorted"""
    days: dict[int, Day] = {}
    """days under a daily cap that a late event can still change; what they add, capped, is in ``fading``"""
    cap_units: float = 0.0
    """the daily cap, in units, under which ``fading`` holds them; 0 before the first"""


class CompiledTrigger:
    """A trigger of the ICP file, ready to run."""

    def __init__(self, variant: str, written: Trigger, late_after_s: float) -> None:
        self.written = written
        self.name = written.name
        self.weight = written.weight
        self.decay = _decay(written)
        self.gate: Predicate = always
        """the condition's ``account`` part: judged when the score is taken, so that a late profile is right"""
        if written.when.of_account != AllOf(()):
            self.gate = compile_node(written.when.of_account)
        self.key = _key(variant, written)
        self._late_after_s = late_after_s
        self._within_s = written.within or 0.0
        at_least = written.at_least
        self._distinct: Getter | None = None
        if isinstance(at_least, DistinctCount) and written.when.event is not None:
            self._distinct = data_getter(written.when.event, at_least.distinct)
        self._count = at_least.count if isinstance(at_least, DistinctCount) else (at_least or 1)
        self._max_window = max(MIN_WINDOW, 2 * self._count)
        self._slack_s = (late_after_s + 2 * self._within_s) / 8
        self._cap_units = written.daily_cap / abs(written.weight) if written.daily_cap else None

    def new_cell(self) -> Cell:
        return Cell(fading=Fading(), recent=[])

    def add(self, cell: Cell, at: float, event_id: str, data: Any) -> None:
        """Takes one matching event in."""
        value = 0
        if self._count > 1:
            counted: Any = event_id
            if self._distinct is not None:
                counted = self._distinct(data)
                if counted is None:
                    return
            value = _hash(str(counted))
            self._add_to_window(cell, at, value)
        else:
            self._count_units(cell, at, 1.0)
        recent = cell.recent
        if not recent or at > recent[-1][0]:
            recent.append((at, event_id, value))
        else:
            insort(recent, (at, event_id, value))
        if len(recent) > MAX_EVIDENCE:
            del recent[0]

    def value(self, cell: Cell, now: float) -> float:
        """Units left at ``now`` (Unix seconds)."""
        if cell.days and cell.cap_units != self._cap_units:
            self._cap_anew(cell)
        return self.decay.value(cell.fading, now)

    def contribution(self, cell: Cell, now: float) -> float:
        return self.weight * self.value(cell, now)

    def evidence(self, cell: Cell, now: float) -> list[tuple[str, float, float]]:
        """(event id, Unix seconds, what is left of its contribution), newest first."""
        # Of two events with the same time and value one counts: it is marked once in the window.
        counted = Counter((at, value) for at, value, counts in cell.window if counts)
        found = []
        for at, event_id, value in reversed(cell.recent):
            units = 1.0
            if self._count > 1:
                units = 1.0 if counted[at, value] > 0 else 0.0
                counted[at, value] -= 1
            day = cell.days.get(int(at // DAY_S))
            scale = self._capped(day.units) if day is not None else 1.0
            found.append((event_id, at, self.weight * units * scale * self.decay.share(max(0.0, now - at))))
        return found

    def _capped(self, units: float) -> float:
        cap = self._cap_units
        return 1.0 if cap is None else _scale(units, cap)

    def _count_units(self, cell: Cell, at: float, units: float) -> None:
        if self._cap_units is None:
            self.decay.add(cell.fading, at, units)
            return
        if cell.cap_units != self._cap_units:
            self._cap_anew(cell)
        number = int(at // DAY_S)
        day = cell.days.get(number)
        if day is None:
            day = cell.days[number] = Day(units=0.0, fading=Fading())
            self._forget_days(cell)
        # What the day added so far is taken out, and what it adds now put in.
        self.decay.merge(cell.fading, day.fading, -self._capped(day.units))
        day.units += units
        self.decay.add(day.fading, at, units)
        self.decay.merge(cell.fading, day.fading, self._capped(day.units))

    def _cap_anew(self, cell: Cell) -> None:
        """Another version of the ICP file has another cap, or weight: what the days add is brought to it."""
        before, after = cell.cap_units, self._cap_units
        if after is None:
            return
        for day in cell.days.values():
            change = _scale(day.units, after) - _scale(day.units, before)
            if change:
                self.decay.merge(cell.fading, day.fading, change)
        cell.cap_units = after

    def _forget_days(self, cell: Cell) -> None:
        changing = min(self._late_after_s + self._within_s, self.decay.lifespan_s)
        oldest = max(cell.days) - changing / DAY_S - 1
        if cell.recent:  # evidence asks the day by how much its events are scaled
            oldest = min(oldest, cell.recent[0][0] // DAY_S)
        for number in [number for number in cell.days if number < oldest]:
            del cell.days[number]

    def _add_to_window(self, cell: Cell, at: float, value: int) -> None:
        window = cell.window
        if not window or at > window[-1][0]:
            if self._distinct is not None:
                self._drop_between(window, at, value)
            counts = self._counts_as_newest(window, at, value)
            window.append((at, value, counts))
            if counts:
                self._count_units(cell, at, 1.0)
        else:
            insort(window, (at, value, False))
            # A late event can make later ones count (it is one more) or not count (its value was there before).
            end = bisect_right(window, at + self._within_s, key=_time)
            for index in range(bisect_left(window, at, key=_time), end):
                when, which, counted = window[index]
                counts = self._counts(window, index)
                if counts != counted:
                    window[index] = (when, which, counts)
                    self._count_units(cell, when, 1.0 if counts else -1.0)
        oldest = window[-1][0] - self._late_after_s - 2 * self._within_s
        # Tidied up now and then, not at each event.
        if len(window) > self._max_window + SLACK or window[0][0] < oldest - self._slack_s:
            shown = (
                cell.recent[0][0] if cell.recent else at
            )  # evidence asks the window whether its events count
            del window[: bisect_left(window, min(oldest, shown), key=_time)]
            while len(window) > self._max_window:
                del window[self._least_telling(window, shown)]

    def _least_telling(self, window: Sequence[tuple[float, int, bool]], shown: float) -> int:
        """The oldest event; or, of distinct values, the oldest whose value came again and that is no evidence."""
        found = 0
        if self._distinct is not None:
            later = set()
            for index in range(len(window) - 1, -1, -1):
                when, value, _ = window[index]
                if value in later and when < shown:
                    found = index
                later.add(value)
        return found

    def _drop_between(self, window: list[tuple[float, int, bool]], at: float, value: int) -> None:
        """Of three events of one value within a window's time the middle one decides nothing: it doesn't count itself,
        and wherever it would show that the value is not new, the first or the last one shows it too."""
        last = None
        for index in range(len(window) - 1, -1, -1):
            when, which, _ = window[index]
            if when <= at - self._within_s:
                return
            if which == value:
                if last is not None:
                    del window[last]
                    return
                last = index

    def _counts_as_newest(self, window: Sequence[tuple[float, int, bool]], at: float, value: int) -> bool:
        """What _counts says of an event after all others, looking no further back than it must."""
        begin = at - self._within_s
        if self._distinct is None:
            others = self._count - 1
            return len(window) >= others and window[-others][0] > begin
        values = set()
        for when, which, _ in reversed(window):
            if when <= begin:
                break
            if which == value:
                return False
            values.add(which)
        return self._count - 1 <= len(values) < self._max_window

    def _counts(self, window: Sequence[tuple[float, int, bool]], index: int) -> bool:
        at, value, _ = window[index]
        first = bisect_right(window, at - self._within_s, key=_time)
        if self._distinct is None:
            return bisect_right(window, at, key=_time) - first >= self._count
        values = {which for _, which, _ in window[first:index]}
        return value not in values and self._count - 1 <= len(values) < self._max_window


def envelope(triggers: Sequence[CompiledTrigger]) -> float:
    """The half-life (seconds) under which ``bound`` never grows, for a variant's triggers."""
    return max(trigger.decay.envelope[1] for trigger in triggers)


def bound(contributions: Iterable[tuple[CompiledTrigger, float, Cell]]) -> float:
    """log2 of what the score can at most be, now and, fading with ``envelope``, later without a new event."""
    total = sum(trigger.decay.envelope[0] * part for trigger, part, _ in contributions if part > 0)
    return math.log2(total) if total > 1e-9 else -30.0


def _decay(written: Trigger) -> Decay:
    if written.half_life is not None:
        return HalfLife(written.half_life)
    if written.linear is not None:
        return Linear(written.linear)
    if written.steps is not None:
        return Steps([(step.until, step.share) for step in written.steps])
    if written.lasts is not None:
        return Lasts(written.lasts)
    raise ValueError(f"trigger {written.name} has no way of fading")


def _key(variant: str, written: Trigger) -> int:
    """32 bits that name a trigger in stored state. What changes which events count, or how they fade, changes the
    key, so that memory of another meaning is never read; weight and cap are applied when a score is taken."""
    meaning = (
        variant,
        written.name,
        written.when.event,
        repr(written.when.of_event),
        written.half_life,
        written.linear,
        [(step.until, step.share) for step in written.steps or ()],
        written.lasts,
        written.within,
        written.at_least.model_dump() if isinstance(written.at_least, DistinctCount) else written.at_least,
        written.daily_cap is None,
    )
    return int.from_bytes(hashlib.blake2b(repr(meaning).encode(), digest_size=4).digest())


def _scale(units: float, cap: float) -> float:
    """By how much the events of a day with so many units are scaled; a cap of 0 is none."""
    return 1.0 if units <= cap or not cap else cap / units


def _hash(text: str) -> int:
    """Tells one account's values within a window apart: 32 bits do, and nobody gains by making two alike."""
    return crc32(text.encode())


def _time(entry: tuple[float, int, bool]) -> float:
    return entry[0]
