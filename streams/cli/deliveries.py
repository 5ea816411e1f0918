"""plumbline deliveries: what was sent where, what failed and why, and sending it again.

Works on the service's file, whether the service runs or not; a running one notices within a second. Neither secrets nor
URLs beyond scheme, host and port are shown: paths and queries can carry secrets.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.alert_text import ID_DIGITS, alert_text
from streams.cli.data_options import data_options
from streams.cli.tables import table_console
from streams.delivery import operations
from streams.delivery.egress import EgressRefused, read_destination
from streams.delivery.operations import Delivery, EndpointState
from streams.delivery.schema import STATES, connect
from streams.settings_file import load_settings
from streams.terminal_text import printable

DAY_DIGITS = len("2026-11-23")


def _settings(settings_path: Path | None) -> Settings:
    """The service sends, not these commands: they need no secret."""
    return load_settings(settings_path, needs=())


@contextmanager
def _opened(settings_path: Path | None, data_dir: Path | None) -> Iterator[sqlite3.Connection]:
    directory = data_dir or _settings(settings_path).data_dir
    with closing(connect(directory / "plumbline.db", create=False)) as db:
        yield db


@click.group(name="deliveries")
def command() -> None:
    """Webhook deliveries: list, show, retry; hold an endpoint and let it go on."""


@command.command(name="list")
@data_options
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Several: any of them.")
@click.option("--endpoint", help="Only to this endpoint.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1))
def list_(
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    states: tuple[str, ...],
    endpoint: str | None,
    limit: int,
) -> None:
    """List deliveries, the newest first."""
    with _opened(settings_path, data_dir) as db:
        found = operations.list_deliveries(db, states=states, endpoint=endpoint, limit=limit)
    if as_json:
        for delivery in found:
            click.echo(msgspec.json.encode(_shown(delivery)))
        return
    if not found:
        click.echo("no deliveries" + (" like that" if states or endpoint else " yet"))
        return
    table_console().print(_table(found))


@command.command(name="show")
@data_options
@click.argument("alert_id", metavar="ID")
def show(settings_path: Path | None, data_dir: Path | None, as_json: bool, alert_id: str) -> None:
    """Show the alert whose id begins with ID, and where it went."""
    with _opened(settings_path, data_dir) as db:
        alert, found = operations.show_alert(db, operations.find_alert(db, alert_id))
    if as_json:
        click.echo(msgspec.json.encode({"alert": alert, "deliveries": [_shown(each) for each in found]}))
        return
    console = Console()
    if alert is None:
        click.echo("(another version of Plumbline wrote this alert; this one can't read it)")
    else:
        click.echo(alert_text(alert, console.width))
        click.echo(f"\nid         {printable(alert.id)}")
    if found:
        click.echo()
        table_console().print(_table(found))
    else:
        click.echo("No subscription took it, or it has not been looked at yet.")


@command.command(name="retry")
@data_options
@click.argument("alert_id", metavar="[ID]", required=False)
@click.option("--endpoint", help="Only at this endpoint.")
@click.option("--dead", is_flag=True, help="All dead deliveries of --endpoint.")
def retry(
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    alert_id: str | None,
    endpoint: str | None,
    dead: bool,
) -> None:
    """Send again what is dead, retrying or skipped: of one alert, or with --endpoint X --dead of one endpoint.

    What was delivered is not sent again. A retry starts with a full set of tries.
    """
    if dead == (alert_id is not None) or (dead and endpoint is None):
        raise click.UsageError("give the ID of an alert, or --endpoint X --dead")
    with _opened(settings_path, data_dir) as db:
        now = time.time()
        if alert_id is not None:
            count = operations.retry_alert(db, operations.find_alert(db, alert_id), now, endpoint=endpoint)
        else:
            count = operations.retry_dead(db, str(endpoint), now)
        held = [each.name for each in operations.endpoints(db) if each.disabled_at is not None]
    if as_json:
        click.echo(msgspec.json.encode({"retried": count}))
    else:
        click.echo(f"{count:,} deliver{'y' if count == 1 else 'ies'} due now")
        if count and held and endpoint in (None, *held):
            click.echo(f"held until enabled: {', '.join(held)}")
    if count == 0 and alert_id is not None:
        raise PlumblineError(
            "nothing of this alert is dead, retrying or skipped",
            remedy="plumbline deliveries show says where it went",
        )


@command.command(name="enable")
@data_options
@click.argument("endpoint")
def enable(settings_path: Path | None, data_dir: Path | None, as_json: bool, endpoint: str) -> None:
    """Let ENDPOINT go on after it was disabled (by 410 Gone, or by hand) or asked for a pause."""
    with _opened(settings_path, data_dir) as db:
        changed = operations.enable(db, endpoint)
    if as_json:
        click.echo(msgspec.json.encode({"changed": changed}))
    else:
        click.echo(f"{endpoint} is enabled" if changed else f"{endpoint} was enabled already")


@command.command(name="disable")
@data_options
@click.argument("endpoint")
@click.option("--because", default="by hand", show_default=True, help="Shown wherever it is said.")
def disable(
    settings_path: Path | None, data_dir: Path | None, as_json: bool, endpoint: str, because: str
) -> None:
    """Hold ENDPOINT's deliveries until it is enabled. What is being sent right now still goes out."""
    with _opened(settings_path, data_dir) as db:
        changed = operations.disable(db, endpoint, time.time(), because)
    if as_json:
        click.echo(msgspec.json.encode({"changed": changed}))
    else:
        click.echo(f"{endpoint} is disabled" if changed else f"{endpoint} was disabled already")


@command.command(name="endpoints")
@data_options
def endpoints(settings_path: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """List the endpoints, their state and what waits for them."""
    settings = _settings(settings_path) if settings_path is not None or data_dir is None else None
    with _opened(settings_path, data_dir) as db:
        found = operations.endpoints(db)
    origins = _origins(settings) if settings is not None else {}
    now = time.time()
    if as_json:
        for each in found:
            click.echo(
                msgspec.json.encode(
                    {
                        "name": each.name,
                        "state": _endpoint_state(each, now).split()[0],
                        "origin": origins.get(each.name),
                        "disabled_at": _rfc3339(each.disabled_at),
                        "disabled_because": each.disabled_because,
                        "paused_until": _rfc3339(each.paused_until),
                        "counts": each.counts,
                    }
                )
            )
        return
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    for heading in ("endpoint", "to", "state"):
        table.add_column(heading, overflow="fold")
    for state in STATES:
        table.add_column(state, justify="right", min_width=len(state))
    for each in found:
        table.add_row(
            escape(printable(each.name)),
            origins.get(each.name, "" if settings is None else "(not in the settings)"),
            escape(printable(_endpoint_state(each, now))),
            *(f"{each.counts[state]:,}" for state in STATES),
        )
    table_console().print(table)


def _origins(settings: Settings) -> dict[str, str]:
    found = {}
    for endpoint in settings.endpoints:
        try:
            found[endpoint.name] = read_destination(endpoint.url).origin
        except EgressRefused as refused:
            found[endpoint.name] = f"(refused: {refused.refusal})"
    return found


def _endpoint_state(each: EndpointState, now: float) -> str:
    if each.disabled_at is not None:
        return f"disabled {_when(each.disabled_at)}: {each.disabled_because}"
    if each.paused_until is not None and each.paused_until > now:
        return f"paused until {_when(each.paused_until)}, as it asked"
    return "enabled"


def _table(found: list[Delivery]) -> Table:
    awaited = any(each.next_try is not None for each in found)
    table = Table(box=None, pad_edge=False, collapse_padding=awaited, header_style="dim")
    for heading in ("alert", "kind", "endpoint", "state"):
        table.add_column(heading, no_wrap=heading in ("alert", "state"), overflow="fold")
    table.add_column("tries", justify="right")
    for heading in ("last result", "changed", *(["next try"] if awaited else [])):
        table.add_column(heading, min_width=DAY_DIGITS, overflow="fold")
    for each in found:
        next_try = "" if each.next_try is None else _when(each.next_try)
        table.add_row(
            escape(printable(each.alert_id[:ID_DIGITS])),
            escape(printable(each.kind)),
            escape(printable(each.endpoint)),
            each.state,
            str(each.tries),
            escape(printable(_result(each))),
            _when(each.updated),
            *([next_try] if awaited else []),
        )
    return table


def _result(each: Delivery) -> str:
    more = [str(part) for part in (each.status, each.detail) if part]
    return (each.result or "") + (f" ({', '.join(more)})" if more else "")


def _shown(each: Delivery) -> dict[str, Any]:
    return {
        name: _rfc3339(value) if name in ("alert_at", "next_try", "created", "updated") else value
        for name, value in msgspec.structs.asdict(each).items()
    }


def _rfc3339(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(round(seconds, 3), UTC)


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
