"""A share of a source's events that should stay what it is: those with a field filled, those told before, those behind.

A one-sided CUSUM (Page 1954) over hours: log-likelihood ratio of "a fifth of the usual share" (fall) or "two in five" (rise)
against the usual share's confidence bound, divided by the dispersion that days have shown. Rules:
1. The score lies between 0 and CEILING. Ill at ALARM, well again at 0: both are far more than one hour can say, for an hour
   adds at most MOST_AN_HOUR. A bulk change or one backlog that is sent late is no illness.
2. With independent hours a score from 0 to ALARM comes by chance once in exp(ALARM) hours or later (Lorden 1971); WATCHES
   times SCORES of them share a budget of one false alarm a year.
3. What is usual is learned over LEARN_DAYS and LEAST events at least, forgets with a half-life of HALF_LIFE_DAYS, and stands
   still while the score looks like an illness.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct, field

WATCHES = 64
SCORES = 16
"""of one watch: silence, and the shares and values of its type; more fields than that no type has"""
ALARM = math.log(24 * 365.25 * WATCHES * SCORES)
CEILING = ALARM + 4.0
MOST_AN_HOUR = 2.5
LEARN_DAYS = 28
LEAST = 200.0
HALF_LIFE_DAYS = 28.0
FORGET = 0.5 ** (1 / HALF_LIFE_DAYS)
_SURE = 2.58
_LOWEST_SHARE = 0.02
HIGHEST_SHARE = 0.25
_FALLEN = 0.2
_RISEN = 0.4

Direction = Literal["fall", "rise"]


class Score(Struct, array_like=True):
    """``since``: the end of the last hour at which the value was 0 (Unix seconds)."""

    value: float = 0.0
    since: float = 0.0
    ill: bool = False

    def move(self, by: float, began: float, ended: float) -> None:
        if self.value <= 0.0:
            self.since = began
        self.value = min(max(self.value + by, 0.0), CEILING)
        if self.value <= 0.0:
            self.since = ended

    def turned(self, *, may_alarm: bool = True) -> bool:
        """Whether it has just become ill, or well."""
        if not self.ill and self.value >= ALARM and may_alarm:
            self.ill = True
            return True
        if self.ill and self.value <= 0.0:
            self.ill = False
            return True
        return False


class Share(Struct, array_like=True):
    """``k`` of ``n`` is what is usual; ``day_k`` of ``day_n`` the day that is going on; ``recent_k`` of ``recent_n`` what was
    seen since the score left 0."""

    k: float = 0.0
    n: float = 0.0
    days: int = 0
    dispersion: float = 1.0
    day_k: float = 0.0
    day_n: float = 0.0
    recent_k: float = 0.0
    recent_n: float = 0.0
    score: Score = field(default_factory=Score)

    @property
    def usual(self) -> float:
        return self.k / self.n if self.n else 0.0

    @property
    def recent(self) -> float:
        return self.recent_k / self.recent_n if self.recent_n else 0.0

    def hour(self, k: float, n: float, began: float, ended: float, direction: Direction) -> bool:
        """``k`` of ``n`` events in the hour from ``began`` to ``ended``. Returns whether it became ill or well."""
        k = min(k, n)
        self.day_k += k
        self.day_n += n
        if not n or self.days < LEARN_DAYS or self.n < LEAST:
            return False
        pair = self._alternatives(direction)
        if pair is None and not self.score.ill:
            return False
        usual, changed = pair or self._clear(direction)
        by = k * math.log(changed / usual) + (n - k) * math.log((1 - changed) / (1 - usual))
        if self.score.value <= 0.0:
            self.recent_k = self.recent_n = 0.0
        self.recent_k += k
        self.recent_n += n
        self.score.move(min(by / self.dispersion, MOST_AN_HOUR), began, ended)
        return self.score.turned()

    def day_ended(self) -> None:
        """Learns from the day, unless it looks ill."""
        k, n = self.day_k, self.day_n
        self.day_k = self.day_n = 0.0
        if self.score.ill or self.score.value > ALARM / 3:
            return
        self.days += 1
        if n >= 5 and self.n >= 20:
            p = min(max(self.usual, 0.005), 0.995)
            surprise = min((k - n * p) ** 2 / (n * p * (1 - p)), 100.0)
            self.dispersion = max(1.0, self.dispersion + (surprise - self.dispersion) / LEARN_DAYS)
        self.k = self.k * FORGET + k
        self.n = self.n * FORGET + n

    def _alternatives(self, direction: Direction) -> tuple[float, float] | None:
        """(the bound of what is usual, what an illness makes of it); None where they are too near to be told apart."""
        p, independent = self.usual, self.n / self.dispersion
        margin = _SURE * math.sqrt(max(p * (1 - p), 1 / independent) / independent)
        if direction == "fall":
            bound = min(p - margin, 0.995)
            return (bound, bound * _FALLEN) if bound >= _LOWEST_SHARE else None
        bound = p + margin
        return (bound, max(_RISEN, 0.5 * (1 + bound))) if bound <= HIGHEST_SHARE else None

    def _clear(self, direction: Direction) -> tuple[float, float]:
        """For an illness whose baseline has become unclear since: judged by the plainest pair."""
        return (0.5, 0.1) if direction == "fall" else (HIGHEST_SHARE, 0.6)
