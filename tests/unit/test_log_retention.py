"""What of the event log is no longer kept goes only when nothing, not even a power failure, can make it be read again."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from schemas.settings import Settings
from streams import embedded
from streams.embedded import LOG_LOOK_S, EmbeddedPipeline
from streams.icp_files import load_icps
from streams.log import EventLog
from streams.stores.sqlite import open_database
from tests.unit.gateway_service import dump, event
from tests.unit.simulated import ICP

EVENTS = 6


def test_the_log_stays_while_a_power_failure_could_take_its_commits_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "EventLog", partial(EventLog, segment_bytes=100))
    now = time.time() + LOG_LOOK_S
    engine = EmbeddedPipeline(
        Settings(data_dir=tmp_path, keep_log=1.0, clock="events"), load_icps([ICP]), lambda: now
    )
    with closing(engine):
        for number in range(EVENTS):
            engine.log.append([dump(event(number))])
        with closing(open_database(engine.store.path, read_only=True)) as reader:
            # As long as somebody reads what was before, SQLite can't bring all of the commits into the file.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM outbox").fetchone()
            while engine.turn() is not None:
                pass
            assert engine.pipeline.next_offset == EVENTS
            assert engine.log.start == 0
        now += LOG_LOOK_S
        assert engine.turn() is None
        assert engine.log.start == EVENTS - 1
        assert engine.store.make_durable()
