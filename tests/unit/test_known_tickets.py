"""The tickets that an account is known to have written: each new once, at most MAX_KNOWN, the longest untouched make room."""

from __future__ import annotations

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import decode, encode

from detectors.signals.known_tickets import MAX_KNOWN, UNTOUCHED_FOR, KnownTickets, hear
from detectors.signals.marks import mark_of

events = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 130)), max_size=300)
"""number of a ticket, day"""


def plainly(
    known: dict[int, float], ticket_id: str, at: float
) -> Literal["new", "known", "too_many_tickets"]:
    """The same in a map, as it was stored before."""
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


@given(events, st.integers(0, 300))
def test_they_are_known_as_in_a_map_also_where_they_were_stored_as_one(
    told: list[tuple[int, int]], stored_after: int
) -> None:
    tickets, plain = KnownTickets(), dict[int, float]()
    everything = [(n, 0) for n in range(MAX_KNOWN - 4)] + told  # nearly full
    for place, (number, day) in enumerate(everything):
        if place == stored_after:
            tickets = decode(encode([plain]), type=KnownTickets)
        ticket_id, at = f"t-{number}", day * 86_400.5
        assert hear(tickets, ticket_id, at) == plainly(plain, ticket_id, at)
    assert decode(encode([plain]), type=KnownTickets) == tickets
    assert decode(encode(tickets), type=KnownTickets) == tickets


def test_a_digest_is_looked_for_where_digests_stand() -> None:
    """Between two of them the same bytes mean nothing."""
    tickets = KnownTickets()
    hear(tickets, "a", 1.0)
    hear(tickets, "b", 2.0)
    assert isinstance(tickets.known, bytearray)
    tickets.known[8:16] = mark_of("c").to_bytes(8, "little")
    assert hear(tickets, "c", 3.0) == "new"
    assert hear(tickets, "c", 3.0) == "known"
