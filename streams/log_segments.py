"""The files of the embedded event log: their names, what holds when the log is opened, and what is put right then.

Rules:
1. A segment is ``events-<offset of its first line, 20 digits>.jsonl``; every line ends with a newline.
2. The segments follow one another without a gap: each begins where the one before it ends. A gap is refused.
3. Only the last segment may end in the middle of a line: a crash did that, and nobody was told that the line is kept.
   It is cut off. A last line that is a complete JSON object and lacks just its newline gets one: that is how a file
   copied in by hand may end.
4. No other ``*.jsonl`` may lie in the directory: it would look as if it were read.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import msgspec
import structlog

from schemas.errors import PlumblineError

_NAME = re.compile(r"events-(\d{20})\.jsonl")
_CHUNK_BYTES = 1 << 20

_log = structlog.get_logger(__name__)


class LogRefused(PlumblineError):
    """The files of the event log are not what they must be, or are asked for what they do not hold."""

    exit_code = 5


def segment_name(base: int) -> str:
    """The name of the segment whose first line has the offset ``base``."""
    return f"events-{base:020d}.jsonl"


def find_segments(directory: Path) -> list[int]:
    """The base offsets of the segments in ``directory``, rising. Raises LogRefused for a file that rule 4 forbids."""
    bases = []
    for path in directory.glob("*.jsonl"):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise LogRefused(
                f"{path.name} is no segment of the event log",
                remedy=f"move it away, or, if it is the whole history, rename it to {segment_name(0)}",
            )
        bases.append(int(match[1]))
    return sorted(bases)


def check_sequence(directory: Path, bases: list[int], check_from: int) -> None:
    """Raises LogRefused unless each segment that reaches beyond ``check_from`` ends where the next begins.

    Reads those segments but for the last: about a gigabyte a second from memory, else as fast as the disk.
    """
    for base, following in itertools.pairwise(bases):
        if following <= check_from:
            continue
        lines, complete_bytes, size = count_lines(directory / segment_name(base))
        if base + lines == following and complete_bytes == size:
            continue
        raise LogRefused(
            f"the event log has a gap: {segment_name(base)} holds {lines} lines, so the next segment must begin at "
            f"{base + lines}, but it begins at {following}",
            remedy="restore the segments from a copy; or, if those events may be lost, move this segment and all "
            "before it out of the directory",
        )


def count_lines(path: Path) -> tuple[int, int, int]:
    """(complete lines, bytes up to the end of the last complete line, bytes in all) of a file."""
    lines = size = complete = 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            lines += chunk.count(b"\n")
            end = chunk.rfind(b"\n")
            if end >= 0:
                complete = size + end + 1
            size += len(chunk)
    return lines, complete, size


def mend_tail(path: Path) -> tuple[int, int]:
    """Brings the last segment to a whole line (rule 3), durably. Returns its lines and bytes."""
    lines, complete, size = count_lines(path)
    with path.open("r+b") as file:
        if complete < size:
            file.seek(complete)
            tail = file.read()
            if _is_object(tail):
                file.write(b"\n")
                lines, complete = lines + 1, size + 1
            else:
                file.truncate(complete)
                _log.warning(
                    "event_log_torn_line_cut", segment=path.name, line=lines + 1, bytes=size - complete
                )
        file.flush()
        # What lies in the page cache after a crash was perhaps never synced, and will be read from now on.
        os.fsync(file.fileno())
    return lines, complete


def sync_directory(directory: Path) -> None:
    """Makes the creation and removal of files in ``directory`` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_object(line: bytes) -> bool:
    """Whether ``line`` is one whole JSON object; no beginning of an object is one."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
