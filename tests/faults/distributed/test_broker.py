"""The broker is away: connections cut or silent for ten seconds, or the broker killed and started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.distributed import oracle
from tests.faults.distributed.conftest import PARTITIONS
from tests.faults.distributed.lasting import meanwhile
from tests.faults.distributed.undisturbed import EXTRA_SETTINGS, Undisturbed
from tests.faults.distributed.wire import Wire, wire_to
from tests.services.kafka import Kafka, PackagedBroker, broker_of_own
from tests.services.programs import free_port
from tests.services.redis import RedisServer
from tests.services.waiting import wait_until
from tests.services.workers import deployment

FAULT_S = 10.0
RESUMES_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def wired_broker() -> Iterator[tuple[PackagedBroker, Wire]]:
    """A broker with two doors: the test's own, and one behind a wire for the workers."""
    behind = free_port()
    with wire_to(behind) as wire, broker_of_own(second_door=(behind, wire.address)) as broker:
        yield broker, wire


@pytest.mark.parametrize("fault", ["cut", "silent", "killed"])
async def test_the_broker_is_away_for_ten_seconds(
    fault: str,
    lines: list[bytes],
    expected: Undisturbed,
    tmp_path: Path,
    wired_broker: tuple[PackagedBroker, Wire],
    shared_redis_server: RedisServer,
) -> None:
    broker, wire = wired_broker
    kafka = Kafka(broker.bootstrap, f"{fault}-{time.time_ns()}.")
    with deployment(
        tmp_path,
        kafka,
        shared_redis_server.url,
        fault,
        partitions=PARTITIONS,
        bootstrap=wire.address,
        extra=EXTRA_SETTINGS,
    ) as mine:
        half = len(lines) // 2
        begin = int(time.time() * 1000) - len(lines)
        await mine.produce(lines[:half], begin)
        workers = [mine.start_worker(), mine.start_worker()]
        mine.wait_until_received(half // 2)
        if fault == "silent":
            wire.silence()
        else:
            wire.cut()
        if fault == "killed":
            broker.kill()
            broker.start()
        meanwhile(FAULT_S)
        # Written while no worker can read, and no fetch waits at the broker: it would be answered with the first topic's
        # records alone, and what comes later in the others would be no history in order of time.
        await mine.produce(lines[half:], begin + half)
        before = mine.ledger().received
        wire.mend()
        mended = time.monotonic()
        wait_until(lambda: mine.ledger().received > before, RESUMES_WITHIN_S)
        print(f"{fault}: resumed after {time.monotonic() - mended:.1f} s")
        assert not any(worker.ended for worker in workers)
        await oracle.check(mine, expected)
        assert [worker.stop() for worker in workers] == [0, 0]
