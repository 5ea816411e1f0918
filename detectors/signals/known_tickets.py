"""An account's tickets, each heard of once: by digest of its id, for every signal that counts tickets.

Rules:
1. A ticket is new once: later events of its ``ticket_id`` change nothing, however late they come.
2. At most MAX_KNOWN tickets of an account are known at a time. One that nobody has touched for UNTOUCHED_FOR makes room;
   without room a ticket is left out (``too_many_tickets``), and so are its later events.
"""

from __future__ import annotations

from typing import Literal

from detectors.signals.marks import mark_of
from schemas.duration import DAY

MAX_KNOWN = 64
UNTOUCHED_FOR = 60 * DAY


def hear(known: dict[int, float], ticket_id: str, at: float) -> Literal["new", "known", "too_many_tickets"]:
    """``known``: digest of a ticket's id -> when it was heard of last, Unix seconds; changed in place."""
    mark = mark_of(ticket_id)
    if mark in known:
        known[mark] = max(known[mark], at)
        return "known"
    if len(known) >= MAX_KNOWN:
        longest = min(known.values())
        if at - longest < UNTOUCHED_FOR:
            return "too_many_tickets"
        del known[next(mark for mark, heard in known.items() if heard == longest)]
    known[mark] = at
    return "new"
