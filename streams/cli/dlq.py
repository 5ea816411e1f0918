"""plumbline dlq: events that could not be used, from a data directory or from a replay's rejects file."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import PlumblineError
from streams.cli.data_options import data_options
from streams.dead_letters import Reject, read_rejects, reject_of
from streams.settings_file import load_settings
from streams.stores.sqlite import open_database, read_dead_letters
from streams.terminal_text import printable

_file_option = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="A replay's rejects file, instead of a service's data.",
)


@click.group(name="dlq")
def command() -> None:
    """Events that could not be used: what was wrong, where, and the event as it came."""


@command.command(name="list")
@data_options
@_file_option
@click.option("--reason", help="Only those with this reason code.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
def list_(
    file: Path | None,
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    reason: str | None,
    limit: int,
) -> None:
    """List them, oldest first, and count them by reason."""
    rejects = [r for r in _rejects(file, settings_path, data_dir) if reason is None or r.reason == reason]
    if as_json:
        for reject in rejects[:limit]:
            click.echo(msgspec.json.encode(reject))
        return
    console = Console()
    table = Table(box=None, header_style="dim")
    table.add_column("offset", justify="right")
    table.add_column("reason", no_wrap=True)
    table.add_column("what is wrong")
    for reject in rejects[:limit]:
        table.add_row(str(reject.offset), reject.reason, escape(printable(reject.detail)))
    console.print(table)
    counts: dict[str, int] = {}
    for reject in rejects:
        counts[reject.reason] = counts.get(reject.reason, 0) + 1
    summary = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda c: -c[1]))
    console.print(f"{len(rejects):,} in all" + (f": {summary}" if summary else ""), highlight=False)


@command.command(name="show")
@data_options
@_file_option
@click.argument("offset", type=int)
def show(
    file: Path | None, settings_path: Path | None, data_dir: Path | None, as_json: bool, offset: int
) -> None:
    """Show the one at OFFSET, with the event as it came."""
    for reject in _rejects(file, settings_path, data_dir):
        if reject.offset == offset:
            if as_json:
                click.echo(msgspec.json.encode(reject))
            else:
                click.echo(f"offset  {reject.offset} of {reject.topic}")
                click.echo(f"reason  {reject.reason}")
                click.echo(f"detail  {printable(reject.detail)}")
                click.echo(printable(reject.event or f"(base64) {reject.event_base64}"))
            return
    raise PlumblineError(
        f"no dead letter has the offset {offset}", remedy="plumbline dlq list shows those there are"
    )


def _rejects(file: Path | None, settings_path: Path | None, data_dir: Path | None) -> Iterable[Reject]:
    if file is not None:
        return read_rejects(file)
    directory = data_dir or load_settings(settings_path).data_dir
    path = directory / "plumbline.db"
    if not path.exists():
        raise PlumblineError(
            f"there is no data in {directory}",
            remedy="name the service's directory with --data-dir, or a rejects file with --file",
        )
    with closing(open_database(path, read_only=True)) as database:
        return [reject_of(letter) for letter in read_dead_letters(database)]
