"""plumbline run: the embedded service."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import uvloop

from schemas.icp import ICP
from schemas.settings import Settings
from streams.cli.run_options import logs_option, settings_and_icp
from streams.embedded import EmbeddedPipeline, EmbeddedService
from streams.icp_files import load_icps
from streams.logs import configure_logs
from streams.pipeline import spare_the_collector
from streams.settings_file import load_settings
from streams.settings_names import refuse_unknown_names


@click.command(name="run")
@settings_and_icp
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where log and state are kept.")
@click.option("--listen", help="Address and port, 127.0.0.1:8460 unless the settings say otherwise.")
@click.option("--drain", is_flag=True, help="Process what the log holds, then end. No HTTP, no webhooks.")
@logs_option
def command(
    settings_path: Path | None,
    icp_paths: tuple[Path, ...],
    data_dir: Path | None,
    listen: str | None,
    drain: bool,
    json_logs: bool | None,
) -> None:
    """Run the embedded service: HTTP in, scores, drift, webhooks, one process.

    Ends with 0 after SIGINT or SIGTERM, with 2 when settings or ICP files are not right, with 3 when another process owns the
    data directory.
    """
    configure_logs(as_json=not sys.stderr.isatty() if json_logs is None else json_logs)
    options = {
        name: str(value) for name, value in (("data_dir", data_dir), ("listen", listen)) if value is not None
    }
    settings = load_settings(settings_path, options)
    icps = load_icps(icp_paths or settings.icp)
    refuse_unknown_names(settings, icps)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    spare_the_collector()
    if drain:
        _drain(settings, icps)
    else:
        serve(settings, icps)


def serve(settings: Settings, icps: list[ICP]) -> None:
    """Runs the service until SIGINT or SIGTERM."""

    async def main() -> None:
        service = EmbeddedService(settings, icps)
        await serve_until_signal(
            service,
            lambda: click.echo(f"plumbline listens on {service.url}  (open it in a browser; Ctrl-C ends)"),
        )

    uvloop.run(main())


async def serve_until_signal(service: EmbeddedService, started: Callable[[], object]) -> None:
    """Runs ``service`` until it is stopped, by SIGINT or SIGTERM too; calls ``started`` when it takes requests."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    await service.run(started)


def _drain(settings: Settings, icps: list[ICP]) -> None:
    engine = EmbeddedPipeline(settings, icps)
    try:
        engine.pipeline.begin()
        while engine.turn() is not None:
            pass
        ledger = engine.pipeline.ledger
    finally:
        engine.close()
    click.echo(
        f"received {ledger.received:,} = applied {ledger.applied:,} + duplicate {ledger.duplicate:,}"
        f" + late {ledger.late:,} + dead-lettered {ledger.dead_lettered:,}"
    )
