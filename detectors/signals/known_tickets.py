"""An account's tickets, each heard of once: by digest of its id, for every signal that counts tickets.

Rules:
1. A ticket is new once: later events of its ``ticket_id`` change nothing, however late they come.
2. At most MAX_KNOWN tickets of an account are known at a time. One that nobody has touched for UNTOUCHED_FOR makes room;
   without room a ticket is left out (``too_many_tickets``), and so are its later events.
3. They are kept in one piece, 16 bytes each: an account is written whole whenever anything of it changes, and a busy one
   has many tickets.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal, cast

import msgspec

from detectors.signals.marks import mark_of
from schemas.duration import DAY

MAX_KNOWN = 64
UNTOUCHED_FOR = 60 * DAY
_MARK = 8
_RECORD = Struct("<Qd")
_HEARD = Struct("<d")
_ALL_HEARD = Struct("<" + "8xd" * MAX_KNOWN)


class KnownTickets(msgspec.Struct, array_like=True):
    """What the memory of a signal that counts tickets begins with. ``known``: of each ticket, in the order in which they came,
    the digest of its id and when it was heard of last (Unix seconds); a map of the two where it was stored before rule 3."""

    known: bytearray | dict[int, float] = bytearray()

    def __post_init__(self) -> None:
        if isinstance(self.known, dict):
            self.known = bytearray().join(_RECORD.pack(mark, heard) for mark, heard in self.known.items())


def hear(tickets: KnownTickets, ticket_id: str, at: float) -> Literal["new", "known", "too_many_tickets"]:
    """Changes ``tickets`` in place."""
    known, mark = cast(bytearray, tickets.known), mark_of(ticket_id)
    place = _find(known, mark.to_bytes(_MARK, "little"))
    if place >= 0:
        (heard,) = _HEARD.unpack_from(known, place + _MARK)
        _HEARD.pack_into(known, place + _MARK, max(heard, at))
        return "known"
    if len(known) >= MAX_KNOWN * _RECORD.size:
        times = _ALL_HEARD.unpack(known)
        longest = min(times)
        if at - longest < UNTOUCHED_FOR:
            return "too_many_tickets"
        oldest = times.index(longest) * _RECORD.size
        del known[oldest : oldest + _RECORD.size]
    known += _RECORD.pack(mark, at)
    return "new"


def _find(known: bytearray, mark: bytes) -> int:
    place = known.find(mark)
    while place >= 0 and place % _RECORD.size:  # not where a digest stands
        place = known.find(mark, place + 1)
    return place
