"""plumbline drift acknowledge: a person's decision about a drift, or about an ill source, put into the log as an event
(docs/drift.md)."""

from __future__ import annotations

import getpass
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click
from yarl import URL

from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ALL
from schemas.errors import EventRefused, PlumblineError
from schemas.event_reader import decode_event
from schemas.event_subjects import SIGNAL_PREFIX
from schemas.events import DriftAcknowledged, DriftAcknowledgedData, encode_event
from schemas.settings import Settings
from streams.cli.data_options import data_options
from streams.cli.drift_reading import find_verdict, read_drift
from streams.cli.service_options import bearer_token, service_address
from streams.log_or_service import post_events, put_events
from streams.serving.views import VerdictView
from streams.settings_file import load_settings
from streams.terminal_text import printable

SOURCE = "plumbline.drift"
"""The CloudEvents source of what this command sends."""
LIVE_S = 86400.0


class NothingToDecide(PlumblineError):
    """What was asked for means nothing as the segment stands."""

    exit_code = 2


def _reason(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it says nothing; who asks in a year wants to know why")
    return value


@click.command(name="acknowledge")
@click.argument("signal")
@click.option("--segment", default="all", show_default=True, help="As the list names it.")
@click.option("--reason", required=True, callback=_reason, help="Why; kept and shown beside the verdict.")
@click.option("--by", help="Who decides; your login name unless given.")
@click.option(
    "--retake-baseline",
    is_flag=True,
    help="What is now is normal: close the drift and learn anew. A source (data.health): it was meant to end.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a baseline is given up.")
@click.option(
    "--url",
    callback=lambda ctx, param, value: None if value is None else service_address(ctx, param, value),
    help="Where the service runs; the settings' address unless given.",
)
@click.option("--token", callback=bearer_token, metavar="env:NAME", help="Its token with acknowledge: true.")
@data_options
def acknowledge(
    signal: str,
    segment: str,
    reason: str,
    by: str | None,
    retake_baseline: bool,
    yes: bool,
    url: URL | None,
    token: str | None,
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Say that the drift of SIGNAL in a segment is known, with who and why; or take the baseline anew.

    Of data.health a segment is a source, "TYPE SOURCE". With --retake-baseline what was learned of it is forgotten, its
    illness is over, and the signals that it suspended go on.

    It is an event in the log, so a replay makes it again. An acknowledged drift is shown as such until it ends; the alert
    at its end comes. Ends with 0 when the event is durable, 1 when the service can't be reached or refuses it, 2 when
    there is nothing to decide.
    """
    if as_json and retake_baseline and not yes:
        raise click.UsageError("--json asks nothing: give --yes too")
    options = {"data_dir": data_dir} if data_dir is not None else None
    settings = load_settings(settings_path, options, needs={"redis"})
    reading = read_drift(settings, data_dir)
    verdict = find_verdict(reading.verdicts, signal, segment)
    _refuse_what_means_nothing(verdict, retake_baseline)
    event = _event(
        verdict,
        DriftAcknowledgedData(
            segment=verdict.segment, by=by or _login(), reason=reason, retake_baseline=retake_baseline
        ),
        decided_at(time.time(), reading.ledger.watermark),
    )
    line = encode_event(event)
    try:
        decode_event(line)
    except EventRefused as error:
        raise NothingToDecide(error.problem.what, remedy=error.problem.remedy) from None
    of_source = signal == DATA_HEALTH
    if retake_baseline and not yes:
        given_up = (
            f"What was learned of {printable(verdict.segment)} is forgotten; until it is learned anew, no illness"
            if of_source
            else f"The baseline of {signal} in {printable(verdict.segment)} is given up; until a new one is learned, no drift"
        )
        click.confirm(f"{given_up} is found there. Go on?", abort=True)
    _put(settings, data_dir, line, url, token)
    if as_json:
        click.echo(line)
        return
    click.echo(
        f"{signal}, {printable(verdict.segment)}: {_DONE[of_source, retake_baseline]}; plumbline drift explain shows it as soon as the event is"
        " processed"
    )


def decided_at(now: float, watermark: datetime | None) -> float:
    """The time of the event, Unix seconds: the present where the stream is live. Else the newest event's: a later one would
    move the stream's time on, and fire the timers of a history that is still being filled in."""
    if watermark is None:
        return now
    newest = watermark.timestamp()
    return now if abs(now - newest) <= LIVE_S else min(now, newest)


_DONE = {
    (False, False): "the drift is acknowledged",
    (False, True): "its baseline is taken anew",
    (True, False): "the illness is acknowledged, and what it suspends stays suspended",
    (True, True): "what was learned of it is forgotten, and is learned anew if it speaks",
}
"""(of a source, baseline retaken) -> what was done"""


def _refuse_what_means_nothing(verdict: VerdictView, retake_baseline: bool) -> None:
    if verdict.signal == DATA_HEALTH:
        if verdict.segment == ALL:
            raise NothingToDecide(
                "a decision about data.health is of one source",
                remedy='name it with --segment "TYPE SOURCE", as plumbline drift list shows it',
            )
        if not retake_baseline and verdict.state not in ("ill", "acknowledged"):
            raise NothingToDecide(
                f"this source is not ill: it is {verdict.state}",
                remedy="plumbline drift list shows what is ill; --retake-baseline says that a source was meant to end",
            )
    elif not retake_baseline and verdict.state not in ("drifting", "acknowledged"):
        raise NothingToDecide(
            f"nothing drifts in this segment: it is {verdict.state}",
            remedy="plumbline drift list shows what drifts; --retake-baseline makes a segment learn anew",
        )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        raise click.UsageError("who decides is not known here: give --by NAME") from None


def _event(verdict: VerdictView, data: DriftAcknowledgedData, at: float) -> DriftAcknowledged:
    return DriftAcknowledged(
        specversion="1.0",
        id=str(uuid.uuid4()),
        source=SOURCE,
        subject=f"{SIGNAL_PREFIX}{verdict.signal}",
        time=datetime.fromtimestamp(at, UTC),
        data=data,
    )


def _put(settings: Settings, data_dir: Path | None, line: bytes, url: URL | None, token: str | None) -> None:
    address = url or URL(f"http://{settings.listen}")
    if data_dir is not None or settings.kafka.bootstrap is None:
        refused = put_events(settings.data_dir, [line], address, token)
    else:
        refused = post_events([line], address, token)
    if refused:
        problem = refused[0].problem
        raise PlumblineError(f"the service refuses it: {problem.what}", remedy=problem.remedy)
