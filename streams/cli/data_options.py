"""The options of all commands that read what a service keeps: where it is, and for whom the answer is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., None])


def data_options(function: F) -> F:
    """Adds --settings, --data-dir and --json (``settings_path``, ``data_dir``, ``as_json``)."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="JSON, for machines."),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), help="An embedded service's data directory."
        ),
        click.option(
            "--settings",
            "settings_path",
            type=click.Path(path_type=Path),
            help="The service's settings file.",
        ),
    ):
        function = option(function)
    return function
