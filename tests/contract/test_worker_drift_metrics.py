"""The drift metrics of a distributed deployment: each signal is served by the worker that has its partition, and by no other."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.request import urlopen

from detectors.catalogue import SIGNALS
from streams.kafka.partitioning import partition_of
from tests.services.kafka import Kafka
from tests.services.programs import free_port
from tests.services.redis import RedisServer
from tests.services.waiting import wait_until
from tests.services.workers import deployment
from tests.unit.simulated import write_history

EVERY_SIGNAL = {*SIGNALS, "data.health"}
DRIFT_PARTITIONS = 2
_STATE = re.compile(rb'^plumbline_drift_state\{segment="[^"]*",signal="([^"]+)",state="[^"]*"\} 1\.0$', re.M)


def served_at(address: str) -> set[str]:
    """The signals that stand in some state there; none while nobody answers."""
    try:
        with urlopen(f"http://{address}/metrics", timeout=5) as answer:
            return {name.decode() for name in _STATE.findall(answer.read())}
    except OSError:
        return set()


async def test_each_signal_is_served_by_the_one_worker_that_has_it(
    tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    assert len({partition_of(name, DRIFT_PARTITIONS) for name in EVERY_SIGNAL}) == DRIFT_PARTITIONS
    history = write_history(tmp_path / "events.jsonl", accounts=200, days=60, malformed=0)
    lines = history.read_bytes().splitlines()
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
