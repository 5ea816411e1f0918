"""plumbline worker: one of those that share all events, in distributed mode."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streams.cli.run_options import logs_option, settings_and_icp
from streams.cli.until_signal import configure_service_logs, run_until_signal
from streams.icp_files import load_icps
from streams.kafka.worker import Worker
from streams.pipeline import spare_the_collector
from streams.settings_file import load_settings
from streams.settings_names import refuse_unknown_names

SWITCH_S = 0.01
"""How long the thread that steps keeps the interpreter when others want it: twice Python's own, since each time it gets it back
its caches are cold. Heartbeats and requests can wait for as long."""


@click.command(name="worker")
@settings_and_icp
@click.option("--metrics", help="Serve /healthz, /readyz and /metrics at this address and port.")
@logs_option
def command(
    settings_path: Path | None, icp_paths: tuple[Path, ...], metrics: str | None, json_logs: bool | None
) -> None:
    """Take events from Kafka, keep scores and drift in Redis, and publish what comes of them.

    Any number may run, on one machine or many; they share the partitions. Ends with 0 after SIGINT or SIGTERM, with 4 when
    the topics or the state in the store are not what the settings say.
    """
    configure_service_logs(json_logs)
    settings = load_settings(settings_path)
    icps = load_icps(icp_paths or settings.icp)
    refuse_unknown_names(settings, icps)
    worker = Worker(settings, icps, metrics_at=metrics)
    spare_the_collector()
    sys.setswitchinterval(SWITCH_S)
    run_until_signal(
        lambda: worker.run(
            lambda: click.echo("plumbline worker" + (f", metrics at {worker.url}" if worker.url else ""))
        ),
        worker.stop,
    )
