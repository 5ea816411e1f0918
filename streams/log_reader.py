"""Reading the embedded event log in sequence, behind a writer in the same process.

Rules:
1. Only durable lines are seen.
2. A file handle is kept from one read to the next, and lines that were read but not asked for yet wait in memory: a
   reader that goes on where it stopped never reads a byte twice.
3. An offset that the log does not hold any more, or not yet, is refused: to skip silently would lose events.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streams.log_segments import LogRefused, segment_name

if TYPE_CHECKING:
    from streams.log import Extent

MAX_RECORDS = 5_000
MAX_BYTES = 4 * 1024 * 1024


class Readable(Protocol):
    """What a reader needs of a log."""

    @property
    def directory(self) -> Path: ...

    @property
    def extent(self) -> Extent: ...


class LogReader:
    """A position in the log with an open file. Not for two threads at once."""

    def __init__(self, log: Readable) -> None:
        self._log = log
        self._file = -1
        self._base = -1
        self._position = 0
        """where in the file the line after the waiting ones begins"""
        self._next = -1
        """offset of the first waiting line"""
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def read(
        self, offset: int, max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES
    ) -> list[tuple[int, bytes]]:
        """Up to ``max_records`` lines from ``offset`` on, each with its offset; none when the log ends there.

        Reads at most ``max_bytes`` at once, but always at least one line. Raises LogRefused for an offset that is not
        kept any more or lies beyond the end.
        """
        if offset != self._next or self._waiting_bytes > max_bytes:
            self._seek(offset)
        if not self._waiting:
            self._fill(max_bytes)
        lines = self._waiting[:max_records]
        self._waiting = self._waiting[max_records:]
        if not self._waiting:
            self._waiting_bytes = 0
        self._next = offset + len(lines)
        return list(zip(range(offset, self._next), lines, strict=True))

    def close(self) -> None:
        """Closes the file; a later read opens it again."""
        if self._file >= 0:
            os.close(self._file)
        self._file = self._base = self._next = -1
        self._waiting = []
        self._waiting_bytes = 0

    def _seek(self, offset: int) -> None:
        extent = self._log.extent
        if offset < extent.bases[0]:
            raise LogRefused(
                f"the event log begins at offset {extent.bases[0]}; line {offset} is not kept any more",
                remedy="restore the older segments from a copy, or begin with a new store",
            )
        if offset > extent.end:
            raise LogRefused(
                f"the event log ends at offset {extent.end}; there is no line {offset} yet",
                remedy="the store has read more than this log holds: bring the two together that belong together",
            )
        self._waiting = []
        self._waiting_bytes = 0
        self._next = offset
        base = extent.bases[bisect_right(extent.bases, offset) - 1]
        self._open(base)
        self._skip_lines(offset - base)

    def _open(self, base: int) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._file = os.open(self._log.directory / segment_name(base), os.O_RDONLY | os.O_CLOEXEC)
        self._base = base
        self._position = 0

    def _skip_lines(self, lines: int) -> None:
        while lines > 0:
            chunk = os.pread(self._file, 1 << 20, self._position)
            here = chunk.count(b"\n")
            if here > lines:
                at = -1
                for _ in range(lines):
                    at = chunk.index(b"\n", at + 1)
                self._position += at + 1
                return
            if not chunk:
                raise self._too_short()
            lines -= here
            # Behind the last newline if that was the last line to skip; else anywhere, as only newlines count.
            self._position += chunk.rfind(b"\n") + 1 if lines == 0 else len(chunk)

    def _fill(self, max_bytes: int) -> None:
        """Takes the next lines in, from the next segment where this one is read to its end."""
        extent = self._log.extent
        if self._next >= extent.end:
            return
        active = extent.bases[-1]
        if self._base != active and self._position >= os.fstat(self._file).st_size:
            following = extent.bases[bisect_right(extent.bases, self._base)]
            if following != self._next:
                raise self._too_short()
            self._open(following)
        readable = extent.last_bytes if self._base == active else os.fstat(self._file).st_size
        want = max_bytes
        while True:
            chunk = os.pread(self._file, min(want, readable - self._position), self._position)
            end = chunk.rfind(b"\n")
            if end >= 0:
                break
            if len(chunk) < want:
                raise self._too_short()
            want *= 2
        self._waiting = chunk[:end].split(b"\n")
        self._waiting_bytes = end
        self._position += end + 1

    def _too_short(self) -> LogRefused:
        return LogRefused(
            f"{segment_name(self._base)} holds fewer lines than it must",
            remedy="something else has changed the file: restore it from a copy",
        )
