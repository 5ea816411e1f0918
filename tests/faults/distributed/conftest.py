"""The history that the fault tests send, and what it has to come to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.distributed.undisturbed import EXTRA_SETTINGS, Undisturbed, history, undisturbed
from tests.faults.distributed.wire import Wire, wire_to
from tests.services.kafka import Kafka
from tests.services.redis import PackagedServer, RedisServer, RedisSpace, server_of_own
from tests.services.workers import Deployment, deployment

PARTITIONS = 6
FAR_S = 0.04
"""How far the store is from the workers in ``busy``: each batch takes two such ways."""


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return history(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def expected(lines: list[bytes], shared_redis_server: RedisServer) -> Undisturbed:
    space = RedisSpace(shared_redis_server.url)
    try:
        found = undisturbed(lines, space.settings, PARTITIONS)
    finally:
        space.clear()
        space.close()
    assert found.ledger.balanced
    assert min(found.ledger.duplicate, found.ledger.late, found.ledger.dead_lettered) > 0
    assert found.alerts
    assert found.observations
    return found


@pytest.fixture
def server() -> Iterator[PackagedServer]:
    """A Redis of the test's own."""
    with server_of_own() as server:
        yield server


@pytest.fixture
def wire(server: PackagedServer) -> Iterator[Wire]:
    """Between the workers and the store: the store is far away."""
    with wire_to(server.port) as wire:
        wire.slow(FAR_S)
        yield wire


@pytest.fixture
async def busy(
    lines: list[bytes], tmp_path: Path, kafka: Kafka, server: PackagedServer, wire: Wire
) -> AsyncIterator[Deployment]:
    """All events are there to be read, and there is work for a minute or so."""
    with deployment(
        tmp_path,
        kafka,
        server.url,
        "busy",
        partitions=PARTITIONS,
        batch_events=4,
        session_timeout="2s",
        workers_redis_url=f"redis://{wire.address}",
        extra=EXTRA_SETTINGS,
    ) as mine:
        await mine.produce(lines, int(time.time() * 1000) - len(lines))
        yield mine
