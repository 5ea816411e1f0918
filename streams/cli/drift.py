"""plumbline drift: the verdicts of the drift signals, from a service's data directory or Redis, whether it runs or not."""

from __future__ import annotations

import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.catalogue import signals
from schemas.alerts import Alert
from schemas.settings import Settings
from streams.alert_text import alert_text
from streams.cli.data_options import data_options
from streams.cli.drift_chart import chart_lines
from streams.serving.alert_archive import newest_alerts
from streams.serving.contract import Wanted
from streams.serving.drift_verdicts import verdict_views
from streams.serving.sources import source_of
from streams.serving.views import VerdictView
from streams.settings_file import load_settings
from streams.terminal_text import printable
from streams.web.drift_rows import DriftRow, drift_row, drift_rows

STYLES = {"drifting": "bold red", "resolved": "green", "watching": "", "learning": "dim"}
MAX_ALERTS = 5
INDENT = "  "
WIDE = 84
"""Columns that the whole table needs."""


@click.group(name="drift")
def command() -> None:
    """Is the ideal customer profile drifting: what each signal says, by segment."""


@command.command(name="list")
@data_options
def list_(settings_path: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """List the verdicts of all signals, what drifts first."""
    verdicts, _ = _read(load_settings(settings_path), data_dir, None)
    if as_json:
        _print_json({"verdicts": verdicts})
        return
    console = Console(highlight=False)
    rows = drift_rows(verdicts)
    for signal, title in dict.fromkeys((row.signal, row.title) for row in rows):
        console.print(f"[bold]{escape(signal)}[/bold] [dim]{escape(title)}[/dim]")
        console.print(_table([row for row in rows if row.signal == signal], console.width))


@command.command(name="show")
@click.argument("signal")
@click.option("--segment", default="all", show_default=True, help="As the list names it.")
@data_options
def show(signal: str, segment: str, settings_path: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what SIGNAL says of one segment: numbers, words and history."""
    settings = load_settings(settings_path)
    wanted_segment = _segment(segment)
    verdicts, alerts = _read(settings, data_dir, Wanted(signal=signal, segment=wanted_segment))
    verdict = _find(verdicts, signal, wanted_segment)
    if as_json:
        _print_json({"verdict": verdict, "alerts": alerts})
        return
    console = Console(highlight=False)
    _print_verdict(console, verdict, drift_row(verdict))
    chart = chart_lines(verdict, console.width - len(INDENT))
    if chart:
        console.print("\n" + textwrap.indent("\n".join(chart), INDENT), markup=False, soft_wrap=True)
    for alert in alerts:
        console.print("\n" + alert_text(alert, console.width), markup=False, soft_wrap=True)
    if verdict.state == "drifting":
        console.print("\n[dim]plumbline drift list shows the other segments.[/dim]")


def _table(rows: list[DriftRow], width: int) -> Table:
    """The verdicts of one signal; in a narrow terminal without the statistic."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("segment", "state", "since"):
        table.add_column(INDENT + heading if heading == "segment" else heading, no_wrap=heading != "since")
    headings = ("before", "now", "statistic") if width >= WIDE else ("before", "now")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        state = f"{row.state}, {row.finding}" if row.finding else row.state
        cells = [row.since or "-", row.before or "-", row.now or "-", row.strength or "-"]
        if row.state == "learning":
            cells = [row.missing, "", "", ""]
        safe = [
            escape(printable(cell)) for cell in (INDENT + row.segment, state, *cells[: 1 + len(headings)])
        ]
        table.add_row(*safe, style=STYLES[row.state])
    return table


def _read(
    settings: Settings, data_dir: Path | None, wanted: Wanted | None
) -> tuple[list[VerdictView], list[Alert]]:
    with closing(source_of(settings, data_dir)) as source, source.snapshot() as snapshot:
        verdicts = verdict_views(snapshot, signals(settings.drift))
        return verdicts, newest_alerts(snapshot, wanted, MAX_ALERTS) if wanted is not None else []


def _segment(written: str) -> str:
    """Lists show names with spaces, and ``all`` in words; both ways of writing are understood."""
    return "all" if written == "all accounts" else written


def _find(verdicts: list[VerdictView], signal: str, segment: str) -> VerdictView:
    of_signal = [verdict for verdict in verdicts if verdict.signal == signal]
    if not of_signal:
        names = ", ".join(dict.fromkeys(verdict.signal for verdict in verdicts))
        raise click.BadParameter(f"there is no such signal; use one of {names}", param_hint="SIGNAL")
    for verdict in of_signal:
        if segment in (verdict.segment, verdict.segment.replace("_", " ")):
            return verdict
    names = ", ".join(verdict.segment for verdict in of_signal)
    raise click.BadParameter(
        f"the signal has no such segment; use one of {printable(names)}", param_hint="--segment"
    )


def _print_verdict(console: Console, verdict: VerdictView, row: DriftRow) -> None:
    title = escape(printable(f"{row.signal} · {row.segment}"))
    console.print(f"[bold]{title}[/bold] [dim]{escape(row.title)}[/dim]")
    facts: list[tuple[str, str]] = [("state", row.state + (f", {row.finding}" if row.finding else ""))]
    if row.missing and row.state == "learning":
        facts.append(("learning", row.missing))
    if row.since:
        facts.append(("since", row.since))
    for name, estimate, interval, of in (
        ("before", row.before, row.before_interval, verdict.before),
        ("now", row.now, row.now_interval, verdict.now),
    ):
        if of is not None:
            facts.append((name, f"{estimate} (95 %: {interval}, n = {of.n:,})"))
    if row.strength:
        facts.append(("statistic", f"{row.strength}, where it alarms"))
    facts.append(("observations", row.observations))
    if row.counted_out:
        facts.append(("counted out", row.counted_out))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(INDENT + name, escape(printable(text)))
    console.print(table)


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.encode(value).decode())
