"""Which dead letters can be put back: those that this version, with these settings, can read. Pure.

An event is put back as it came, with its own source and id, so that it counts once however often that is done. What still
can't be read stays where it is: it would only become a dead letter again. So does an observation: Plumbline wrote it
itself, and nobody can send one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from schemas.errors import EventRefused
from schemas.event_reader import decode_event
from schemas.events import Limits
from streams.dead_letters import Letter
from streams.gateway.sink import Accepted


class Plan(Struct, kw_only=True):
    """What a redrive would do."""

    ready: list[tuple[Letter, Accepted]]
    """in the order in which they arrived"""
    refused: Counter[str]
    """still unreadable: reason code -> how many"""
    observations: list[str]
    """no events, and left alone: where they lie"""
    before: int
    """put back before, and left alone"""

    def topics(self) -> dict[str, int]:
        """Topic of each event that is ready -> how many."""
        return dict(Counter(event.topic for _, event in self.ready))


def plan_redrive(letters: Iterable[Letter], limits: Limits, now: float, *, again: bool) -> Plan:
    """``again``: also those that were put back before. ``now``: the present, Unix seconds."""
    plan = Plan(ready=[], refused=Counter(), observations=[], before=0)
    for letter in letters:
        if letter.observation:
            plan.observations.append(letter.place)
            continue
        if letter.redriven_at is not None and not again:
            plan.before += 1
            continue
        body = letter.letter.body
        try:
            event = decode_event(body, limits, now)
        except EventRefused as error:
            plan.refused[error.problem.code] += 1
            continue
        plan.ready.append((letter, Accepted(event.topic, event.subject, body)))
    return plan
