"""``plumbline import``: CSV exports to an event history, with progress, a summary and the rows that did not fit.

Exit codes: 0 done (with the rejected rows shown), 1 nothing written (with --strict: a row was rejected), 2 the mapping
or a file is wrong.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.errors import FileRefused, PlumblineError
from schemas.mapping import load_mapping
from schemas.yaml_file import decode_text
from streams.cli.output_paths import refuse_outputs
from streams.csv_import.importing import Imported, run_import
from streams.csv_import.plan import make_plan

MAX_REASONS_SHOWN = 20


@click.command(short_help="Turn CSV exports into an event history.")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--mapping",
    "-m",
    "mapping_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The mapping file: which columns become which events.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The event history to write (JSONL).",
)
@click.option("--strict", is_flag=True, help="Write no events, and fail, if any row is rejected.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def command(files: tuple[Path, ...], mapping_path: Path, output: Path, strict: bool, as_json: bool) -> None:
    """Turn CSV exports into an event history, in time order.

    Rows that do not fit go to <output>.rejects.csv with file, line, column and what to do. docs/import.md shows how to
    write a mapping.
    """
    refuse_outputs({"-o": output}, [mapping_path])
    try:
        text = decode_text(mapping_path.read_bytes(), str(mapping_path))
        mapping = load_mapping(text, str(mapping_path))
        plan = make_plan(mapping, text, str(mapping_path), files)
        bar = _Bar() if sys.stderr.isatty() else None
        shown: AbstractContextManager[object] = nullcontext() if bar is None else bar.progress
        with shown:
            imported = run_import(
                mapping,
                plan,
                output,
                strict=strict,
                now=time.time(),
                progress=bar.show if bar is not None else _quiet,
            )
    except FileRefused as refused:
        if not as_json:
            raise
        click.echo(msgspec.json.encode({"file": refused.name, "problems": refused.problems}))
        sys.exit(refused.exit_code)
    if as_json:
        click.echo(msgspec.json.encode(_as_data(imported)))
    else:
        _print(imported)
    if not imported.written:
        rows = f"{imported.rejected} row" + ("s were" if imported.rejected != 1 else " was")
        raise PlumblineError(
            f"{rows} rejected, so no events were written (--strict)",
            remedy=f"mend the rows or the mapping; {imported.rejects_file} says what is wrong with each",
        )


def _quiet(phase: str, done: int, total: int) -> None:
    """Where nobody watches."""


class _Bar:
    """Progress by bytes read, then by events written."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self.progress.add_task(phase, total=total)
        self.progress.update(self._tasks[phase], completed=done)


def _as_data(imported: Imported) -> dict[str, object]:
    files = imported.files
    return {
        "output": imported.output if imported.written else None,
        "rows": {
            "read": sum(file.read for file in files),
            "used": sum(file.used for file in files),
            "left_out": sum(file.left_out for file in files),
            "rejected": imported.rejected,
        },
        "files": files,
        "events": imported.events,
        "events_written": sum(imported.events.values()),
        "repeats": imported.repeats,
        "rejects_file": imported.rejects_file,
        "rejects": imported.reasons,
        "clock_changes": {"skipped": imported.clock_skipped, "repeated": imported.clock_repeated},
        "patterns_without_file": imported.unused,
    }


def _print(imported: Imported) -> None:
    console = Console(highlight=False, soft_wrap=True)
    rows = Table(box=None, pad_edge=False)
    rows.add_column("file", overflow="fold")
    for heading in ("rows read", "used", "left out", "rejected"):
        rows.add_column(heading, justify="right")
    for file in imported.files:
        counts = (file.read, file.used, file.left_out, file.rejected)
        rows.add_row(escape(file.file), *(f"{count:,}" for count in counts))
    console.print(rows)
    console.print()
    events = Table(box=None, pad_edge=False)
    events.add_column("events written")
    events.add_column("", justify="right")
    for name, count in imported.events.items():
        events.add_row(name, f"{count:,}")
    events.add_row("in all", f"{sum(imported.events.values()):,}")
    console.print(events)
    for note in _notes(imported):
        console.print(escape(note))
    if imported.reasons:
        console.print()
        _print_reasons(console, imported)
    if imported.written:
        console.print(f"\nwrote {escape(imported.output)}")


def _notes(imported: Imported) -> list[str]:
    notes: list[str] = []
    if imported.repeats:
        notes.append(f"repeats (same id and content), written once: {imported.repeats:,}")
    if imported.clock_skipped:
        notes.append(
            f"times in an hour that the clock skipped, counted from before the jump: {imported.clock_skipped:,}"
        )
    if imported.clock_repeated:
        notes.append(
            f"times in an hour that the clock showed twice, read as the first: {imported.clock_repeated:,}"
        )
    notes += [f"no file fits the mapping's entry {pattern}" for pattern in imported.unused]
    return notes


def _print_reasons(console: Console, imported: Imported) -> None:
    for reason in imported.reasons[:MAX_REASONS_SHOWN]:
        rows = f"{reason.rows:,} row{'s' if reason.rows != 1 else ''} rejected"
        column = f", column {reason.column}" if reason.column else ""
        console.print(escape(f"{rows}: {reason.file}:{reason.first_line}{column}: {reason.what}"))
        console.print(escape(f"    {reason.remedy}"))
    left = len(imported.reasons) - MAX_REASONS_SHOWN
    if left > 0:
        console.print(f"and {left} more reasons")
    console.print(f"every rejected row: {escape(imported.rejects_file or '')}")
