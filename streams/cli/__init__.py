"""The command line. Each command is one module here, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
from typing import NoReturn

import click

from schemas.errors import PlumblineError
from streams.terminal_text import printable

COMMANDS = {
    "run": ("streams.cli.run", "Run the embedded service: HTTP in, scores, drift, webhooks, one process."),
    "demo": ("streams.cli.demo", "Run the service on a simulated company, with a webhook receiver."),
    "worker": (
        "streams.cli.worker",
        "Run a worker of the distributed mode: Kafka in, scores and drift, Redis.",
    ),
    "topics": ("streams.cli.topics", "Make and describe the Kafka topics of the distributed mode."),
    "check": ("streams.cli.check", "Check an ICP, mapping or settings file; errors with line and column."),
    "schema": ("streams.cli.schema", "Print the JSON Schema of icp, mapping, settings, events or alerts."),
    "import": ("streams.cli.import_csv", "Turn CSV exports into an event history."),
    "simulate": ("streams.cli.simulate", "Write the event history of a simulated company."),
    "replay": ("streams.cli.replay", "Run a history through the processor, and say what comes out."),
    "post": ("streams.cli.post", "Send a history to a running service."),
    "gateway": ("streams.cli.gateway", "Take events over HTTP in distributed mode; pages and API."),
    "deliver": ("streams.cli.deliver", "Send webhooks in distributed mode, from the alerts topic."),
    "deliveries": ("streams.cli.deliveries", "List, show and retry webhook deliveries."),
    "dlq": (
        "streams.cli.dlq",
        "Events that could not be used: list, show, put back; let a stopped partition go on.",
    ),
    "drift": ("streams.cli.drift", "Drift verdicts: list, explain, acknowledge, announce."),
    "listen": ("streams.cli.listen", "Receive webhooks, verify and print them."),
}

DISTRIBUTED = frozenset({"aiokafka", "faust", "kafka", "mode", "redis"})
"""Libraries of the extra ``distributed``, which one process with the embedded store does not need."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            command = importlib.import_module(COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in DISTRIBUTED:
                raise
            raise PlumblineError(
                f"plumbline {cmd_name} needs what the distributed mode is built on, and {error.name} is not installed",
                remedy="install Plumbline with its extra: pip install 'plumbline[distributed]' (from the checkout: '.[distributed]')",
            ) from None
        assert isinstance(command, click.Command)  # noqa: S101 - a broken table, not a user's error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(package_name="plumbline")
def plumbline() -> None:
    """Which account to call now and why, and whether the ideal customer profile drifts."""


def main() -> None:
    """The console script: an error of ours is printed as it is and ends with its exit code. What the system says of a file or
    SQLite of the data file is said likewise: a traceback would not say what to do about it."""
    try:
        plumbline(prog_name="plumbline")
    except PlumblineError as error:
        click.echo(f"plumbline: {error}", err=True)
        sys.exit(error.exit_code)
    except sqlite3.DatabaseError as error:
        _end(
            f"the data file, plumbline.db in the data directory, can't be used: {error}",
            "check that the file is whole, who may read and write there, and that the disk has room",
        )
    except OSError as error:
        if error.filename is None:
            raise
        _end(
            f"{printable(os.fsdecode(error.filename))}: {error.strerror}",
            "check the path, who may read and write there, and that the disk has room",
        )


def _end(what: str, remedy: str) -> NoReturn:
    click.echo(f"plumbline: {PlumblineError(what, remedy=remedy)}", err=True)
    sys.exit(PlumblineError.exit_code)
