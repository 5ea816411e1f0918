"""``plumbline schema``: the JSON Schema of what people write and of what travels."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from schemas.alerts import alert_schema
from schemas.events import event_schema
from schemas.json_schema import DIALECT, icp_schema, settings_schema


def _mapping_schema() -> dict[str, Any]:
    from schemas.mapping import mapping_schema

    return mapping_schema()


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "icp": icp_schema,
    "mapping": _mapping_schema,
    "settings": settings_schema,
    "events": lambda: {"$schema": DIALECT, "title": "Plumbline: events", **event_schema()},
    "alerts": lambda: {"$schema": DIALECT, "title": "Plumbline: alerts", **alert_schema()},
}


def schema_text(name: str) -> str:
    """The schema as this command prints it, and as the files beside the examples hold it."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


@click.command()
@click.argument("name", type=click.Choice(list(SCHEMAS)))
def command(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of NAME.

    For completion in an editor, save it beside your file and begin the file with
    `# yaml-language-server: $schema=icp.schema.json`.
    """
    click.echo(schema_text(name), nl=False)
