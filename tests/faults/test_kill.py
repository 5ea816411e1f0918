"""Killed with SIGKILL at each step of a commit, fifty times over one run: the outcome is that of an undisturbed run."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.stores.contract import Ledger

KILLS = 50
POINTS = (
    "commit.before",
    "commit.after_offsets",
    "commit.after_states",
    "commit.after_listings",
    "commit.after_outbox",
    "commit.after_dead_letters",
    "commit.before_commit",
    "commit.after",
)
ICP = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short history with repeats, late events and malformed lines, as the one segment of an event log."""
    folder = tmp_path_factory.mktemp("history")
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=400,
        days=120,
        seed=7,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.2,
        malformed=20,
    )
    simulate(order, folder / "events.jsonl", lambda *_: None)
    return folder / "events.jsonl"


def data_dir(history: Path, folder: Path) -> Path:
    log = folder / "log"
    log.mkdir(parents=True)
    shutil.copyfile(history, log / f"events-{0:020d}.jsonl")
    return folder


def drain(folder: Path, failpoint: str | None = None) -> int:
    """Processes the log to its end in a process of its own; returns its exit code (negative: killed)."""
    environment = {
        **os.environ,
        "PLUMBLINE_BATCH_EVENTS": "150",
        "PLUMBLINE_DRIFT__HORIZON": "30d",
        "PLUMBLINE_CLOCK": "events",
    }
    if failpoint is not None:
        environment["PLUMBLINE_FAILPOINT"] = failpoint
    command = [
        sys.executable,
        "-m",
        "streams",
        "run",
        "--drain",
        "--icp",
        str(ICP),
        "--data-dir",
        str(folder),
    ]
    return subprocess.run(command, env=environment, check=False, capture_output=True, timeout=300).returncode


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run leaves, without versions and sequence numbers."""
    with closing(sqlite3.connect(folder / "plumbline.db")) as database:
        read = {
            "accounts": "SELECT key, due, state FROM states_accounts ORDER BY key",
            "drift": "SELECT key, due, state FROM states_drift ORDER BY key",
            "alerts": "SELECT id, kind, at, body FROM outbox ORDER BY id",
            "listings": "SELECT * FROM listings ORDER BY variant, account",
            "dead letters": "SELECT topic, offset, reason, detail, body FROM dead_letters ORDER BY offset",
            "offsets": "SELECT stage, partition, offsets, watermark, ledger FROM partitions ORDER BY stage",
            "observations left": "SELECT body FROM observations",
        }
        return {name: database.execute(query).fetchall() for name, query in read.items()}


def ledger(folder: Path) -> Ledger:
    with closing(sqlite3.connect(folder / "plumbline.db")) as database:
        (text,) = database.execute("SELECT ledger FROM partitions WHERE stage = 'accounts'").fetchone()
    return msgspec.json.decode(text, type=Ledger)


def test_fifty_kills_leave_what_an_undisturbed_run_leaves(history: Path, tmp_path: Path) -> None:
    undisturbed = data_dir(history, tmp_path / "undisturbed")
    assert drain(undisturbed) == 0
    expected = outcome(undisturbed)
    assert expected["alerts"], "a run without alerts shows nothing"
    assert expected["drift"], "a run without observations shows nothing"

    disturbed = data_dir(history, tmp_path / "disturbed")
    killed: Counter[str] = Counter()
    points = cycle(POINTS)
    for kill in range(KILLS):
        point = next(points)
        # The two claims at the start are transactions too: a count above two is reached in a commit.
        code = drain(disturbed, f"{point}:{3 + kill % 3}")
        assert code == -signal.SIGKILL, (
            f"kill {kill} at {point}: the run ended with {code} before it was killed"
        )
        killed[point] += 1
    assert set(killed) == set(POINTS)
    assert drain(disturbed) == 0

    found = outcome(disturbed)
    for name, rows in expected.items():
        assert found[name] == rows, name
    total = ledger(disturbed)
    assert total.balanced
    assert total.received == history.read_bytes().count(b"\n")
    assert total.duplicate
    assert total.dead_lettered == 20
