"""How many events a source sends in each hour of the week, and whether it has fallen silent.

Rules:
1. What is expected is learned for each of the 168 hours of the week, over LEARN_WEEKS at least; each week that is not ill
   moves it, so that growth is followed. Single hours may hold next to nothing: expectation is added up over the silence.
   Learning ends with an hour that has events: a history that was sent at once, and a source that died before, have no rhythm.
2. Silent is: what came is as good as nothing (a fiftieth) against all that was expected since it began, so that chance does
   that once in exp(ALARM) hours (share.py). An event that was sent meanwhile ends that silence, and what it has said.
   Where events come in bursts or waves chance is silent for longer: what is missing is counted in units of the dispersion that days
   have shown, or of what pauses have missed beyond LULL (their mean excess: Davison and Smith 1990), if that is more. The excess
   is 1 where events are independent, however few.
3. And it is no rest: what is missing must be the work of twice the longest pause in the source's week and twelve hours more, and
   a quarter more than was missing in the longest pause that chance did not explain. On a holiday a source may send what it
   sends on the weakest day of its week; where that is too little to be missed, HOLIDAYS working days may be holidays. So a
   source that rests at weekends is missed on the third working day, one that never rests within a day.
4. It is over when events come as they were expected.
5. An import is no rhythm: of much more than an hour of the week ever had little is learned, and what far less follows is
   forgotten at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct, field

from detectors.health.share import ALARM, Score
from schemas.duration import HOUR

WEEK_HOURS = 168
LEARN_WEEKS = 4
_MEMORY_WEEKS = 8
_DAYS = 28
_NOTHING = 0.02
_ALIVE = 0.1
HOLIDAYS = 2.5
"""Working days beside a weekend that may be holidays: Easter, Thanksgiving, Christmas have two."""
_TWICE, _MORE_HOURS, _LEAST_HOURS, _LONGER = 2, 12, 6, 1.25
_NO_CHANCE = ALARM / 2
LULL = 2.0
MOST_LULLS = 30
_MUCH = 3
_FAR = 4.0**2
_MOST_SURPRISE = 100.0


class Rhythm(Struct, array_like=True):
    """``expected``: events in each hour of the week, from Thursday 00:00 UTC on. ``hours``: learned so far. ``quiet``: hours of
    the present stretch with as good as nothing, and ``missed`` the events expected in it; ``paused``: working days that were
    missing in the longest such stretch that was over in time and not by chance. ``lull``: how many more than LULL were missing
    on average in the newest ``lulls`` stretches that missed as many, three of them as if events were independent. ``day_*``: of the day going on."""

    expected: list[float] = field(default_factory=lambda: [0.0] * WEEK_HOURS)
    hours: int = 0
    quiet: int = 0
    quiet_since: float = 0.0
    missed: float = 0.0
    paused: float = 0.0
    dispersion: float = 1.0
    lull: float = 1.0
    lulls: int = 3
    day_seen: float = 0.0
    day_expected: float = 0.0
    score: Score = field(default_factory=Score)

    @property
    def weeks(self) -> float:
        return self.hours / WEEK_HOURS

    @property
    def learned(self) -> bool:
        return self.hours >= LEARN_WEEKS * WEEK_HOURS

    @property
    def waits(self) -> bool:
        """Whether only an hour with events is missing to learning."""
        return self.hours == LEARN_WEEKS * WEEK_HOURS - 1

    @property
    def a_day(self) -> float:
        """Events expected in a day, on average."""
        return sum(self.expected) / 7

    @property
    def _burst(self) -> float:
        """How many missing events weigh as one: the mean excess is estimated, which a standard error pays for."""
        return max(self.dispersion, self.lull * (1 + 1 / math.sqrt(self.lulls)))

    @property
    def _days(self) -> list[float]:
        """Events expected on each day of the week."""
        return [sum(self.expected[first : first + 24]) for first in range(0, WEEK_HOURS, 24)]

    @property
    def _missing(self) -> float:
        """What was expected in the present quiet stretch, in working days."""
        return self.missed / max(_typical(self._days), 1e-9)

    def _is_no_rest(self) -> bool:
        """Whether more is missing than a night, a weekend or holidays explain."""
        nothing = _ALIVE * _typical(self.expected)
        # The week is a circle, so that a pause may go over its end.
        runs = groupby(expected <= nothing for expected in self.expected * 2)
        pause = max((sum(1 for _ in run) for is_pause, run in runs if is_pause), default=0)
        allowed = (_TWICE * pause + _MORE_HOURS) / 24
        on_holidays = min(self._days) * self.quiet / 24
        if allowed > HOLIDAYS or on_holidays < ALARM * self.dispersion:
            allowed = HOLIDAYS
        return self.quiet >= _LEAST_HOURS and self._missing >= max(allowed, _LONGER * self.paused)

    def hour(self, n: float, began: float, ended: float, late: float = 0.0) -> bool:
        """``n`` events came from ``began`` to ``ended``, ``late`` of them hours after they were sent: they are no sign of life.
        Returns whether it became silent, or spoke again."""
        place = int(began // HOUR) % WEEK_HOURS
        expected = self.expected[place]
        speaks = n - late >= 1 and n - late > _ALIVE * expected
        if speaks:
            self._pause_ended(ended)
        else:
            self.quiet += 1
            self.missed += expected
        turned = False
        if self.learned and (self.score.ill or not speaks):
            evidence = (1 - _NOTHING) * expected + n * math.log(_NOTHING)
            self.score.move(evidence / self._burst, began, ended)
            turned = self.score.turned(may_alarm=self.score.value >= ALARM and self._is_no_rest())
        if not self.score.ill:
            self._learn(place, n, expected)
        return turned

    def day_ended(self) -> None:
        if self.hours > WEEK_HOURS and not self.score.ill and self.day_expected >= 1:
            # Days with more than was expected say nothing of silence; of chance alone they are half of all.
            lacking = min(self.day_seen - self.day_expected, 0.0)
            surprise = min(2 * lacking * lacking / self.day_expected, _MOST_SURPRISE)
            self.dispersion = max(1.0, self.dispersion + (surprise - self.dispersion) / _DAYS)
        self.day_seen = self.day_expected = 0.0

    def _pause_ended(self, at: float) -> None:
        if not self.score.ill:
            if self.score.value >= _NO_CHANCE:
                self.paused = max(self.paused, self._missing)
            # What misses more is a holiday of a busy source.
            if self.hours > WEEK_HOURS and LULL < self.missed < ALARM:
                self.lulls = min(self.lulls + 1, MOST_LULLS)
                self.lull += (self.missed - LULL - self.lull) / self.lulls
            self.score = Score(since=at)
        self.quiet, self.quiet_since, self.missed = 0, at, 0.0

    def _learn(self, place: int, n: float, expected: float) -> None:
        self.day_seen += n
        self.day_expected += expected
        if self.score.value > ALARM / 3:
            return  # an illness may be beginning: what is not there is not learned
        week = min(self.hours // WEEK_HOURS + 1, _MEMORY_WEEKS)
        if n < expected and (expected - n) ** 2 > _FAR * self.dispersion * expected:
            week = 1
        elif week > 1 and n > _MUCH * (expected + 1):
            n = min(n, _MUCH * (_typical(self.expected) + 1))
        self.expected[place] += (n - expected) / week
        if n >= 1 or not self.waits:
            self.hours += 1


def _typical(events: Sequence[float]) -> float:
    """Events in the hour, or on the day, in which the average event comes: those in which nothing comes don't count."""
    return sum(each * each for each in events) / max(sum(events), 1e-9)
