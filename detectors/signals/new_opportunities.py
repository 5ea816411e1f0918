"""New opportunities of one account, each told once: when they are old enough, or closed, whichever comes first.

For the account halves of slg.hedged_language and slg.off_profile_pipeline. Rules:
1. An opportunity is created at the first stage change that is heard of it, or at its ``opened_at`` where that is given and
   older. One that is older than the time in which it is watched when it is first heard of is left out (``left_truncated``):
   what happened before is not known.
2. Those created in one burst (bursts.py) are one Opening, that of the first: its date, its rep.
3. An opening is over ``settling_s`` after its newest creation, or when all of its opportunities are closed.
4. What is told is told: a later change of its opportunities changes nothing, nor does a late event.
5. At most MAX_KNOWN opportunities of an account are known at a time; more are left out (``too_many_open``). A closed one is
   forgotten after CLOSED_FOR, by when no late event can bring it up again; one that nobody has touched for UNTOUCHED_FOR
   makes room for a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec import Struct

from detectors.signals.bursts import BurstRule
from detectors.signals.marks import mark_of
from schemas.duration import DAY
from schemas.events import StageChangedData

MAX_KNOWN = 64
CLOSED_FOR = 60 * DAY
UNTOUCHED_FOR = 400 * DAY
NOBODY = "unknown"
"""The rep of an opportunity without an owner."""

LeftOut = Literal["left_truncated", "too_many_open", "told"]


class Known(Struct, array_like=True):
    """An opportunity by a digest of its id, when it was heard of last (Unix seconds), and whether it is closed."""

    mark: int
    heard: float
    closed: bool


class Opening(Struct, array_like=True):
    """Opportunities that were created in one burst, not told yet. Unix seconds; ``open``: the marks of those not closed,
    ``all``: of all."""

    began: float
    newest: float
    rep: str
    open: list[int]
    all: list[int]


AnyOpening = TypeVar("AnyOpening", bound=Opening)
New = Callable[[float, float, str, list[int], list[int]], AnyOpening]


def take_in(
    known: list[Known],
    waiting: list[AnyOpening],
    change: StageChangedData,
    at: float,
    now: float,
    *,
    rule: BurstRule,
    settling_s: float,
    new: New[AnyOpening],
) -> AnyOpening | LeftOut:
    """The opening that a stage change belongs to, or why it belongs to none. ``at``: the event's time, ``now``: the
    account's own (Unix seconds). ``known`` and ``waiting`` are changed."""
    mark = mark_of(change.opportunity_id)
    closed = change.outcome is not None
    for here in known:
        if here.mark == mark:
            here.closed = here.closed or closed
            here.heard = max(here.heard, at)
            opening = next((each for each in waiting if mark in each.all), None)
            if opening is None:
                return "told"
            opening.began = min(opening.began, at)
            break
    else:
        _forget(known, waiting, now)
        if len(known) >= MAX_KNOWN:
            return "too_many_open"
        known.append(Known(mark, at, closed))
        created = min(change.opened_at.timestamp(), at) if change.opened_at is not None else at
        if at - created > settling_s:
            return "left_truncated"
        opening = next((each for each in waiting if _in_burst(each, created, rule)), None)
        if opening is None:
            opening = new(created, created, change.owner_id or NOBODY, [mark], [mark])
            waiting.append(opening)
        else:
            opening.began, opening.newest = min(opening.began, created), max(opening.newest, created)
            opening.open.append(mark)
            opening.all.append(mark)
    if closed and mark in opening.open:
        opening.open.remove(mark)
    return opening


def over(
    waiting: list[AnyOpening], now: float, settling_s: float, *, closing_ends: bool = True
) -> list[tuple[AnyOpening, float]]:
    """Takes out the openings that are over by ``now``, the oldest first, each with when it was over (Unix seconds)."""
    if not waiting:
        return []
    ended = [each for each in waiting if due(each, settling_s) <= now or (closing_ends and not each.open)]
    waiting[:] = [each for each in waiting if each not in ended]
    times = [(each, max(min(due(each, settling_s), now), each.began)) for each in ended]
    return sorted(times, key=lambda ending: (ending[1], ending[0].began))


def due(opening: Opening, settling_s: float) -> float:
    return opening.newest + settling_s


def _in_burst(opening: Opening, created: float, rule: BurstRule) -> bool:
    began, newest = min(opening.began, created), max(opening.newest, created)
    near = opening.began - rule.gap_s < created < opening.newest + rule.gap_s
    return near and newest - began <= rule.longest_s


def _forget(known: list[Known], waiting: list[AnyOpening], now: float) -> None:
    """What makes no difference any more; where that is not enough, the one that was not touched for longest."""
    kept = {mark for each in waiting for mark in each.all}
    known[:] = [
        each for each in known if not each.closed or now - each.heard < CLOSED_FOR or each.mark in kept
    ]
    if len(known) >= MAX_KNOWN:
        oldest = min(known, key=lambda each: each.heard)
        if now - oldest.heard > UNTOUCHED_FOR and oldest.mark not in kept:
            known.remove(oldest)
