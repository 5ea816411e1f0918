"""plumbline topics: makes the topics of the distributed mode, and says whether they are as they must be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table

from schemas.duration import write_duration
from streams.cli.run_options import settings_option
from streams.cli.tables import table_console
from streams.kafka import topics
from streams.kafka.topics import TopicReport
from streams.settings_file import load_settings

_json = click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")


@click.group(name="topics")
def command() -> None:
    """Make and describe the Kafka topics of the distributed mode."""


@command.command()
@settings_option
@_json
def create(settings_path: Path | None, as_json: bool) -> None:
    """Make the topics that are not there yet. What is there is left as it is.

    Ends with 1 when one is not as it must be, with 4 when partition counts differ; then nothing is made.
    """
    _show(topics.create(load_settings(settings_path, needs={"kafka"})), as_json=as_json)


@command.command()
@settings_option
@_json
def describe(settings_path: Path | None, as_json: bool) -> None:
    """Show the topics. Ends with 1 when one is not as it must be."""
    _show(topics.describe(load_settings(settings_path, needs={"kafka"})), as_json=as_json)


def _show(reports: Sequence[TopicReport], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"topics": reports})))
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("topic", "partitions", "copies", "kept for", ""):
            table.add_column(
                title, justify="right" if title in ("partitions", "copies") else "left", overflow="fold"
            )
        for report in reports:
            words = "; ".join(report.problems) or ("made" if report.made else "")
            table.add_row(
                report.name,
                str(report.partitions or ""),
                str(report.replication or ""),
                _kept_for(report),
                f"[red]{words}[/red]" if report.problems else words,
            )
        table_console().print(table)
    if any(report.problems for report in reports):
        sys.exit(1)


def _kept_for(report: TopicReport) -> str:
    retention_ms = int(report.config.get("retention.ms", 0))
    return "for ever" if retention_ms < 0 else write_duration(retention_ms / 1000) if retention_ms else ""
