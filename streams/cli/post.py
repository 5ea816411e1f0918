"""plumbline post: send a history to a running service."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import aiohttp
import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from yarl import URL

from schemas.duration import parse_duration
from schemas.errors import BadInput
from streams.cli.service_options import bearer_token, service_address
from streams.dead_letters import reject_of
from streams.gateway.auth import is_loopback
from streams.posting import PostFailed, Rejected, Sender, read_batches, rejects_path
from streams.stores.contract import DeadLetter

SHOWN = 20
_TIMEOUT = aiohttp.ClientTimeout(total=120)


class Summary(Struct):
    """What became of the file. ``seconds`` of wall time."""

    file: str
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, int] = {}
    rejects_file: str | None = None
    seconds: float = 0.0
    error: str | None = None


def _patience(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--url", default="http://127.0.0.1:8460", show_default=True, callback=service_address, help="The service."
)
@click.option(
    "--token", callback=bearer_token, metavar="env:NAME", help="Variable that holds the bearer token."
)
@click.option(
    "--batch", default=500, show_default=True, type=click.IntRange(1, 10_000), help="Events in a request."
)
@click.option(
    "--patience",
    default="10m",
    show_default=True,
    callback=_patience,
    help="How long to wait for a service that falls behind or goes away. One that never answered is not waited for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(file: Path, url: URL, token: str | None, batch: int, patience: float, as_json: bool) -> None:
    """Send the events in FILE (JSON lines) to a running service.

    Lines that the service refuses are listed, and written to FILE.rejects.jsonl with reason and remedy (plumbline dlq
    list --file shows them). Sending a file again is harmless: repeats of a source and id are dropped.

    Ends with 0 when all lines were accepted, 2 when some were rejected, 1 when the service could not be reached or
    refused.
    """
    console = Console(stderr=True)
    if token and url.scheme == "http" and not is_loopback(url.host or ""):
        console.print("[yellow]the token travels unencrypted: use https beyond this machine[/]")
    summary = Summary(file=str(file))
    failure: PostFailed | None = None
    began = monotonic()
    try:
        with file.open("rb") as source, closing(_Rejects(file, summary, console, as_json)) as rejects:
            sending = _Sending(url, token, batch, patience, rejects, summary)
            asyncio.run(sending.send(source, file.stat().st_size, console, quiet=as_json))
    except PostFailed as error:
        failure = error
        summary.error = _printable(error.what)
    except OSError as error:
        raise BadInput(
            f"{error.filename or file}: {error.strerror}",
            remedy="check the path and who may read and write there",
        ) from None
    summary.seconds = round(monotonic() - began, 3)
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
    else:
        _report(Console(soft_wrap=True), summary)
    if failure is not None:
        raise PostFailed(_printable(failure.what), remedy=failure.remedy)
    if summary.rejected:
        raise click.exceptions.Exit(2)


@dataclass(frozen=True)
class _Sending:
    """Where to send, how, and where the outcome goes."""

    url: URL
    token: str | None
    batch: int
    patience_s: float
    rejects: _Rejects
    summary: Summary

    async def send(self, source: BinaryIO, size: int, console: Console, *, quiet: bool) -> None:
        columns = (
            TextColumn("  posting"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[accepted]:,} accepted"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[waiting]}"),
        )
        progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        task = progress.add_task("post", total=size, accepted=0, waiting="")

        def waiting(seconds: float, why: str) -> None:
            progress.update(task, waiting=f"waiting {seconds:.0f} s: {why}")

        with progress:
            async with aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as http:
                sender = Sender(http, self.url, self.token, patience_s=self.patience_s, waiting=waiting)
                for lines, unsendable in read_batches(source, self.batch):
                    refused = await sender.send(lines) if lines else []
                    self.summary.accepted += len(lines) - len(refused)
                    self.rejects.write([*unsendable, *refused])
                    progress.update(task, completed=source.tell(), accepted=self.summary.accepted, waiting="")


class _Rejects:
    """The rejects file, begun with the first line that was refused; one of an earlier run goes."""

    def __init__(self, source: Path, summary: Summary, console: Console, quiet: bool) -> None:
        self._source = source
        self._path = rejects_path(source)
        self._path.unlink(missing_ok=True)
        self._file: BinaryIO | None = None
        self._summary = summary
        self._console = console
        self._quiet = quiet

    def write(self, rejected: list[Rejected]) -> None:
        if not rejected:
            return
        if self._file is None:
            self._file = self._path.open("wb")
            self._summary.rejects_file = str(self._path)
        for one in sorted(rejected, key=lambda one: one.line):
            problem = one.problem
            letter = DeadLetter(
                topic=self._source.name,
                offset=one.line - 1,
                reason=problem.code,
                detail=f"line {one.line}, {problem}",
                body=one.body,
            )
            self._file.write(msgspec.json.encode(reject_of(letter)) + b"\n")
            self._summary.rejected += 1
            self._summary.reasons[problem.code] = self._summary.reasons.get(problem.code, 0) + 1
            if not self._quiet and self._summary.rejected <= SHOWN:
                place = f"{self._source}:{one.line}"
                self._console.print(
                    escape(f"{place}: {_printable(str(problem))}"), highlight=False, soft_wrap=True
                )
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _report(console: Console, summary: Summary) -> None:
    speed = summary.accepted / max(summary.seconds, 1e-9)
    console.print(
        f"  {summary.accepted:,} events accepted in {summary.seconds:.1f} s ({speed:,.0f} a second)",
        highlight=False,
    )
    if summary.rejected:
        reasons = ", ".join(
            f"{count:,} {_printable(reason)}" for reason, count in sorted(summary.reasons.items())
        )
        console.print(escape(f"  {summary.rejected:,} rejected: {reasons}"), highlight=False)
        console.print(
            escape(f"  see them with plumbline dlq list --file {summary.rejects_file}"), highlight=False
        )


def _printable(text: str) -> str:
    """What another program wrote must not steer the terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)
