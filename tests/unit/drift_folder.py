"""A service's data directory in which ``content`` drifts, and the drift commands over it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from schemas.observations import encode_observation
from schemas.settings import Settings
from streams.cli.drift import command
from streams.embedded import EmbeddedPipeline
from streams.stores.contract import Commit, Ledger
from streams.stores.sqlite import SqliteStore
from tests.unit.serving_world import DAY, NOW, drifting, icp

GAP = "plg.conversion_gap"


def write_history(folder: Path) -> Path:
    """A store whose account stage has told of the drift; the newest event is from the day before NOW."""
    store = SqliteStore(folder / "plumbline.db")
    told = [encode_observation(each) for each in drifting(Settings())]
    claim = store.claim("accounts", 0)
    store.commit(claim, Commit(observations=told, watermark=NOW - DAY, ledger=Ledger()))
    store.close()
    drain(folder)
    return folder / "plumbline.db"


def drain(folder: Path) -> None:
    """Lets the embedded pipeline take in what its log holds."""
    engine = EmbeddedPipeline(Settings(data_dir=folder, clock="events"), [icp()])
    try:
        engine.pipeline.catch_up()
        while engine.turn() is not None:
            pass
    finally:
        engine.close()


def run(folder: Path, *arguments: str, input: str | None = None) -> Result:
    environment = {"COLUMNS": "110", "NO_COLOR": "1", "LOGNAME": "ann"}
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)], env=environment, input=input)


def verdict(folder: Path, segment: str = "source:content") -> dict[str, object]:
    result = run(folder, "explain", GAP, "--segment", segment, "--json")
    found: dict[str, object] = json.loads(result.output)["verdict"]
    return found
