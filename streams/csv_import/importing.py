"""The import: plan, read every row, sort, write. Nothing is at the output before all is done.

Rules:
1. rows read = rows used + rows left out by `when` + rows rejected, for each file and in all.
2. The output and the rejects file appear whole or not at all (a temporary file beside them, then rename).
3. The same files and mapping give the same bytes. (A row with a time in the future is rejected, so later it may fit.)
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from schemas.errors import PlumblineError
from schemas.mapping import Mapping
from streams.csv_import.cells import ClockChanges
from streams.csv_import.ordering import Ordering, Place, SameId
from streams.csv_import.plan import Plan, PlannedFile, open_table
from streams.csv_import.refusal import RowRefused
from streams.csv_import.rejects import Reason, Rejects
from streams.csv_import.row_events import RowEvents
from streams.csv_import.tables import BrokenRow, Row

_EVERY = 2000
"""Rows or events between two words about progress."""

Progress = Callable[[str, int, int], None]
"""Called with the phase (reading, writing), how much is done and how much there is (bytes, events)."""


class FileCount(Struct, kw_only=True):
    """Rows of one file. read = used + left_out + rejected."""

    file: str
    export: str
    read: int = 0
    used: int = 0
    left_out: int = 0
    rejected: int = 0


class Imported(Struct, kw_only=True):
    """What came of an import. ``written`` is False where strict refused to write the events."""

    output: str
    written: bool
    files: list[FileCount]
    events: dict[str, int]
    repeats: int
    rejects_file: str | None
    reasons: list[Reason]
    clock_skipped: int
    clock_repeated: int
    unused: list[str]

    @property
    def rejected(self) -> int:
        return sum(file.rejected for file in self.files)


def rejects_path(output: Path) -> Path:
    return output.with_name(output.name.removesuffix(".jsonl") + ".rejects.csv")


def run_import(
    mapping: Mapping, plan: Plan, output: Path, *, strict: bool, now: float, progress: Progress
) -> Imported:
    """Raises FileRefused where a file can't be read to its end, PlumblineError where nothing can be written.

    ``now`` is the present in Unix seconds. With ``strict`` the events are written only if no row is rejected; the
    rejects file is written all the same.
    """
    refused_path = rejects_path(output)
    for file in plan.files:
        if file.path.resolve() in (output.resolve(), refused_path.resolve()):
            raise PlumblineError(
                f"{file.path} is read and written at once", remedy="name another file with -o"
            )
    changes = ClockChanges()
    counts = [FileCount(file=file.path.name, export=file.entry.as_) for file in plan.files]
    with Ordering() as ordering, _written_whole(refused_path) as refused_file:
        rejects = Rejects(refused_file.file)
        _read(mapping, plan, ordering, rejects, counts, changes, now=now, progress=progress)
        repeats = ordering.settle()
        _reject_same_ids(mapping, plan, ordering, rejects, counts)
        events: Counter[str] = Counter()
        write = not (strict and rejects.rows)
        if write:
            with _written_whole(output) as events_file:
                total = len(ordering)
                for done, (_, body) in enumerate(ordering, 1):
                    events_file.file.write(body)
                    events_file.file.write(b"\n")
                    events[_TYPE.decode(body).type] += 1
                    if done % _EVERY == 0 or done == total:
                        progress("writing", done, total)
        refused_file.wanted = rejects.rows > 0
        return Imported(
            output=str(output),
            written=write,
            files=counts,
            events=dict(sorted(events.items())),
            repeats=repeats,
            rejects_file=str(refused_path) if rejects.rows else None,
            reasons=rejects.reasons,
            clock_skipped=changes.skipped,
            clock_repeated=changes.repeated,
            unused=plan.unused,
        )


class _Typed(Struct):
    type: str


_TYPE = msgspec.json.Decoder(_Typed)


def _read(
    mapping: Mapping,
    plan: Plan,
    ordering: Ordering,
    rejects: Rejects,
    counts: Sequence[FileCount],
    changes: ClockChanges,
    *,
    now: float,
    progress: Progress,
) -> None:
    total = sum(file.path.stat().st_size for file in plan.files)
    before = 0
    for number, (file, count) in enumerate(zip(plan.files, counts, strict=True)):
        with open_table(mapping, file.entry, file.path) as table:
            makes = RowEvents(mapping, file.entry, table.columns, changes=changes, now=now)
            for row in table:
                count.read += 1
                if isinstance(row, BrokenRow):
                    rejects.broken(file.path, row)
                    count.rejected += 1
                    continue
                try:
                    drafts = makes.of(row.cells)
                except RowRefused as why:
                    rejects.refuse(file.path, table.columns, row, why)
                    count.rejected += 1
                    continue
                if drafts:
                    ordering.put(Place(number, row.line), drafts)
                    count.used += 1
                else:
                    count.left_out += 1
                if count.read % _EVERY == 0:
                    progress("reading", before + table.bytes_read, total)
            before += table.bytes_read
            progress("reading", before, total)


def _reject_same_ids(
    mapping: Mapping, plan: Plan, ordering: Ordering, rejects: Rejects, counts: Sequence[FileCount]
) -> None:
    """Rows refused for their id are known only once all is read: their cells are read again for the rejects file."""
    waiting = ordering.refused()
    same = next(waiting, None)
    while same is not None:
        number = same.later.file
        file = plan.files[number]
        with open_table(mapping, file.entry, file.path) as table:
            for row in table:
                if same is None or same.later.file != number:
                    break
                if isinstance(row, Row) and row.line == same.later.line:
                    rejects.refuse(file.path, table.columns, row, _same_id(file, plan, same))
                    counts[number].used -= 1
                    counts[number].rejected += 1
                    same = next(waiting, None)


def _same_id(file: PlannedFile, plan: Plan, same: SameId) -> RowRefused:
    first = plan.files[same.first.file]
    where = f"line {same.first.line}" + (f" of {first.path.name}" if first is not file else "")
    return RowRefused(
        "same_id",
        f"the event has the id of another one with other content ({where})",
        "add to `key` or `id` the column that tells them apart, like a date or stage",
        " + ".join(file.entry.key or []),
    )


class _Part:
    """A file in the making. ``wanted``: False leaves nothing at the end, not even an older one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.wanted = True


@contextmanager
def _written_whole(path: Path) -> Iterator[_Part]:
    """Raises PlumblineError where the file can't be written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("xb") as file:
            part = _Part(file)
            yield part
            file.flush()
            os.fsync(file.fileno())
        if part.wanted:
            beside.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise PlumblineError(
            f"{path} can't be written: {error.strerror}",
            remedy="check the folder, its rights and the room on the disk",
        ) from None
    finally:
        beside.unlink(missing_ok=True)
