"""Marks: what an arm has done so far, one JSON line each, in a pipe (peers write to standard output as they like).

Rates are taken between marks by whoever started the arm, from the first event on: starting and joining a group are not
measured. There is no warm-up: while it lasts, clients would fetch ahead what is measured later.
Marks come a hundredth of the events apart, so that writing them costs nothing that could be seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec
from msgspec import Struct

MARKS = 100


class Mark(Struct, kw_only=True):
    applied: int
    duplicate: int
    wall_s: float
    """monotonic clock of the machine: the same for all processes"""
    processor_s: float
    """of the whole process, all its threads"""


class Meter:
    """Counts what an arm applies. ``total``: the events that there are, for all processes of the arm; ``pipe``: the
    descriptor that marks are written to."""

    def __init__(self, total: int, pipe: int) -> None:
        self._pipe = pipe
        self.applied = 0
        self.duplicate = 0
        self._total = total
        self._apart = max(1, total // MARKS)
        self._next = 0
        self._marks = 0

    def took(self, applied: int, duplicate: int = 0) -> None:
        """Counts; writes a mark where one is due."""
        self.applied += applied
        self.duplicate += duplicate
        if self.applied >= self._next or duplicate:
            self._next = min(self.applied - self.applied % self._apart + self._apart, self._total)
            self.mark()

    @property
    def begun(self) -> bool:
        """Whether there is a mark."""
        return self._marks > 0

    def mark(self) -> None:
        """Writes one now. The first is that of the first event, or comes before it."""
        self._marks += 1
        mark = Mark(
            applied=self.applied,
            duplicate=self.duplicate,
            wall_s=time.monotonic(),
            processor_s=time.process_time(),
        )
        os.write(self._pipe, msgspec.json.encode(mark) + b"\n")


class Speed(Struct, kw_only=True):
    """Between warm and done."""

    events: int
    wall_s: float
    processor_s: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.wall_s

    @property
    def cost(self) -> float:
        """Microseconds of the arm's processor time an event."""
        return self.processor_s / self.events * 1e6


def speed_of(trails: Sequence[Sequence[Mark]], after: int = 0) -> Speed:
    """The speed of the processes of one arm together, over the time in which all of them were at work.

    ``trails``: the marks of each, in order: a process is at work from the first to the last of them. ``after``: leaves out
    so many events of each. Raises ValueError when there is no such time.
    """
    begins = [next((mark.wall_s for mark in trail if mark.applied >= after), None) for trail in trails]
    if any(begin is None for begin in begins):
        raise ValueError("a process of the arm was given none of the events, or too few")
    begin = max(begin for begin in begins if begin is not None)
    end = min(trail[-1].wall_s for trail in trails)
    events, processor_s, first, last = 0, 0.0, [], []
    for trail in trails:
        within = [mark for mark in trail if begin <= mark.wall_s <= end]
        if len(within) < 2:
            raise ValueError("the processes of the arm were not at work at the same time")
        events += within[-1].applied - within[0].applied
        processor_s += within[-1].processor_s - within[0].processor_s
        first.append(within[0].wall_s)
        last.append(within[-1].wall_s)
    # Marks of two processes don't fall together: the longest of the spans is the one that claims least.
    return Speed(events=events, wall_s=max(last) - min(first), processor_s=processor_s)
