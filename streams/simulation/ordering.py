"""Lines in the order of their arrival, whatever the order in which they were made: a bucket a day, spilled to disk.

Memory holds what was made since the last spill and, while writing, one day. Two lines of one second are in the order
of their text, so that the order depends on nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import IO

from streams.simulation.calendar import DAY_S

_KEY = 10
"""digits of the second of arrival (from 2001 to 2286), in front of each line until it is written"""


class ArrivalOrder:
    """``directory`` is an empty folder for the spill; ``hold`` lines are kept in memory before a spill."""

    def __init__(self, directory: Path, hold: int = 400_000) -> None:
        self._directory = directory
        self.total = 0
        """lines taken in"""
        self._hold = hold
        self._held = 0
        self._days: defaultdict[int, list[str]] = defaultdict(list)
        self._spilled: set[int] = set()

    def add(self, arrivals: list[int], texts: list[str]) -> None:
        """``arrivals`` in Unix seconds."""
        days = self._days
        for arrival, text in zip(arrivals, texts, strict=True):
            days[arrival // DAY_S].append(f"{arrival}{text}")
        self.total += len(texts)
        self._held += len(texts)
        if self._held >= self._hold:
            self._spill()

    def write(self, out: IO[bytes], progress: Callable[[int], None]) -> None:
        """Writes all lines to ``out``; ``progress`` is told the number of lines of each day."""
        for day in sorted(self._spilled | set(self._days)):
            lines = self._days.pop(day, [])
            if day in self._spilled:
                path = self._path(day)
                lines += path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
                path.unlink()
            lines.sort()
            text = "\n".join([line[_KEY:] for line in lines])
            out.write(text.encode("utf-8", "surrogateescape"))
            out.write(b"\n")
            progress(len(lines))

    def _spill(self) -> None:
        for day, lines in self._days.items():
            with self._path(day).open("a", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                file.write("\n".join(lines))
                file.write("\n")
            self._spilled.add(day)
        self._days.clear()
        self._held = 0

    def _path(self, day: int) -> Path:
        return self._directory / f"{day}.lines"
