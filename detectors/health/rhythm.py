"""How many events a source sends in each hour of the week, and whether it has fallen silent.

Rules:
1. What is expected is learned for each of the 168 hours of the week, over LEARN_WEEKS at least; each week that is not ill
   moves it, so that growth is followed. Single hours may hold next to nothing: expectation is added up over the silence.
   Learning ends with an hour that has events: a history that was sent at once, and a source that died before, have no rhythm.
2. Silent is: what came is as good as nothing (a fiftieth) against all that was expected since it began, so that chance does
   that once in exp(ALARM) hours (share.py), counted in units of the dispersion that days have shown.
3. And it lasts: twice the longest quiet stretch ever seen, and six hours. So a public holiday beside a weekend is no
   outage, nor a person's holiday; a source that is never quiet for long is missed after half a day.
4. It is over when events come as they were expected.
"""

from __future__ import annotations

import math

from msgspec import Struct, field

from detectors.health.share import Score
from schemas.duration import HOUR

WEEK_HOURS = 168
LEARN_WEEKS = 4
_MEMORY_WEEKS = 8
_DAYS = 28
_NOTHING = 0.02
_ALIVE = 0.1
_LONGER, _AT_LEAST_HOURS = 2, 6


class Rhythm(Struct, array_like=True):
    """``expected``: events in each hour of the week, from Thursday 00:00 UTC on. ``hours``: learned so far. ``quiet`` and
    ``longest``: hours of the present and of the longest stretch with as good as nothing. ``day_*``: of the day going on."""

    expected: list[float] = field(default_factory=lambda: [0.0] * WEEK_HOURS)
    hours: int = 0
    quiet: int = 0
    longest: int = 0
    quiet_since: float = 0.0
    missed: float = 0.0
    dispersion: float = 1.0
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

    def hour(self, n: float, began: float, ended: float) -> bool:
        """``n`` events came from ``began`` to ``ended``. Returns whether it became silent, or spoke again."""
        place = int(began // HOUR) % WEEK_HOURS
        expected = self.expected[place]
        if n >= 1 and n > _ALIVE * expected:
            if not self.score.ill:
                self.longest = max(self.longest, self.quiet)
            self.quiet, self.quiet_since, self.missed = 0, ended, 0.0
        else:
            self.quiet += 1
            self.missed += expected
        turned = False
        if self.learned:
            evidence = (1 - _NOTHING) * expected + n * math.log(_NOTHING)
            self.score.move(evidence / self.dispersion, began, ended)
            turned = self.score.turned(may_alarm=self.quiet >= _LONGER * self.longest + _AT_LEAST_HOURS)
        if not self.score.ill:
            self._learn(place, n, expected)
        return turned

    def day_ended(self) -> None:
        if self.learned and not self.score.ill and self.day_expected >= 1:
            surprise = min((self.day_seen - self.day_expected) ** 2 / self.day_expected, 1e6)
            self.dispersion = max(1.0, self.dispersion + (surprise - self.dispersion) / _DAYS)
        self.day_seen = self.day_expected = 0.0

    def _learn(self, place: int, n: float, expected: float) -> None:
        self.day_seen += n
        self.day_expected += expected
        if self.learned and self.quiet > self.longest:
            return  # an illness may be beginning: what is not there is not learned
        week = min(self.hours // WEEK_HOURS + 1, _MEMORY_WEEKS)
        self.expected[place] += (n - expected) / week
        if n >= 1 or not self.waits:
            self.hours += 1
