"""State that this version can't read, and topics that have grown: refused loudly, and nothing is split or guessed at."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from redis import Redis

from schemas.redis_settings import RedisSettings
from streams.stores.redis_keys import PartitionKeys, layout_key
from tests.faults.distributed import oracle
from tests.faults.distributed.conftest import PARTITIONS
from tests.faults.distributed.contents import contents
from tests.faults.distributed.undisturbed import undisturbed
from tests.services.kafka import Kafka
from tests.services.redis import RedisServer
from tests.services.workers import Deployment, deployment

REFUSED = 4


async def ran(mine: Deployment, lines: list[bytes]) -> None:
    """A worker has taken ``lines`` in, and has ended in order."""
    await mine.produce(lines, int(time.time() * 1000) - len(lines))
    worker = mine.start_worker()
    mine.wait_until_received(len(lines))
    await oracle.settled(mine, observed(mine, lines))
    assert worker.stop() == 0


def observed(mine: Deployment, lines: list[bytes]) -> int:
    """How many observations come of ``lines``."""
    apart = RedisSettings(url=mine.redis_url, key_prefix=f"{mine.key_prefix}-undisturbed")
    return undisturbed(lines, apart, PARTITIONS).observations


@pytest.mark.parametrize("what", ["state", "layout"])
async def test_state_of_another_version_ends_the_worker_with_a_reason(
    what: str, lines: list[bytes], tmp_path: Path, kafka: Kafka, shared_redis_server: RedisServer
) -> None:
    with (
        deployment(tmp_path, kafka, shared_redis_server.url, "old", partitions=PARTITIONS) as mine,
        Redis.from_url(shared_redis_server.url) as redis,
    ):
        await ran(mine, lines[:2000])
        if what == "layout":
            redis.hset(layout_key(mine.key_prefix), "version", 99)
        else:
            for number in range(PARTITIONS):
                states = PartitionKeys(mine.key_prefix, "accounts", number).states
                for key in redis.hkeys(states):  # type: ignore[union-attr]
                    redis.hset(states, key, b"\x92\xcd\x03\xe7\xc0")  # type: ignore[arg-type]
        before = contents(oracle.settings_of(mine), mine.kafka.prefix)
        await mine.produce(lines[:2000], int(time.time() * 1000))
        worker = mine.start_worker()
        assert worker.exit_code() == REFUSED, worker.text()
        assert ("layout 99" if what == "layout" else "state") in worker.text()
        assert contents(oracle.settings_of(mine), mine.kafka.prefix) == before


async def test_a_topic_that_grows_while_it_is_read_stops_the_worker_and_splits_no_state(
    lines: list[bytes], tmp_path: Path, kafka: Kafka, shared_redis_server: RedisServer
) -> None:
    with deployment(tmp_path, kafka, shared_redis_server.url, "grown", partitions=PARTITIONS) as mine:
        await mine.produce(lines[:2000], int(time.time() * 1000) - 2000)
        worker = mine.start_worker()
        mine.wait_until_received(2000)
        await oracle.settled(mine, observed(mine, lines[:2000]))
        before = contents(oracle.settings_of(mine), mine.kafka.prefix)
        await mine.kafka.grow("product.events", partitions=PARTITIONS + 1)
        assert worker.exit_code() == REFUSED
        assert f"product.events has {PARTITIONS + 1}" in worker.text()
        again = mine.start_worker()
        assert again.exit_code() == REFUSED
        assert contents(oracle.settings_of(mine), mine.kafka.prefix) == before
