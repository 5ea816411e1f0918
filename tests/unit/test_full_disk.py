"""A disk that is full: whoever writes to the data file says so, nothing of the transaction is in, and with room it goes on.

SQLite then ends the transaction by itself; what rolls back must not hide the reason behind an error of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.settings import Settings
from streams.delivery.intake import Intake
from streams.delivery.queue import Queue
from streams.delivery.subscriptions import Route, Routed
from streams.embedded import EmbeddedPipeline, EmbeddedService
from streams.icp_files import load_icps
from streams.stores.contract import Commit, Ledger, OutboxRow, StateWrite
from streams.stores.sqlite import SqliteStore
from tests.services.waiting import LIMIT_S
from tests.unit.gateway_service import dump, event
from tests.unit.simulated import ICP

FULL = "database or disk is full"
BIG = b"x" * 3000
ROWS = 300
ROOM = 20
"""pages that are left"""


def fill(db: sqlite3.Connection, room: int = ROOM) -> None:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages + room}")


def make_room(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA max_page_count=1000000")


def refused_then_done(db: sqlite3.Connection, table: str, write: Callable[[], object]) -> None:
    """``write`` puts ROWS rows into ``table``."""

    def rows() -> int:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    fill(db)
    with pytest.raises(sqlite3.OperationalError, match=FULL):
        write()
    assert rows() == 0
    make_room(db)
    write()
    assert rows() == ROWS


def alerts() -> list[OutboxRow]:
    return [OutboxRow(id=f"alert-{number}", kind="trigger", at=1.0, body=BIG) for number in range(ROWS)]


def test_a_commit_of_the_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "plumbline.db")
    claim = store.claim("accounts", 0)
    states = [StateWrite(f"a-{number}", BIG, 0, None, False) for number in range(ROWS)]
    commit = Commit(states=states, offsets={"events": ROWS}, ledger=Ledger(received=ROWS, applied=ROWS))
    refused_then_done(store._db, "states_accounts", lambda: store.commit(claim, commit))
    store.close()


def test_alerts_from_the_topic(tmp_path: Path) -> None:
    intake = Intake.open(tmp_path / "plumbline.db")
    refused_then_done(intake._db, "outbox", lambda: intake.take_in("alerts", alerts(), {0: ROWS}))
    assert intake.positions("alerts") == {0: ROWS}
    intake.close()


async def test_the_service_ends_with_the_reason_and_the_next_one_goes_on(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, listen="127.0.0.1:0", clock="events")
    service = EmbeddedService(settings, load_icps([ICP]))
    service._engine.log.append([dump(event(number, subject=f"a-{number}")) for number in range(ROWS)])
    fill(service._engine.store._db, room=0)
    with pytest.raises(sqlite3.OperationalError, match=FULL):
        await asyncio.wait_for(service.run(), LIMIT_S)

    with closing(EmbeddedPipeline(settings, load_icps([ICP]))) as engine:
        while engine.turn() is not None:
            pass
        assert engine.pipeline.ledger.received == ROWS


def test_the_fan_out_of_deliveries(tmp_path: Path) -> None:
    path = tmp_path / "plumbline.db"
    intake = Intake.open(path)
    intake.take_in("alerts", alerts(), {0: ROWS})
    intake.close()
    queue = Queue.open(path)
    queue.start(["crm"], 1.0)
    endpoint = "a-name-that-fills-the-disk-" * 100
    refused_then_done(
        queue._db,
        "deliveries",
        lambda: queue.fan_out(lambda _: [Routed(endpoint, Route.SEND)], ["crm"], 1.0, limit=ROWS),
    )
    queue.close()
