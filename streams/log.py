"""The embedded event log: an append-only history of JSON lines, kept in segments in one directory.

Rules:
1. ``append`` returns when its lines are on the disk (write, then fsync), or raises and takes them back. Appenders
   that wait at the same time share one fsync. (Only a process that dies before it returned or raised may leave lines
   that nobody was told of.)
2. An offset is the number of a line, counted from the start of the log. It never changes; segments carry the first
   one in their names (streams/log_segments.py), and old segments are removed whole.
3. A reader sees a line only once it is durable, so that nothing that was read can be taken back.
4. One process at a time writes to a directory; it holds a lock for as long as the log is open.
5. After a write error (disk full, say) the log is as it was before, and goes on as soon as writing works again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from schemas.errors import PlumblineError
from streams.failpoints import reach
from streams.log_reader import LogReader
from streams.log_segments import (
    LogRefused,
    check_sequence,
    find_segments,
    mend_tail,
    segment_name,
    sync_directory,
)

SEGMENT_BYTES = 256 * 1024 * 1024
_LOCK_NAME = "writer.lock"

_log = structlog.get_logger(__name__)


class LogInUse(PlumblineError):
    """Another process writes to this log."""

    exit_code = 3


class LogUnwritable(PlumblineError):
    """The lines could not be made durable; none of them is kept. Trying again later may work."""


class Extent(NamedTuple):
    """What is durable: segments' base offsets (rising), the offset after the last line, and the last segment's bytes."""

    bases: tuple[int, ...]
    end: int
    last_bytes: int


class _Waiting:
    """Lines of one appender, until the one that writes for all has written them."""

    def __init__(self, lines: int, text: bytes) -> None:
        self.lines = lines
        self.text = text
        self.last_offset: int | None = None
        self.error: OSError | None = None


class EventLog:
    """The log in ``directory``, opened for appending and reading. All methods may be called from any thread.

    ``check_from`` is the offset from which the sequence of segments is checked when opening: what a store has read
    already need not be read again for that. Raises LogInUse and LogRefused.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES, check_from: int = 0) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        try:
            self._lock_file = _lock(directory)
            bases, lines, size = self._open(check_from)
        except OSError as error:
            raise LogRefused(
                f"the event log can't be opened: {os.strerror(error.errno or 0)}",
                remedy="see that the service may read and write in data_dir, and that its disk works",
            ) from error
        self._extent = Extent(tuple(bases), bases[-1] + lines, size)
        self._tail_is_clean = True
        self._queue: list[_Waiting] = []
        self._queue_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False

    def _open(self, check_from: int) -> tuple[list[int], int, int]:
        """(base offsets, lines and bytes of the last segment), with that segment open for appending."""
        try:
            bases = find_segments(self.directory)
            check_sequence(self.directory, bases, check_from)
            if bases:
                lines, size = mend_tail(self.directory / segment_name(bases[-1]))
                self._file = _open_segment(self.directory, bases[-1])
            else:
                bases, lines, size = [0], 0, 0
                self._file = _open_segment(self.directory, 0)
                sync_directory(self.directory)
        except BaseException:
            os.close(self._lock_file)
            raise
        return bases, lines, size

    @property
    def start(self) -> int:
        """The offset of the oldest line that is kept."""
        return self._extent.bases[0]

    @property
    def end(self) -> int:
        """The offset that the next line will get."""
        return self._extent.end

    @property
    def extent(self) -> Extent:
        """What is durable now, as one consistent value."""
        return self._extent

    def append(self, lines: Sequence[bytes]) -> int:
        """Keeps ``lines`` (without newlines) and returns the offset of the last one. Blocks until they are durable.

        Raises LogUnwritable when they could not be written, ValueError for an empty line or one with a newline inside.
        """
        if not lines:
            return self.end - 1
        text = b"\n".join(lines) + b"\n"
        if text.count(b"\n") != len(lines) or not all(lines):
            raise ValueError("a line of the log is not empty and has no newline inside")
        mine = _Waiting(len(lines), text)
        with self._queue_lock:
            self._queue.append(mine)
        with self._write_lock:
            # Whoever gets here first writes for all that wait; the others find their lines written.
            if mine.last_offset is None and mine.error is None:
                with self._queue_lock:
                    together, self._queue = self._queue, []
                self._write(together)
        if mine.error is not None:
            raise LogUnwritable(
                f"the event log can't be written: {os.strerror(mine.error.errno or 0)}",
                remedy="free space on the disk of data_dir, or see what is wrong with it; then send again",
            ) from mine.error
        assert mine.last_offset is not None  # noqa: S101 - written, or an error
        return mine.last_offset

    def reader(self) -> LogReader:
        """A new reader, for one thread at a time."""
        return LogReader(self)

    def first_offset_since(self, when: float) -> int:
        """The offset of the first line of the oldest segment that was written to since ``when`` (Unix seconds)."""
        bases = self._extent.bases
        for base in bases[:-1]:
            if (self.directory / segment_name(base)).stat().st_mtime >= when:
                return base
        return bases[-1]

    def delete_before(self, offset: int) -> int:
        """Removes the segments all of whose lines are before ``offset``, but never the last; returns how many."""
        with self._write_lock:
            bases = self._extent.bases
            gone = max(0, bisect_right(bases, offset) - 1)
            if gone:
                self._extent = self._extent._replace(bases=bases[gone:])
                # Oldest first: a crash in between leaves no gap.
                for base in bases[:gone]:
                    (self.directory / segment_name(base)).unlink(missing_ok=True)
                sync_directory(self.directory)
                _log.info("event_log_segments_removed", segments=gone, start=bases[gone])
        return gone

    def close(self) -> None:
        """Lets the directory go. Appending afterwards raises LogUnwritable."""
        with self._write_lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._file)
            os.close(self._lock_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, together: list[_Waiting]) -> None:
        if self._closed:
            raise LogUnwritable(
                "the event log is closed", remedy="the service is stopping: send again when it runs"
            )
        try:
            self._cut_unfinished()
            if self._extent.last_bytes >= self._segment_bytes:
                self._begin_segment()
            text = b"".join(waiting.text for waiting in together)
            reach("log.before_write")
            self._tail_is_clean = False
            _write_all(self._file, text)
            reach("log.after_write")
            _sync(self._file)
            reach("log.after_fsync")
            self._tail_is_clean = True
        except OSError as error:
            _log.error("event_log_write_failed", error=os.strerror(error.errno or 0))
            for waiting in together:
                waiting.error = error
            self._cut_now_if_possible()
            return
        bases, end, size = self._extent
        for waiting in together:
            end += waiting.lines
            waiting.last_offset = end - 1
        self._extent = Extent(bases, end, size + len(text))

    def _cut_unfinished(self) -> None:
        """Takes back what a failed write left behind the last durable line."""
        if not self._tail_is_clean:
            os.ftruncate(self._file, self._extent.last_bytes)
            _sync(self._file)
            self._tail_is_clean = True

    def _cut_now_if_possible(self) -> None:
        try:
            self._cut_unfinished()
        except OSError as error:
            # The next append tries again before it writes; readers do not look beyond the durable end meanwhile.
            _log.error("event_log_cut_failed", error=os.strerror(error.errno or 0))

    def _begin_segment(self) -> None:
        bases, end, _ = self._extent
        file = _open_segment(self.directory, end)
        try:
            os.ftruncate(
                file, 0
            )  # a crash or an error may have left one of this name, with nothing durable in it
            sync_directory(self.directory)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file
        self._extent = Extent((*bases, end), end, 0)


def _lock(directory: Path) -> int:
    if not directory.exists():
        directory.mkdir(parents=True)
        sync_directory(directory.parent)
    file = os.open(directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise LogInUse(
            "another process writes to this event log",
            remedy="stop the other plumbline service, or give this one a data_dir of its own",
        ) from None
    return file


def _open_segment(directory: Path, base: int) -> int:
    return os.open(
        directory / segment_name(base), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )


def _write_all(file: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync(file: int) -> None:
    """Data and size on the disk; times may lag behind where the system knows the difference."""
    getattr(os, "fdatasync", os.fsync)(file)


__all__ = ["EventLog", "Extent", "LogInUse", "LogReader", "LogRefused", "LogUnwritable"]
