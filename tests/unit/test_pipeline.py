"""Both stages over one store: a batch is in with all that follows from it, or nothing of it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detectors.effects import Effects
from schemas.event_reader import EventReader
from schemas.observations import Observation, decode_observation, encode_observation
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.pipeline import EVENTS, Pipeline
from streams.processor import Processor
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.stores.contract import Claim, Commit, Committed
from streams.stores.sqlite import SqliteStore

ICPS = load_icps([Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"])
SETTINGS = Settings()
BATCH = 500


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, bytes]]:
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=120,
        days=150,
        seed=3,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.2,
        malformed=0,
    )
    simulate(order, path, lambda *_: None)
    return list(enumerate(path.read_bytes().splitlines()))


def run(pipeline: Pipeline, records: Sequence[tuple[int, bytes]]) -> list[Observation]:
    """What the account stage told the drift stage."""
    told: list[Observation] = []
    for first in range(0, len(records), BATCH):
        accounts, *_ = pipeline.process(records[first : first + BATCH])
        told += accounts.effects.observations
    return told


def kept(path: Path) -> dict[str, Any]:
    """All of the file but versions."""
    with closing(sqlite3.connect(path)) as db:
        return {
            "partitions": db.execute(
                "SELECT stage, offsets, watermark, ledger FROM partitions ORDER BY stage"
            ).fetchall(),
            "drift": db.execute("SELECT key, state FROM states_drift ORDER BY key").fetchall(),
            "accounts": db.execute("SELECT key, due, state FROM states_accounts ORDER BY key").fetchall(),
            "outbox": db.execute("SELECT id, body FROM outbox ORDER BY id").fetchall(),
            "observations": db.execute("SELECT body FROM observations").fetchall(),
        }


@pytest.fixture(scope="module")
def undisturbed(records: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "plumbline.db"
    with closing(SqliteStore(path)) as store:
        run(Pipeline(store, ICPS, SETTINGS, None), records)
    return path


def test_what_goes_on_to_the_drift_stage_is_what_would_be_read_again(
    records: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    with closing(SqliteStore(tmp_path / "plumbline.db")) as store:
        told = run(Pipeline(store, ICPS, SETTINGS, None), records)
    assert len({each.signal for each in told}) >= 8
    for each in told:
        written = encode_observation(each)
        read = decode_observation(written)
        assert read == each
        assert encode_observation(read) == written  # 1 and 1.0 are equal, and are not stored alike


def test_a_batch_of_which_the_drift_stage_can_not_commit_is_not_in(
    records: list[tuple[int, bytes]], tmp_path: Path, undisturbed: Path
) -> None:
    class FailingStore(SqliteStore):
        commits_left = 7

        def commit(self, claim: Claim, commit: Commit) -> Committed:
            if claim.stage == "drift":
                self.commits_left -= 1
                if not self.commits_left:
                    raise sqlite3.OperationalError("database or disk is full")
            return super().commit(claim, commit)

    path = tmp_path / "plumbline.db"
    with closing(FailingStore(path)) as failing, pytest.raises(sqlite3.OperationalError):
        run(Pipeline(failing, ICPS, SETTINGS, None), records)
    with closing(SqliteStore(path)) as store:
        again = Pipeline(store, ICPS, SETTINGS, None)
        assert again.next_offset == 6 * BATCH
        run(again, records[again.next_offset :])
    assert kept(path) == kept(undisturbed)


def test_what_an_earlier_version_left_is_taken_in_at_the_start(
    records: list[tuple[int, bytes]], tmp_path: Path, undisturbed: Path
) -> None:
    path, half = tmp_path / "plumbline.db", 4 * BATCH
    with closing(SqliteStore(path)) as store:
        stage = Pipeline(store, ICPS, SETTINGS, None).account_stage
        earlier = Processor(
            store, stage, EventReader(SETTINGS.limits).read_all, late_after_s=SETTINGS.late_after
        )
        for first in range(0, half, BATCH):
            earlier.process(EVENTS, records[first : first + BATCH])
    with closing(SqliteStore(path)) as store:
        pipeline = Pipeline(store, ICPS, SETTINGS, None)
        (drift,) = pipeline.begin()
        assert drift.stage == "drift"
        run(pipeline, records[half:])
    assert kept(path) == kept(undisturbed)


def test_an_observation_that_the_drift_stage_refuses_is_a_dead_letter_that_can_be_read(
    records: list[tuple[int, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(tmp_path / "plumbline.db")) as store:
        pipeline = Pipeline(store, ICPS, SETTINGS, None)
        step = pipeline.account_stage.step

        def misnaming(*args: Any) -> bool:
            effects: Effects = args[-1]
            before = len(effects.observations)
            done = step(*args)
            for each in effects.observations[before:]:
                each.value = -1.0
            return done

        monkeypatch.setattr(pipeline.account_stage, "step", misnaming)
        run(pipeline, records[:BATCH])
        (letter, *_) = store.dead_letters()
    assert (letter.topic, letter.reason) == ("observations", "bad_value")
    assert decode_observation(letter.body).value == -1.0
