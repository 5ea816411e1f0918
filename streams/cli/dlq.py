"""plumbline dlq: events that could not be used: look at them, put them back after a mend, let a stopped partition go on.

They are read from the settings' Kafka where one is named, else from the data directory; or from a replay's rejects file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from yarl import URL

from schemas.errors import BadInput, PlumblineError, StoreUnavailable
from schemas.settings import Settings
from streams.cli.data_options import data_options
from streams.cli.service_options import bearer_token, service_address
from streams.cli.tables import table_console
from streams.dead_letters import DeadLetterShelf, Letter, Reject, read_rejects, reject_of_letter
from streams.embedded_dead_letters import EmbeddedShelf
from streams.redrive import Plan, plan_redrive
from streams.settings_file import load_settings
from streams.stores.stops import SqliteStops, Stop, Stops
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
    """List them, oldest first, and count them by reason. Says which partitions stand still."""
    rejects = [
        reject
        for reject in _rejects(file, settings_path, data_dir, with_bodies=as_json)
        if reason is None or reject.reason == reason
    ]
    if as_json:
        for reject in rejects[:limit]:
            click.echo(msgspec.json.encode(reject))
        return
    console = table_console()
    if rejects:
        console.print(_table(rejects[:limit]))
        counts = Counter(reject.reason for reject in rejects)
        console.print(f"{len(rejects):,} in all{_by_reason(counts)}", highlight=False)
    else:
        console.print("no dead letters" + (" with that reason" if reason else ""))
    if file is None:
        try:
            for stop in _stops(_settings(settings_path, data_dir)).stopped():
                console.print(escape(_said(stop)), highlight=False)
        except StoreUnavailable as error:
            console.print(escape(f"whether a partition stands still is not known: {error}"), highlight=False)


@command.command(name="show")
@data_options
@_file_option
@click.argument("place")
def show(
    file: Path | None, settings_path: Path | None, data_dir: Path | None, as_json: bool, place: str
) -> None:
    """Show the one at PLACE, as plumbline dlq list names it, with the event as it came."""
    for reject in _rejects(file, settings_path, data_dir, with_bodies=True):
        if _place(reject) == place:
            if as_json:
                click.echo(msgspec.json.encode(reject))
                return
            partition = "" if reject.partition is None else f", partition {reject.partition}"
            click.echo(f"offset  {reject.offset} of {printable(reject.topic)}{partition}")
            click.echo(f"reason  {printable(reject.reason)}")
            click.echo(f"detail  {printable(reject.detail)}")
            if reject.redriven_at is not None:
                click.echo(f"put back at {reject.redriven_at:%Y-%m-%d %H:%M:%S} UTC")
            click.echo(printable(reject.event or f"(base64) {reject.event_base64}"))
            return
    raise PlumblineError(f"no dead letter lies at {place}", remedy="plumbline dlq list shows those there are")


@command.command(name="redrive")
@data_options
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@click.option("--reason", help="All with this reason code.")
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--again", is_flag=True, help="Also those that were put back before.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--url",
    callback=lambda ctx, param, value: None if value is None else service_address(ctx, param, value),
    help="Where an embedded service runs; the settings' address unless given.",
)
@click.option("--token", callback=bearer_token, metavar="env:NAME", help="Its bearer token.")
def redrive(
    settings_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
    places: tuple[str, ...],
    reason: str | None,
    everything: bool,
    again: bool,
    yes: bool,
    url: URL | None,
    token: str | None,
) -> None:
    """Put events back to where they came from, after the program or the settings were mended.

    Name them by PLACE, by --reason, or --all. Those that this version still can't read stay. Each keeps its source and
    id, so that it counts once, however often it is put back. An observation is Plumbline's own, and can't be put back.
    """
    if (len(places) > 0) + (reason is not None) + everything != 1:
        raise click.UsageError("name them by PLACE, by --reason CODE, or with --all")
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: give --yes too")
    settings = _settings(settings_path, data_dir)
    shelf = _shelf(settings, url=url, token=token)
    letters = [
        letter
        for letter in shelf.letters()
        if everything or letter.place in places or letter.letter.reason == reason
    ]
    _check_named(places, letters)
    plan = plan_redrive(letters, settings.limits, time.time(), again=again)
    if plan.observations and (places or len(plan.observations) == len(letters)):
        raise BadInput(
            f"{len(plan.observations):,} of what was named can't be put back: Plumbline's own observations, no events"
            f" ({plan.observations[0]})",
            remedy="report this, with what plumbline dlq list says is wrong; nothing was put back",
        )
    if not as_json:
        _tell(plan)
    done = 0
    if plan.ready and (yes or click.confirm(f"Put {len(plan.ready):,} events back?")):
        done = _put_back(shelf, plan, quiet=as_json)
    if as_json:
        click.echo(
            msgspec.json.encode(
                {
                    "put_back": done,
                    "still_refused": plan.refused,
                    "observations": len(plan.observations),
                    "put_back_before": plan.before,
                }
            )
        )
    elif done:
        click.echo(f"{done:,} events put back")


@command.command(name="resume")
@data_options
@click.argument("partitions", nargs=-1, type=click.IntRange(min=0), metavar="[PARTITION]...")
def resume(
    settings_path: Path | None, data_dir: Path | None, as_json: bool, partitions: tuple[int, ...]
) -> None:
    """Let partitions go on that stand still because of too many dead letters; all of them, unless some are named.

    The events that stopped them then become dead letters. After a mended version no resume is needed: a start judges
    anew.
    """
    stops = _stops(_settings(settings_path, data_dir))
    found = [stop for stop in stops.stopped() if not partitions or stop.partition in partitions]
    resumed = [stop for stop in found if stops.remove(stop.partition)]
    if as_json:
        click.echo(msgspec.json.encode({"resumed": [stop.partition for stop in resumed]}))
        return
    for stop in resumed:
        click.echo(f"{_said(stop)}; it goes on within seconds")
    if not resumed:
        click.echo("no partition stands still" + (" of those named" if partitions else ""))


def _settings(settings_path: Path | None, data_dir: Path | None) -> Settings:
    """A data directory that is named is an embedded service's, whatever else the settings say."""
    if data_dir is None:
        return load_settings(settings_path, needs={"kafka", "redis"})
    settings = load_settings(settings_path, {"data_dir": data_dir}, needs=())
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": None})})


def _shelf(settings: Settings, *, url: URL | None = None, token: str | None = None) -> DeadLetterShelf:
    if settings.kafka.bootstrap is None:
        return EmbeddedShelf(settings.data_dir, url or URL(f"http://{settings.listen}"), token)
    # Here, since the distributed mode's libraries may not be installed.
    from streams.kafka.dead_letter_topic import TopicShelf

    return TopicShelf(settings)


def _stops(settings: Settings) -> Stops:
    if settings.kafka.bootstrap is None:
        return SqliteStops(settings.data_dir / "plumbline.db")
    from streams.stores.redis_connection import connect
    from streams.stores.redis_stops import RedisStops

    redis = settings.redis
    return RedisStops(
        connect(redis), redis.key_prefix, settings.kafka.partitions, "the address in the settings"
    )


def _rejects(
    file: Path | None, settings_path: Path | None, data_dir: Path | None, *, with_bodies: bool
) -> Iterable[Reject]:
    if file is not None:
        return read_rejects(file)
    shelf = _shelf(_settings(settings_path, data_dir))
    return [reject_of_letter(letter) for letter in shelf.letters(with_bodies=with_bodies)]


def _table(rejects: Iterable[Reject]) -> Table:
    table = Table(box=None, header_style="dim")
    for title in ("place", "reason", "put back", "what is wrong"):
        table.add_column(title, no_wrap=title != "what is wrong", overflow="fold")
    for reject in rejects:
        table.add_row(
            _place(reject),
            reject.reason,
            "" if reject.redriven_at is None else f"{reject.redriven_at:%Y-%m-%d %H:%M}",
            escape(printable(reject.detail)),
        )
    return table


def _place(reject: Reject) -> str:
    return reject.place or str(reject.offset)


def _check_named(places: Iterable[str], letters: Iterable[Letter]) -> None:
    missing = set(places) - {letter.place for letter in letters}
    if missing:
        raise PlumblineError(
            f"no dead letter lies at {', '.join(sorted(missing))}",
            remedy="plumbline dlq list shows those there are; nothing was put back",
        )


def _tell(plan: Plan) -> None:
    topics = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(plan.topics().items()))
    click.echo(f"{len(plan.ready):,} events can be put back" + (f": {topics}" if topics else ""))
    if plan.refused:
        click.echo(f"{plan.refused.total():,} still can't be read and stay{_by_reason(plan.refused)}")
        click.echo("  mend their text (plumbline dlq show PLACE --json) and send it with plumbline post")
    if plan.observations:
        click.echo(f"{len(plan.observations):,} are Plumbline's own observations, no events, and stay")
        click.echo("  report this, with what plumbline dlq list says is wrong")
    if plan.before:
        click.echo(f"{plan.before:,} were put back before and stay; --again puts them back once more")


def _put_back(shelf: DeadLetterShelf, plan: Plan, *, quiet: bool) -> int:
    console = Console(stderr=True)
    columns = (TextColumn("  putting back"), BarColumn(), TaskProgressColumn())
    done = 0
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("redrive", total=len(plan.ready))
        for count in shelf.put_back(plan.ready):
            done += count
            progress.update(task, completed=done)
    return done


def _by_reason(counts: Counter[str]) -> str:
    return "".join(
        f"{': ' if number == 0 else ', '}{count:,} {printable(name)}"
        for number, (name, count) in enumerate(counts.most_common())
    )


def _said(stop: Stop) -> str:
    return (
        f"partition {stop.partition} stands still since {datetime.fromtimestamp(stop.at, UTC):%Y-%m-%d %H:%M:%S} UTC:"
        f" {stop.dead:,} of {stop.events:,} events would be dead letters ({', '.join(stop.reasons)})"
    )
