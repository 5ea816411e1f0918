"""plumbline gateway: HTTP in distributed mode, in front of Kafka and Redis."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.run_options import logs_option, settings_and_icp
from streams.cli.until_signal import configure_service_logs, run_until_signal
from streams.icp_files import load_icps
from streams.kafka.gateway_service import GatewayService
from streams.settings_file import load_settings
from streams.settings_names import refuse_unknown_names


@click.command(name="gateway")
@settings_and_icp
@click.option("--listen", help="Address and port, 127.0.0.1:8460 unless the settings say otherwise.")
@logs_option
def command(
    settings_path: Path | None, icp_paths: tuple[Path, ...], listen: str | None, json_logs: bool | None
) -> None:
    """Take events over HTTP into Kafka; show pages, API and metrics from Redis.

    Any number may run. Ends with 0 after SIGINT or SIGTERM.
    """
    configure_service_logs(json_logs)
    settings = load_settings(settings_path, {} if listen is None else {"listen": listen})
    icps = load_icps(icp_paths or settings.icp)
    refuse_unknown_names(settings, icps)
    service = GatewayService(settings, icps)
    run_until_signal(
        lambda: service.run(
            lambda: click.echo(f"plumbline listens on {service.url}  (open it in a browser; Ctrl-C ends)")
        ),
        service.stop,
    )
