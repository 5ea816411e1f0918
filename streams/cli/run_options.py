"""The options of all commands that run a service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

settings_option = click.option(
    "--settings",
    "settings_path",
    type=click.Path(path_type=Path),
    help="Settings file; ./plumbline.yaml if it is there.",
)
logs_option = click.option(
    "--json-logs/--text-logs", default=None, help="Log lines as JSON; the default away from a terminal."
)
_icp_option = click.option(
    "--icp",
    "icp_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="ICP file, once for each version.",
)


def settings_and_icp(function: F) -> F:
    """Adds --settings and --icp (``settings_path``, ``icp_paths``)."""
    return settings_option(_icp_option(function))
