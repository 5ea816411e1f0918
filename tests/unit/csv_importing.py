"""Runs imports over real files, for the tests of the import."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from schemas.mapping import load_mapping
from streams.csv_import.importing import Imported, rejects_path, run_import
from streams.csv_import.plan import make_plan

NOW = 1_800_000_000.0
"""January 2027."""

PROFILES = """
time_zone: Europe/Berlin
files:
  - file: "*.csv"
    as: accounts
    {entry}
    events:
      - type: account.profile
        subject: "{{id}}"
        time: "{{at}}"
        data:
          attributes.v: {value}
"""


class Outcome(Struct):
    imported: Imported
    output: Path
    events: list[dict[str, Any]]
    rejects: list[dict[str, str]]


def profiles(value: str, entry: str = "") -> str:
    """A mapping that reads the value of the attribute ``v`` as ``value`` says."""
    return PROFILES.format(value=value, entry=entry)


def import_files(
    folder: Path, mapping: str, files: Mapping[str, str | bytes], *, strict: bool = False, now: float = NOW
) -> Outcome:
    paths = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    loaded = load_mapping(mapping, "mapping.yaml")
    output = folder / "events.jsonl"
    imported = run_import(
        loaded,
        make_plan(loaded, mapping, "mapping.yaml", paths),
        output,
        strict=strict,
        now=now,
        progress=lambda phase, done, total: None,
    )
    events = [json.loads(line) for line in output.read_bytes().splitlines()] if output.exists() else []
    rejects: list[dict[str, str]] = []
    if rejects_path(output).exists():
        with rejects_path(output).open(encoding="utf-8-sig", newline="") as text:
            rejects = list(csv.DictReader(text))
    return Outcome(imported, output, events, rejects)


def values_of(outcome: Outcome) -> list[Any]:
    """The attribute ``v`` of each event; None where it is left out."""
    return [event["data"]["attributes"].get("v") for event in outcome.events]
