"""Accounts by the day of their start, up to the horizon and some time after: who entered, and who got there at which age.

Rules:
1. A day's counts say something when the day is over. What is told late counts on the day on which it is told, in the
   baseline as afterwards; so a delay of reports that stays what it was moves nothing.
2. Cohorts that pass the horizon add to ``came`` and ``risked`` by age. What they hold when the share's baseline is frozen, or
   grows, is the baseline of the hazard: the same accounts make both. Open cohorts are not in it, so that they can be judged.
3. A stretch that turned out to hold two rates takes its closed cohorts with it; learning goes on with the open ones.
4. An open cohort is *worth* as many mature accounts as its days at risk make conversions likely: so what is known of
   young cohorts can be counted beside mature ones.

Days are whole days since 1970 (UTC), ages days since the cohort's day. A state holds one cohort a day, for ``kept`` days.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.signals.baseline import ONES_FOR_PRECISION
from schemas.duration import DAY

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class Cohort(Struct, array_like=True):
    """``came``: who got there, by age, without the zeros at the end. ``waiting``: one account that has not, for evidence."""

    entered: int = 0
    came: list[int] = []
    waiting: str = ""


class CohortsState(Struct, array_like=True):
    """``cohorts``: those of the days up to ``day``, without a gap, the oldest first. ``first``: the day of the first cohort
    that counts. ``came`` and ``risked``: see the module; those of the baseline are empty while it is learned."""

    day: int | None = None
    first: int | None = None
    cohorts: list[Cohort] = []
    came: list[int] = []
    risked: list[int] = []
    baseline_came: list[int] = []
    baseline_risked: list[int] = []


class OpenCohorts:
    """A CohortsState at work; ``days`` is the horizon, ``kept`` for how many days a cohort is known, the horizon or more."""

    def __init__(self, days: int, state: CohortsState | None = None, *, kept: int | None = None) -> None:
        self.days = days
        self.kept = kept if kept is not None else days
        if state is None or len(state.came) != days:  # another horizon than before: learned anew
            state = CohortsState(came=[0] * days, risked=[0] * days)
        self.state = state
        self._hazard: Floats | None = None

    def pass_to(self, at: float) -> bool:
        """Whether a day (or more) is over at ``at``, which is taken in then."""
        state, day = self.state, int(at // DAY)
        if state.day is None:
            state.day, state.cohorts = day, [Cohort()]
            return True
        if day <= state.day:
            return False
        for _ in range(min(day - state.day, self.kept)):
            state.cohorts.append(Cohort())
            if len(state.cohorts) > self.days:
                self._close(state.cohorts[-1 - self.days])
            del state.cohorts[: -self.kept]
        if day - state.day > self.kept:
            # Nobody was told of for longer than the horizon.
            state.cohorts = [Cohort()]
        state.day = day
        return True

    def enter(self, began: float, account: str) -> bool:
        """One more at risk since ``began``; False where that is beyond the horizon, or before the first day. Needs pass_to
        before."""
        if self.state.first is None:
            self.state.first = int(began // DAY)
        cohort = self._of(began)
        if cohort is None:
            return False
        cohort.entered += 1
        cohort.waiting = cohort.waiting or account
        return True

    def get_there(self, began: float, account: str) -> bool:
        """One of those at risk since ``began`` got there; False where nobody is. Needs pass_to before."""
        cohort, day = self._of(began), self.state.day
        if cohort is None or day is None or sum(cohort.came) >= cohort.entered:
            return False
        age = day - int(began // DAY)
        cohort.came += [0] * (age + 1 - len(cohort.came))
        cohort.came[age] += 1
        if cohort.waiting == account:
            cohort.waiting = ""
        return True

    def drop_closed(self) -> None:
        """Rule 3."""
        state = self.state
        if state.day is not None:
            state.came, state.risked = [0] * self.days, [0] * self.days
            del state.cohorts[: -self.days]
            state.first = state.day + 1 - len(state.cohorts)

    def forget_open(self, at: float) -> None:
        """Until ``at`` (Unix seconds) it could not be heard who got there: only who comes after that day is followed."""
        state = self.state
        state.day = max(state.day if state.day is not None else 0, int(at // DAY))
        state.first, state.cohorts = state.day + 1, [Cohort()]

    def restart(self) -> None:
        """Learns anew, from tomorrow's cohorts on."""
        day = self.state.day
        self._hazard = None
        self.state = CohortsState(day, came=[0] * self.days, risked=[0] * self.days)
        if day is not None:
            self.state.first, self.state.cohorts = day + 1, [Cohort()]

    def absorb(self, other: OpenCohorts) -> None:
        """Takes in what another has counted; both are learning."""
        if other.state.day is None:
            return
        if self.state.day is None:
            self.state = other.state
            return
        latest = max(self.state.day, other.state.day) * DAY
        self.pass_to(latest)
        other.pass_to(latest)
        state, told = self.state, other.state
        firsts = [first for first in (state.first, told.first) if first is not None]
        state.first = min(firsts, default=None)
        state.came = [mine + its for mine, its in zip(state.came, told.came, strict=True)]
        state.risked = [mine + its for mine, its in zip(state.risked, told.risked, strict=True)]
        missing = len(told.cohorts) - len(state.cohorts)
        state.cohorts[:0] = [Cohort() for _ in range(missing)]
        for mine, its in zip(reversed(state.cohorts), reversed(told.cohorts), strict=False):
            mine.entered += its.entered
            mine.came += [0] * (len(its.came) - len(mine.came))
            for age, came in enumerate(its.came):
                mine.came[age] += came
            mine.waiting = mine.waiting or its.waiting

    def freeze(self) -> bool:
        """Whether the hazard is known by now, at every age and by enough who got there; then it is the baseline, in the place
        of the one before."""
        state = self.state
        if state.day is None or state.first is None or state.day - state.first < self.days:
            return False
        if sum(state.came) < ONES_FOR_PRECISION:
            return False
        state.baseline_came, state.baseline_risked = list(state.came), list(state.risked)
        self._hazard = None
        return True

    @property
    def frozen(self) -> bool:
        return bool(self.state.baseline_came)

    @property
    def hazard(self) -> Floats | None:
        """Of getting there, by age; None while it is learned."""
        if self._hazard is None and self.frozen:
            came, risked = np.array(self.state.baseline_came), np.array(self.state.baseline_risked)
            self._hazard = came / np.maximum(risked, 1)
        return self._hazard

    def seen(self, since: int) -> tuple[Counts, Counts]:
        """(who got there, who could have) by open cohort from day ``since`` on and by age; ages not over yet are 0."""
        state = self.state
        day = state.day if state.day is not None else since
        number = min(max(day + 1 - since, 0), len(state.cohorts))
        chosen = state.cohorts[len(state.cohorts) - number :]
        came = np.zeros((number, self.days), dtype=np.int64)
        for row, cohort in zip(came, chosen, strict=True):
            row[: len(cohort.came)] = cohort.came
        entered = np.array([cohort.entered for cohort in chosen], dtype=np.int64)
        over = np.arange(self.days)[None, :] < np.arange(number - 1, -1, -1)[:, None]
        before = np.cumsum(came, axis=1) - came
        return came * over, np.maximum(entered[:, None] - before, 0) * over

    def entered(self, since: int) -> tuple[int, int]:
        """(who entered, on how many days) from day ``since`` on; today does not count."""
        state = self.state
        if state.day is None:
            return 0, 0
        days = min(max(state.day - since, 0), len(state.cohorts) - 1)
        return sum(cohort.entered for cohort in state.cohorts[-1 - days : -1]), days

    def worth(self, since: int, share: float, hazard: Floats) -> tuple[int, int]:
        """(mature accounts, who got there) that the open cohorts from day ``since`` on are worth (rule 4), where ``share``
        of mature accounts got there in the baseline."""
        came, risked = self.seen(since)
        ones = int(came.sum())
        return max(round(float((risked * hazard).sum()) / share), ones), ones

    def waiting(self, since: int, most: int) -> list[tuple[int, str]]:
        """(day, account) from day ``since`` on of who has not got there, the oldest first, one a day."""
        state = self.state
        if state.day is None:
            return []
        oldest = state.day + 1 - len(state.cohorts)
        found = [
            (number, cohort.waiting)
            for number, cohort in enumerate(state.cohorts, oldest)
            if number >= since and cohort.waiting
        ]
        return found[:most]

    def _of(self, began: float) -> Cohort | None:
        state, number = self.state, int(began // DAY)
        if state.day is None or state.first is None or number < state.first:
            return None
        back = state.day - number
        if not 0 <= back < self.days:
            return None
        state.cohorts[:0] = [Cohort() for _ in range(back + 1 - len(state.cohorts))]
        return state.cohorts[-1 - back]

    def _close(self, cohort: Cohort) -> None:
        state, at_risk = self.state, cohort.entered
        for age in range(self.days):
            came = cohort.came[age] if age < len(cohort.came) else 0
            state.risked[age] += at_risk
            state.came[age] += came
            at_risk -= came
