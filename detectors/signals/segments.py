"""Which segment a source belongs to: bounded in number, and fixed once it matters.

Rules:
1. Until ``all`` has enough for a baseline every source is a segment of its own (up to MAX_CANDIDATES; more go to
   ``other``). Then the roster is drawn: the sources with most observations, as many as there are places, keep their own
   segment for good; the rest and what they have counted become ``other``.
2. A source that first appears later gets a free place if one is left, from its first observation on; else it is ``other``.
3. So a segment never changes its meaning once it has a baseline: no source ever moves.
4. ``all`` and ``other`` count among the places. With fewer than three places only ``all`` is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from detectors.signals.contract import ALL

OTHER = "other"
UNKNOWN = "unknown"
MAX_CANDIDATES = 64
LONGEST_NAME = 64


class Roster(Struct, array_like=True):
    """Sources with a segment of their own, in the order in which they got it; ``drawn``: rule 1 has been applied."""

    sources: list[str]
    drawn: bool


def places(max_segments: int) -> int:
    """How many sources can have their own segment."""
    return max(max_segments - 2, 0)


def segment_of(roster: Roster, source: str, max_segments: int) -> str | None:
    """The segment of ``source`` (and its place in the roster, taken now if need be); None where only ``all`` is kept."""
    source = source or UNKNOWN
    if source in roster.sources:
        return source
    room = places(max_segments)
    if room == 0:
        return None
    if source in (ALL, OTHER) or len(source) > LONGEST_NAME:
        return OTHER
    if len(roster.sources) >= (room if roster.drawn else MAX_CANDIDATES):
        return OTHER
    roster.sources.append(source)
    return source


def draw(roster: Roster, counts: Mapping[str, int], max_segments: int) -> list[str]:
    """Applies rule 1; returns the sources that become ``other``. ``counts``: observations of each source so far."""
    ranked = sorted(roster.sources, key=lambda source: (-counts.get(source, 0), source))
    room = places(max_segments)
    roster.sources[:] = ranked[:room]
    roster.drawn = True
    return ranked[room:]
