"""plumbline drift: the verdicts of the drift signals, from a service's data directory or Redis, whether it runs or not."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from detectors.health.tally import SIGNAL as DATA_HEALTH
from streams.cli.data_options import data_options
from streams.cli.drift_acknowledge import acknowledge
from streams.cli.drift_announce import announce
from streams.cli.drift_explain import explain
from streams.cli.drift_reading import read_drift
from streams.cli.tables import table_console
from streams.cli.verdict_styles import STYLES
from streams.settings_file import load_settings
from streams.terminal_text import printable
from streams.web.drift_rows import DriftRow, drift_rows

INDENT = 2
WIDE = 84
"""Columns that the whole table needs."""


@click.group(name="drift")
def command() -> None:
    """Is the ideal customer profile drifting: what each signal says, by segment."""


@command.command(name="list")
@data_options
def list_(settings_path: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """List the verdicts of all signals, what drifts first."""
    verdicts = read_drift(load_settings(settings_path, needs={"redis"}), data_dir).verdicts
    if as_json:
        click.echo(msgspec.json.encode({"verdicts": verdicts}))
        return
    console = table_console()
    rows = drift_rows(verdicts)
    for signal, title in dict.fromkeys((row.signal, row.title) for row in rows):
        console.print(f"[bold]{escape(signal)}[/bold] [dim]· {escape(title)}[/dim]")
        of_signal = [row for row in rows if row.signal == signal]
        for text in dict.fromkeys(text for row in of_signal for text in row.announced):
            console.print(Padding(f"announced: {escape(printable(text))}", (0, 0, 0, INDENT), expand=False))
        table = _table(of_signal, console.width)
        console.print(Padding(table, (0, 0, 0, INDENT), expand=False))


command.add_command(explain)
command.add_command(acknowledge)
command.add_command(announce)


def _table(rows: list[DriftRow], width: int) -> Table:
    """The verdicts of one signal; in a narrow terminal without the statistic. A source's name is an address, and long."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("segment", no_wrap=rows[0].signal != DATA_HEALTH, overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("since", overflow="fold")
    headings = ("before", "now", "statistic") if width >= WIDE else ("before", "now")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        state = f"{row.state}, {row.finding}" if row.finding else row.state
        cells = [row.since or "-", row.before or "-", row.now or "-", row.statistic or "-"]
        if row.missing or row.suspended:
            cells = [row.suspended or row.missing, "", "", ""]
        safe = [escape(printable(cell)) for cell in (row.segment, state, *cells[: 1 + len(headings)])]
        table.add_row(*safe, style=STYLES[row.state])
    return table
