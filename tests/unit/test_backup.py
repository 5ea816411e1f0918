"""The backup of docs/deploy.md, taken while the service runs: the database first, then the log."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from schemas.settings import Settings
from streams.embedded import EmbeddedPipeline
from streams.icp_files import load_icps
from tests.unit.simulated import ICP, write_history


@contextmanager
def engine(folder: Path) -> Iterator[EmbeddedPipeline]:
    running = EmbeddedPipeline(Settings(data_dir=folder, clock="events", batch_events=500), load_icps([ICP]))
    try:
        yield running
    finally:
        running.close()


def to_the_end(running: EmbeddedPipeline) -> tuple[object, list[tuple[float, str, bytes]]]:
    while running.turn() is not None:
        pass
    return running.pipeline.ledger, list(running.store.alerts_in_order())


def test_a_copy_of_a_running_service_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "data" / "log").mkdir(parents=True)
    segment = f"events-{0:020d}.jsonl"
    write_history(tmp_path / "data" / "log" / segment, accounts=60, malformed=0)
    backup = tmp_path / "backup"
    backup.mkdir()
    with engine(tmp_path / "data") as running:
        assert running.turn() is not None
        database = tmp_path / "data" / "plumbline.db"
        with (
            closing(sqlite3.connect(database)) as source,
            closing(sqlite3.connect(backup / "plumbline.db")) as to,
        ):
            source.backup(to)  # what `.backup` of sqlite3 does
        assert running.turn() is not None  # the log goes on while the copy is made
        shutil.copytree(tmp_path / "data" / "log", backup / "log")
        with (backup / "log" / segment).open("ab") as copied:
            copied.write(b'{"specversion": "1.0", "id": "half of')
        undisturbed = to_the_end(running)
    with engine(backup) as restored:
        assert 0 < restored.pipeline.next_offset < restored.log.end
        assert to_the_end(restored) == undisturbed
    assert undisturbed[1]
