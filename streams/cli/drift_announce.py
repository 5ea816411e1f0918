"""plumbline drift announce: a change that people know of, said to a drift signal before it is seen, or after (docs/drift.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from yarl import URL

from detectors.announcements import explains
from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import Announcement
from schemas.events import DriftAnnounced, DriftAnnouncedData
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
from streams.web.drift_rows import whole_days
from streams.web.wording import day, segment_words


@click.command(name="announce")
@click.argument("signal")
@click.option(
    "--on",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day (UTC) from which on it is to be expected; within a year.",
)
@click.option("--segment", help="As the list names it; all of the signal's unless given.")
@reason_option
@click.option("--by", help="Who announces; your login name unless given.")
@service_options
@data_options
def announce(
    signal: str,
    on: datetime,
    segment: str | None,
    reason: str,
    by: str | None,
    url: URL | None,
    token: str | None,
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Say that a change which SIGNAL may see is of your own making: new prices, a new plan.

    A drift that begins about that day goes out as a notice, not as a page, and is shown as acknowledged, with who and why.
    One that was told already is acknowledged. What began well before or after is told as ever.

    It is an event in the log, so a replay makes it again. Ends with 0 when the event is durable, 1 when the service can't
    be reached or refuses it, 2 when the announcement can't be.
    """
    on = on.replace(tzinfo=UTC)
    options = {"data_dir": data_dir} if data_dir is not None else None
    settings = load_settings(settings_path, options, needs={"redis"})
    reading = read_drift(settings, data_dir)
    if signal == DATA_HEALTH:
        raise NothingToDecide(
            "data.health takes no announcements",
            remedy="a source that is meant to end: plumbline drift acknowledge data.health with --segment and --retake-baseline",
        )
    of_all = find_verdict(reading.verdicts, signal, "all")
    verdict = of_all if segment is None else find_verdict(reading.verdicts, signal, segment)
    news = Announcement(
        at=decided_at(time.time(), reading.ledger.watermark),
        on=on.timestamp(),
        by=by or login(),
        reason=reason,
        segment=None if segment is None else verdict.segment,
    )
    data = DriftAnnouncedData(segment=news.segment, by=news.by, reason=reason, on=on.date())
    line = event_line(DriftAnnounced, signal, news.at, data)
    put(settings, data_dir, line, url, token)
    if as_json:
        click.echo(line)
        return
    where = "all segments" if news.segment is None else printable(segment_words(signal, verdict.segment))
    click.echo(
        f"{signal}, {where}: announced from {day(on)} on; a drift that begins about then is told as a notice and pages nobody"
    )
    about = [
        each for each in reading.verdicts if each.signal == signal and news.segment in (None, each.segment)
    ]
    for text in _of_drifts(news, [each for each in about if each.state == "drifting"]):
        click.echo(text)


def _of_drifts(news: Announcement, drifts: Sequence[VerdictView]) -> Iterator[str]:
    """What the announcement means for those that are on."""
    dated = [(each, each.since, each.since_margin_days or 0.0) for each in drifts if each.since is not None]
    fitting = [explains(news, since.timestamp(), margin, news.at) for _, since, margin in dated]
    stays = "stays; plumbline drift acknowledge says that it is known"
    if news.segment is None and any(fitting):
        stays = "stays, unless it moves as one that did; plumbline drift list shows it as soon as the event is processed"
    for (verdict, since, margin), fits in zip(dated, fitting, strict=True):
        where = printable(segment_words(verdict.signal, verdict.segment))
        then = "fits it and is acknowledged" if fits else f"did not begin then and {stays}"
        yield f"the drift of {where} since {day(since)} (\N{PLUS-MINUS SIGN}{whole_days(margin)} d) {then}"
