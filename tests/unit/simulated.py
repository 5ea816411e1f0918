"""A short simulated history, for tests that need events as they are in life."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
ICP = ROOT / "examples" / "acme" / "icp.yaml"


def write_history(path: Path, *, accounts: int = 500, days: int = 150, malformed: int = 15) -> Path:
    """A healthy company's events, with repeats, late ones and ``malformed`` lines that can't be used."""
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=accounts,
        days=days,
        seed=11,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.2,
        malformed=malformed,
    )
    simulate(order, path, lambda *_: None)
    return path
