"""Bulk closings: what is closed on one day, far beyond the wont of its owner or of all, is one burst and no behaviour of buyers.

Operations clean the CRM up, or a quarter ends: many deals end on a day that says nothing about them. What of a burst is
known is only how old each deal was when it was closed; so whoever counts ages takes it for open until then, and for gone
afterwards (right-censored).

Rules:
1. Wins and losses are told apart; a day is one of UTC. The first FEWEST of an owner's day count as they are, or BEYOND times
   what the owner closes on a day with closings, whichever is more. What comes on top is in bulk.
2. The same holds for all owners together, with FEWEST_OF_ALL, of what is not in bulk by rule 1: at the end of a quarter each
   closes a few more, and all do at once.
3. A wont is a running mean over the days with closings; a burst counts in it only up to what was allowed twice, so
   that a busy owner is soon taken for what he is, and a burst is not.
4. At most MAX_OWNERS are remembered; those who closed nothing for longest are forgotten first.
"""

from __future__ import annotations

from msgspec import Struct, field

from schemas.duration import DAY

FEWEST = 3
FEWEST_OF_ALL = 5
BEYOND = 2.0
MAX_OWNERS = 256
LONGEST_NAME = 64
_PACE = 0.2


class Closer(Struct, array_like=True):
    """The newest day with closings of an owner, or of all (days since 1970); how many it has, and the days before, on average."""

    day: int
    n: int = 0
    usual: float = 0.0


class BulkClosings(Struct, array_like=True):
    closers: dict[str, Closer] = field(default_factory=dict)

    def in_bulk(self, owner: str, outcome: str, at: float) -> bool:
        """Counts a closing at ``at`` (Unix seconds), and says whether it belongs to a burst."""
        day = int(at // DAY)
        of_owner = self._beyond(f"{outcome}:{owner[:LONGEST_NAME]}", day, FEWEST)
        # One who cleans up does not use up what the others may close.
        return of_owner or self._beyond(outcome, day, FEWEST_OF_ALL)

    def _beyond(self, name: str, day: int, fewest: float) -> bool:
        closer = self.closers.pop(name, None) or Closer(day)
        # The newest stands last.
        self.closers[name] = closer
        if len(self.closers) > MAX_OWNERS:
            del self.closers[next(iter(self.closers))]
        if day > closer.day:
            closer.usual += _PACE * (min(closer.n, 2 * _allowed(closer, fewest)) - closer.usual)
            closer.day, closer.n = day, 0
        closer.n += 1
        return closer.n > _allowed(closer, fewest)


def _allowed(closer: Closer, fewest: float) -> float:
    return max(fewest, BEYOND * closer.usual)
