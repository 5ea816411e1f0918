"""plumbline drift explain: one verdict with all that it rests on, in words for a terminal."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.signals.contract import ALL
from streams.alert_text import alert_text
from streams.cli.data_options import data_options
from streams.cli.drift_chart import chart_lines
from streams.cli.drift_curves import curve_table
from streams.cli.drift_reading import read_segment
from streams.serving.views import VerdictView
from streams.settings_file import load_settings
from streams.terminal_text import printable
from streams.web.curves import TITLE, curves_of
from streams.web.drift_evidence import evidence_rows
from streams.web.drift_rows import (
    AnnouncementRow,
    DecisionRow,
    DriftRow,
    beside_name,
    beside_words,
    drift_row,
)
from streams.web.wording import day

INDENT = "  "


@click.command(name="explain")
@click.argument("signal")
@click.option("--segment", default="all", show_default=True, help="As the list names it.")
@data_options
def explain(
    signal: str, segment: str, settings_path: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Explain what SIGNAL says of one segment: numbers, chart, evidence, what was said and decided."""
    reading = read_segment(load_settings(settings_path, needs={"redis"}), data_dir, signal, segment)
    (verdict,) = reading.verdicts
    if as_json:
        click.echo(msgspec.json.encode({"verdict": verdict, "alerts": reading.alerts}))
        return
    console = Console(highlight=False)
    row = drift_row(verdict)
    title = escape(printable(f"{row.signal} · {row.segment}"))
    console.print(f"[bold]{title}[/bold] [dim]· {escape(row.title)}[/dim]")
    console.print(_rows(facts(verdict, row)))
    chart = chart_lines(verdict, console.width - len(INDENT))
    if chart:
        console.print("\n" + textwrap.indent("\n".join(chart), INDENT), markup=False, soft_wrap=True)
    curves = curves_of(verdict)
    if curves is not None:
        console.print(f"\n[bold]{TITLE}[/bold] [dim](baseline: {curves.baseline}; now: {curves.since})[/dim]")
        console.print(curve_table(curves))
    evidence = evidence_rows(verdict)
    if evidence:
        console.print("\n[bold]What weighs most[/bold]")
        console.print(_rows([(each.account, each.words) for each in evidence]))
    if row.decisions:
        console.print("\n[bold]What was decided[/bold]")
        console.print(_rows([_decided(each) for each in row.decisions]))
    if row.announcements:
        console.print("\n[bold]What was announced[/bold]")
        console.print(_rows([_announced(each) for each in row.announcements]))
    for alert in reading.alerts:
        console.print("\n" + alert_text(alert, console.width), markup=False, soft_wrap=True)
    if verdict.state == "drifting":
        console.print(
            "\n[dim]plumbline drift list shows the other segments; plumbline drift acknowledge says that this is"
            " known.[/dim]"
        )
    if verdict.state == "ill" and verdict.segment != ALL:
        console.print(
            "\n[dim]plumbline drift acknowledge says that this is known; with --retake-baseline, that the source was meant"
            " to end.[/dim]"
        )


def facts(verdict: VerdictView, row: DriftRow) -> list[tuple[str, str]]:
    """What is known of the verdict, each with its name."""
    known: list[tuple[str, str]] = [("state", row.state + (f", {row.finding}" if row.finding else ""))]
    if row.suspended:
        known.append(("because", row.suspended))
    if row.state == "acknowledged" and row.decisions:
        latest = row.decisions[0]
        known.append(("by", f"{latest.by} on {day(latest.at)}: {latest.reason}"))
    known += [("announced", text) for text in row.announced]
    if row.missing:
        known.append(("learning", row.missing))
    if row.since:
        known.append(("since", row.since))
    for name, estimate, interval, sample in (
        ("before", row.before, row.before_interval, row.before_sample),
        ("now", row.now, row.now_interval, row.now_sample),
    ):
        if estimate:
            sure = f"95 %: {interval}, " if interval else ""
            known.append((name, f"{estimate} ({sure}{sample})"))
    beside = beside_words(verdict)
    if beside:
        known.append((f"{beside_name(verdict)} meanwhile", beside))
    if row.ratio_of and (row.before or row.now):
        known.append(("×", row.ratio_of))
    if row.statistic:
        known += [("statistic", f"{row.statistic}, where it alarms"), ("by mistake", row.promise)]
    known += [
        ("" if number else "moved too", f"{each.signal}, {each.words}")
        for number, each in enumerate(row.moved_too)
    ]
    if row.second_opinion:
        known.append(("second opinion", row.second_opinion))
    if row.baseline:
        known.append(("baseline", row.baseline))
    known.append(("observations", row.observations))
    for number, each in enumerate(row.counted_out):
        why = f": {each.why}" if each.why else ""
        known.append(("" if number else "counted out", f"{each.number} {each.reason}{why}"))
    return known


def _decided(each: DecisionRow) -> tuple[str, str]:
    return day(each.at), f"{each.what} by {each.by} (it was {each.then}): {each.reason}"


def _announced(each: AnnouncementRow) -> tuple[str, str]:
    return day(each.on), f"by {each.by} on {day(each.at)}, of {each.about}: {each.reason}"


def _rows(rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, max_width=40)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(INDENT + escape(printable(name)), escape(printable(text)))
    return table
