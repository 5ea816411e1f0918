"""plumbline deliver: webhooks in distributed mode, from the alerts topic."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.run_options import logs_option, settings_option
from streams.cli.until_signal import configure_service_logs, run_until_signal
from streams.kafka.delivering import DeliveryService
from streams.settings_file import load_settings
from streams.settings_names import refuse_unknown_names


@click.command(name="deliver")
@settings_option
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the delivery queue is kept.")
@click.option(
    "--metrics", "metrics_at", metavar="HOST:PORT", help="Serve /metrics, /healthz and /readyz there."
)
@logs_option
def command(
    settings_path: Path | None, data_dir: Path | None, metrics_at: str | None, json_logs: bool | None
) -> None:
    """Send alerts by webhook: from the Kafka topic into a queue of its own, and from there to the endpoints.

    plumbline deliveries shows what was sent. Ends with 0 after SIGINT or SIGTERM, with 3 when another process delivers
    from the data directory.
    """
    configure_service_logs(json_logs)
    settings = load_settings(settings_path, {} if data_dir is None else {"data_dir": data_dir})
    refuse_unknown_names(settings, None)
    service = DeliveryService(settings, metrics_at=metrics_at)

    def started(url: str) -> None:
        click.echo(
            f"plumbline delivers alerts to {len(settings.endpoints)} endpoints"
            + (f"; metrics at {url}/metrics" if url else "")
            + "  (Ctrl-C ends)"
        )

    run_until_signal(lambda: service.run(started), service.stop)
