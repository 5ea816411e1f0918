"""The first ticket of each burst of an account: what the account half of plg.ticket_comprehension keeps.

The first ticket speaks for its burst, since "any of them" would grow with the number. A late event that was written earlier
becomes the first while the burst is not told. Which tickets are new: known_tickets.py.
"""

from __future__ import annotations

from msgspec import Struct, field

from detectors.signals.bursts import Burst
from detectors.signals.known_tickets import KnownTickets
from detectors.text import ticket_phrases, ticket_tokens
from detectors.text.ticket_kinds import KINDS
from schemas.events import SupportTicketData
from schemas.icp_checks import TicketKind

UNLISTED = -1
"""The kind of a ticket whose category says nothing: its text decides."""


class First(Struct, array_like=True):
    """The first ticket of the burst that is open: when it was written (Unix seconds), the number of its kind in KINDS, the
    hashed words of its text."""

    at: float = 0.0
    kind: int = UNLISTED
    tokens: list[int] = []
    phrases: list[str] = []


class Memory(KnownTickets, array_like=True):
    """Besides the tickets: the burst that is open."""

    burst: Burst = field(default_factory=Burst)
    first: First = field(default_factory=First)


def read(ticket: SupportTicketData, at: float, kind: TicketKind | None) -> First:
    """``kind``: that of its category. Phrases only of what may ask for the basics: they are evidence for that, and cost as much as
    the rest together."""
    asks = kind in (None, "basic_comprehension")
    return First(
        at,
        UNLISTED if kind is None else KINDS.index(kind),
        list(ticket_tokens(ticket.subject, ticket.body)),
        list(ticket_phrases(ticket.subject, ticket.body)) if asks else [],
    )
