"""What the commands have in common by which a person says something to a drift signal: who says it, when, and how it gets into
the log (docs/drift.md)."""

from __future__ import annotations

import getpass
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from yarl import URL

from schemas.errors import EventRefused, PlumblineError
from schemas.event_reader import decode_event
from schemas.event_subjects import SIGNAL_PREFIX
from schemas.events import DriftAcknowledged, DriftAnnounced, encode_event
from schemas.settings import Settings
from streams.cli.service_options import bearer_token, service_address
from streams.log_or_service import post_events, put_events

SOURCE = "plumbline.drift"
"""The CloudEvents source of what is sent."""
LIVE_S = 86400.0


class NothingToDecide(PlumblineError):
    """What was asked for means nothing as the signal stands."""

    exit_code = 2


def _reason(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it says nothing; who asks in a year wants to know why")
    return value


reason_option = click.option(
    "--reason", required=True, callback=_reason, help="Why; kept and shown beside the verdict."
)


def service_options(command: Any) -> Any:
    """Where the service runs that takes the event, and the token for it."""
    for add in (
        click.option(
            "--token", callback=bearer_token, metavar="env:NAME", help="Its token with acknowledge: true."
        ),
        click.option(
            "--url",
            callback=lambda ctx, param, value: None if value is None else service_address(ctx, param, value),
            help="Where the service runs; the settings' address unless given.",
        ),
    ):
        command = add(command)
    return command


def login() -> str:
    """Who types. Raises UsageError where the machine doesn't know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        raise click.UsageError("who decides is not known here: give --by NAME") from None


def decided_at(now: float, watermark: datetime | None) -> float:
    """The present where the stream is live. Else the newest event's time: a later one would move the stream's time on, and fire
    the timers of a history that is still being filled in."""
    if watermark is None:
        return now
    newest = watermark.timestamp()
    return now if abs(now - newest) <= LIVE_S else min(now, newest)


def event_line(
    event_class: type[DriftAcknowledged] | type[DriftAnnounced], signal: str, at: float, data: Any
) -> bytes:
    """The event as it goes into the log. Raises NothingToDecide where it can't be."""
    event = event_class(
        specversion="1.0",
        id=str(uuid.uuid4()),
        source=SOURCE,
        subject=f"{SIGNAL_PREFIX}{signal}",
        time=datetime.fromtimestamp(at, UTC),
        data=data,
    )
    line = encode_event(event)
    try:
        decode_event(line)
    except EventRefused as error:
        raise NothingToDecide(error.problem.what, remedy=error.problem.remedy) from None
    return line


def put(settings: Settings, data_dir: Path | None, line: bytes, url: URL | None, token: str | None) -> None:
    """Raises PlumblineError where the service can't be reached or refuses it."""
    address = url or URL(f"http://{settings.listen}")
    if data_dir is not None or settings.kafka.bootstrap is None:
        refused = put_events(settings.data_dir, [line], address, token)
    else:
        refused = post_events([line], address, token)
    if refused:
        problem = refused[0].problem
        raise PlumblineError(f"the service refuses it: {problem.what}", remedy=problem.remedy)
