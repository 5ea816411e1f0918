"""Bulk closings: what is closed on one day, far beyond the wont of its owner or of all, is one burst and no behaviour of buyers.

Operations clean the CRM up, or a quarter ends: many deals end on a day that says nothing about them. What of a burst is
known is only how old each deal was when it was closed; so whoever counts ages takes it for open until then, and for gone
afterwards (right-censored).

Rules:
1. Wins and losses are told apart; a day is one of UTC. The first FEWEST of an owner's day count as they are, or BEYOND times
   what the owner closes on a day with closings, whichever is more. What comes on top is in bulk.
2. The same holds for all owners together, of what is not in bulk by rule 1: at the end of a quarter each closes a few more,
   and all do at once, for days.
3. A wont is a running mean over the days with closings, in which a burst counts only so far (``Wont``). A busy owner is soon
   taken for what he is; all owners together change slowly, or the first day of a quarter's end would excuse the next.
4. At most MAX_OWNERS are remembered; those who closed nothing for longest are forgotten first.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from schemas.duration import DAY

BEYOND = 2.0
MAX_OWNERS = 256
LONGEST_NAME = 64


class Wont(NamedTuple):
    """``fewest``: of a day always count so many. ``days`` with closings are remembered, each with at most ``most`` times what was
    allowed on it."""

    fewest: int
    days: int
    most: float


OF_ONE = Wont(fewest=3, days=5, most=2.0)
OF_ALL = Wont(fewest=5, days=20, most=1.0)


class Closer(Struct, array_like=True):
    """The newest day with closings of an owner, or of all (days since 1970); how many it has, and the ``days`` before, on average."""

    day: int
    n: int = 0
    usual: float = 0.0
    days: int = 0


class BulkClosings(Struct, array_like=True):
    closers: dict[str, Closer] = field(default_factory=dict)

    def in_bulk(self, owner: str, outcome: str, at: float) -> bool:
        """Counts a closing at ``at`` (Unix seconds), and says whether it belongs to a burst."""
        day = int(at // DAY)
        of_owner = self._beyond(f"{outcome}:{owner[:LONGEST_NAME]}", day, OF_ONE)
        # One who cleans up does not use up what the others may close.
        return of_owner or self._beyond(outcome, day, OF_ALL)

    def _beyond(self, name: str, day: int, wont: Wont) -> bool:
        closer = self.closers.pop(name, None) or Closer(day)
        # The newest stands last.
        self.closers[name] = closer
        if len(self.closers) > MAX_OWNERS:
            del self.closers[next(iter(self.closers))]
        if day > closer.day:
            counts = min(closer.n, wont.most * _allowed(closer, wont))
            closer.days = min(closer.days + 1, wont.days - 1)
            closer.usual += (counts - closer.usual) / (closer.days + 1)
            closer.day, closer.n = day, 0
        closer.n += 1
        return closer.n > _allowed(closer, wont)


def _allowed(closer: Closer, wont: Wont) -> float:
    return max(wont.fewest, BEYOND * closer.usual)
