"""An account's tickets, each heard of once, and the first of each burst: what the account half of plg.ticket_comprehension
keeps.

Rules:
1. A ticket is new once: later events of its ``ticket_id`` change nothing here, however late they come.
2. The first ticket of a burst speaks for it, since "any of them" would grow with the number. A late event that was written
   earlier becomes the first while the burst is not told.
3. At most MAX_KNOWN tickets of an account are known at a time. One that nobody has touched for UNTOUCHED_FOR makes room;
   without room a ticket is left out (``too_many_tickets``), and so are its later events.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

from msgspec import Struct, field

from detectors.signals.bursts import Burst
from detectors.text import kind_by_category, ticket_phrases, ticket_tokens
from detectors.text.ticket_kinds import KINDS
from schemas.duration import DAY
from schemas.events import SupportTicketData
from schemas.icp import ICP

MAX_KNOWN = 64
UNTOUCHED_FOR = 60 * DAY
UNLISTED = -1
"""The kind of a ticket whose category says nothing: its text decides."""
_BANDS = ((30, "0-30 days"), (90, "31-90 days"), (365, "91-365 days"))
_LONGEST = "over 365 days"


class First(Struct, array_like=True):
    """The first ticket of the burst that is open: when it was written (Unix seconds), the number of its kind in KINDS, the
    hashed words of its text."""

    at: float = 0.0
    kind: int = UNLISTED
    tokens: list[int] = []
    phrases: list[str] = []


class Memory(Struct, array_like=True):
    """``known``: digest of a ticket's id -> when it was heard of last, Unix seconds."""

    seen: bool = False
    known: dict[int, float] = {}
    burst: Burst = field(default_factory=Burst)
    first: First = field(default_factory=First)


def hear(known: dict[int, float], ticket_id: str, at: float) -> Literal["new", "known", "too_many_tickets"]:
    mark = int.from_bytes(blake2b(ticket_id.encode(), digest_size=8).digest())
    if mark in known:
        known[mark] = max(known[mark], at)
        return "known"
    if len(known) >= MAX_KNOWN:
        oldest = min(known, key=known.__getitem__)
        if at - known[oldest] < UNTOUCHED_FOR:
            return "too_many_tickets"
        del known[oldest]
    known[mark] = at
    return "new"


def read(ticket: SupportTicketData, at: float, file: ICP) -> First:
    """Phrases only of what may ask for the basics: they are evidence for that, and cost as much as the rest together."""
    kind = kind_by_category(ticket.category, file.tickets)
    asks = kind in (None, "basic_comprehension")
    return First(
        at,
        UNLISTED if kind is None else KINDS.index(kind),
        list(ticket_tokens(ticket.subject, ticket.body)),
        list(ticket_phrases(ticket.subject, ticket.body)) if asks else [],
    )


def band(tenure_s: float) -> str:
    return next((name for days, name in _BANDS if tenure_s <= days * DAY), _LONGEST)
