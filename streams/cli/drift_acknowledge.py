"""plumbline drift acknowledge: a person's decision about a drift, or about an ill source, put into the log as an event
(docs/drift.md)."""

from __future__ import annotations

import time
from pathlib import Path

import click
from yarl import URL

from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ALL
from schemas.events import DriftAcknowledged, DriftAcknowledgedData
from streams.cli.data_options import data_options
from streams.cli.drift_reading import find_verdict, read_drift
from streams.cli.drift_saying import (
    NothingToDecide,
    decided_at,
    event_line,
    login,
    put,
    reason_option,
    service_options,
)
from streams.serving.views import VerdictView
from streams.settings_file import load_settings
from streams.terminal_text import printable


@click.command(name="acknowledge")
@click.argument("signal")
@click.option("--segment", default="all", show_default=True, help="As the list names it.")
@reason_option
@click.option("--by", help="Who decides; your login name unless given.")
@click.option(
    "--retake-baseline",
    is_flag=True,
    help="What is now is normal: close the drift and learn anew. A source (data.health): it was meant to end.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a baseline is given up.")
@service_options
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
    line = event_line(
        DriftAcknowledged,
        verdict.signal,
        decided_at(time.time(), reading.ledger.watermark),
        DriftAcknowledgedData(
            segment=verdict.segment, by=by or login(), reason=reason, retake_baseline=retake_baseline
        ),
    )
    of_source = signal == DATA_HEALTH
    if retake_baseline and not yes:
        given_up = (
            f"What was learned of {printable(verdict.segment)} is forgotten; until it is learned anew, no illness"
            if of_source
            else f"The baseline of {signal} in {printable(verdict.segment)} is given up; until a new one is learned, no drift"
        )
        click.confirm(f"{given_up} is found there. Go on?", abort=True)
    put(settings, data_dir, line, url, token)
    if as_json:
        click.echo(line)
        return
    click.echo(
        f"{signal}, {printable(verdict.segment)}: {_DONE[of_source, retake_baseline]}; plumbline drift explain shows it as soon as the event is"
        " processed"
    )


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
