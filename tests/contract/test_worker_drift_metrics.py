"""The drift metrics of a distributed deployment: each signal is served by the worker that has its partition, and by no other."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from detectors.catalogue import SIGNALS
from streams.kafka.partitioning import partition_of
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from tests.services.kafka import Kafka
from tests.services.programs import free_port
from tests.services.redis import RedisServer
from tests.services.waiting import wait_until
from tests.services.workers import deployment

EVERY_SIGNAL = {*SIGNALS, "data.health"}
DRIFT_PARTITIONS = 2
_STATE = re.compile(rb'^plumbline_drift_state\{segment="[^"]*",signal="([^"]+)",state="[^"]*"\} 1\.0$', re.M)


def served_at(address: str) -> set[str]:
    """The signals that stand in some state there; none while nobody answers."""
    try:
        with urlopen(f"http://{address}/metrics", timeout=5) as answer:
            return {name.decode() for name in _STATE.findall(answer.read())}
    except URLError:
        return set()


def history(folder: Path) -> list[bytes]:
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=200,
        days=60,
        seed=3,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.1,
    )
    simulate(order, folder / "events.jsonl", lambda *_: None)
    return (folder / "events.jsonl").read_bytes().splitlines()


async def test_each_signal_is_served_by_the_one_worker_that_has_it(
    tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    assert len({partition_of(name, DRIFT_PARTITIONS) for name in EVERY_SIGNAL}) == DRIFT_PARTITIONS
    lines = history(tmp_path)
    with deployment(tmp_path, kafka, redis_server.url, "shown", drift_partitions=DRIFT_PARTITIONS) as mine:
        await mine.produce(lines, int(time.time() * 1000) - len(lines))
        here, there = (f"127.0.0.1:{free_port()}" for _ in range(2))
        one = mine.start_worker(metrics=here)
        wait_until(lambda: served_at(here) == EVERY_SIGNAL)
        two = mine.start_worker(metrics=there)
        wait_until(lambda: served_at(there) != set() and served_at(here) == EVERY_SIGNAL - served_at(there))
        assert two.stop() == 0, two.text()
        wait_until(lambda: served_at(here) == EVERY_SIGNAL)
        assert one.stop() == 0, one.text()
