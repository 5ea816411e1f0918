"""plumbline replay: history through the very same processor, and what comes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import Quantity
from schemas.alerts import Interval
from streams.cli.output_paths import refuse_outputs
from streams.cli.tables import table_console
from streams.cli.verdict_styles import STYLES
from streams.icp_files import load_icps
from streams.replay import DriftRow, ReplayReport, processes_for, replay, report_json
from streams.settings_file import load_settings
from streams.settings_names import refuse_unknown_names
from streams.terminal_text import printable
from streams.web.drift_rows import STATE_ORDER
from streams.web.wording import measure


@click.command(name="replay")
@click.argument(
    "events", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "--icp",
    "icp_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="ICP file; several times for several versions, each from its effective_from on.",
)
@click.option("--settings", "settings_path", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object on standard output.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write all alerts there, as JSON lines."
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Where events that can't be used go; EVENTS.rejects.jsonl unless named.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="In how many processes, which share the accounts out; the machine's cores (at most 8) unless the history is short. The result is the same.",
)
def command(
    events: tuple[Path, ...],
    icp_paths: tuple[Path, ...],
    settings_path: Path | None,
    as_json: bool,
    output: Path | None,
    rejects: Path | None,
    processes: int | None,
) -> None:
    """Run the history in EVENTS (JSON lines) through the processor, and say what comes out.

    Nothing is sent and nothing is kept. Ends with 0 when the history was read to its end, also when some events could
    not be used: they are counted, and written to the rejects file.
    """
    settings = load_settings(settings_path, needs=())
    icps = load_icps(icp_paths or settings.icp)
    refuse_unknown_names(settings, icps)
    rejects_to = rejects or events[0].with_suffix(".rejects.jsonl")
    outputs = {"--rejects": rejects_to} | ({"-o": output} if output is not None else {})
    refuse_outputs(
        outputs, [*events, *(icp_paths or settings.icp), *([settings_path] if settings_path else [])]
    )
    console = Console(stderr=True)
    columns = (
        TextColumn("  replaying"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task("replay", total=sum(path.stat().st_size for path in events), events=0, speed="")

        def advance(read: int, received: int) -> None:
            elapsed = bar.tasks[task].elapsed
            speed = f"{received / elapsed / 1000:.0f} k/s" if elapsed else ""
            bar.update(task, completed=read, events=received, speed=speed)

        report = replay(
            events,
            icps,
            settings,
            processes=processes or processes_for(events),
            alerts_to=output,
            rejects_to=rejects_to,
            progress=advance,
        )
    if as_json:
        sys.stdout.buffer.write(report_json(report) + b"\n")
    else:
        print_report(table_console(), report, output)


def print_report(console: Console, report: ReplayReport, output: Path | None) -> None:
    """The report for people."""
    ledger = report.ledger
    console.print(
        f"  {report.events:,} events in {report.seconds:.1f} s"
        f" ({report.events / max(report.seconds, 1e-9) / 1000:.0f} k/s)",
        highlight=False,
    )
    console.print(
        f"  received {ledger.received:,} = applied {ledger.applied:,} + duplicate {ledger.duplicate:,}"
        f" + late {ledger.late:,} + dead-lettered {ledger.dead_lettered:,}",
        highlight=False,
        soft_wrap=True,
    )
    kinds = report.alerts.by_kind
    shown = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.items()) or "none"
    console.print(f"  {report.accounts:,} accounts · alerts: {shown}", highlight=False, soft_wrap=True)
    if report.alerts.by_trigger:
        console.print(_alerts_table(report))
    _print_drift(console, report.drift)
    if output is not None:
        console.print(f"  alerts written to {output}", highlight=False, soft_wrap=True)
    if report.rejects is not None:
        console.print(
            f"  {ledger.dead_lettered:,} events could not be used: plumbline dlq list --file {report.rejects}",
            highlight=False,
            soft_wrap=True,
        )


def _print_drift(console: Console, rows: Sequence[DriftRow]) -> None:
    """One line a signal and segment, those that drift first."""
    width = max((len(row.segment) for row in rows if row.signal != DATA_HEALTH), default=0)
    for row in sorted(rows, key=lambda row: STATE_ORDER.index(row.state)):
        segment = escape(printable(row.segment).ljust(width))
        console.print(
            f"  [{STYLES[row.state]}]{row.state}[/]  {row.signal}  {segment}  {_standing(row)}".rstrip(),
            highlight=False,
            soft_wrap=True,
        )


def _standing(row: DriftRow) -> str:
    if row.state == "learning" or row.baseline is None:
        return f"({row.missing})" if row.missing else ""
    words = f"{_interval(row.baseline, row.unit)} -> {_interval(row.current, row.unit)}"
    if row.unit == "events_a_day":  # of a source: what it does now its state says
        words = measure(row.baseline.estimate, row.unit)
    if row.since is not None and row.state in ("drifting", "acknowledged", "resolved", "ill"):
        margin = f" (±{max(1, round(row.since_margin_days))} d)" if row.since_margin_days is not None else ""
        words += f"  since {row.since.date()}{margin}"
    return words


def _alerts_table(report: ReplayReport) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("trigger alerts by variant", overflow="fold")
    table.add_column("", justify="right")
    table.add_column("by the trigger that added most", overflow="fold")
    table.add_column("", justify="right")
    variants = list(report.alerts.by_variant.items())
    triggers = list(report.alerts.by_trigger.items())
    for index in range(max(len(variants), min(len(triggers), 12))):
        variant = variants[index] if index < len(variants) else ("", "")
        trigger = triggers[index] if index < len(triggers) else ("", "")
        table.add_row(variant[0], f"{variant[1]}", trigger[0], f"{trigger[1]}")
    return table


def _interval(interval: Interval | None, unit: Quantity) -> str:
    if interval is None:
        return "?"
    sign = {"share": " %", "days": " d", "ratio": "x", "features": " features"}.get(unit, "")
    of = 100 if unit == "share" else 1
    return f"{of * interval.estimate:.1f}{sign} ({of * interval.low:.1f}-{of * interval.high:.1f})"
