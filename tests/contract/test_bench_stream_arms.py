"""Each arm of the stream benchmark, at a small size on the real broker: it applies every event once, and no other number.

The peers want other versions of libraries than Plumbline pins, so they are in an environment of their own. Without it the arms of
bytewax and quix are skipped, in CI too: they measure others, and nothing of the product hangs on them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from bench.events import write
from bench.stream.job import ROOT, Job
from bench.stream.loading import Topics, create, load
from bench.stream.measuring import check_ledger
from bench.stream.running import ArmFailed, run_arm
from bench.stream.services import Services
from bench.stream.worker_settings import write_settings
from schemas.observations import OBSERVATIONS
from streams.kafka.topics import ALERTS, DEAD_LETTERS
from tests.services.kafka import Kafka
from tests.services.redis import RedisSpace

PEERS = ROOT / ".venv-bench" / "bin" / "python"
EVENTS = 600
PARTITIONS = 2


@pytest.fixture
async def filled(kafka: Kafka, tmp_path: Path) -> Kafka:
    lines = tmp_path / "events.jsonl"
    write(EVENTS, 50, 1.1, 0.0, 1, lines)
    wanted = [Topics(prefix=kafka.prefix, count=EVENTS, one=one) for one in (False, True)]
    create(kafka.bootstrap, [name for topics in wanted for name in topics.names], PARTITIONS)
    await load(kafka.bootstrap, lines, wanted, PARTITIONS)
    return kafka


def job(kafka: Kafka, arm: str, total: int = EVENTS, passes: int = 1) -> Job:
    return Job(
        arm=arm,
        bootstrap=kafka.bootstrap,
        prefix=kafka.prefix,
        partitions=PARTITIONS,
        total=total,
        passes=passes,
        run=f"{kafka.prefix}{arm}",
    )


async def test_one_topic_holds_what_the_six_hold(filled: Kafka) -> None:
    names = Topics(prefix="", count=0, one=False).names
    by_topic = [record for name in names for record in await filled.read(name)]
    together = await filled.read("events")
    for records in (by_topic, together):
        assert len(records) == EVENTS
    assert {(r.partition, r.key, r.value) for r in by_topic} == {
        (r.partition, r.key, r.value) for r in together
    }


@pytest.mark.parametrize("arm", ["step", "faust", "faust-table", "bytewax", "quix"])
async def test_an_arm_applies_every_event_once(filled: Kafka, arm: str) -> None:
    if arm in ("bytewax", "quix") and not PEERS.exists():
        pytest.skip(
            f"{arm} is a peer of the benchmark and has an environment of its own: setup/bench-environment"
        )
    interpreter = str(PEERS) if arm in ("bytewax", "quix") else sys.executable
    (trail,) = run_arm(job(filled, arm), interpreter=interpreter)
    assert trail[-1].applied == EVENTS
    assert not any(mark.duplicate for mark in trail)


@pytest.mark.parametrize("arm", ["fetch", "decode"])
async def test_reading_goes_through_the_topics_as_often_as_asked(filled: Kafka, arm: str) -> None:
    (trail,) = run_arm(job(filled, arm, total=3 * EVENTS, passes=3))
    assert trail[-1].applied == 3 * EVENTS
    assert {EVENTS, 2 * EVENTS} < {mark.applied for mark in trail}


@pytest.mark.parametrize("processes", [1, 2])
async def test_workers_apply_every_event_once_and_the_ledger_says_so(
    filled: Kafka, redis: RedisSpace, tmp_path: Path, processes: int
) -> None:
    create(filled.bootstrap, [filled.prefix + topic for topic in (OBSERVATIONS, ALERTS, DEAD_LETTERS)], 1)
    services = Services(bootstrap=filled.bootstrap, redis=redis.settings.url or "")
    run = redis.settings.key_prefix
    settings = write_settings(tmp_path, services, filled.prefix, PARTITIONS, run)
    told = msgspec.structs.replace(job(filled, "plumbline"), run=run, settings=str(settings))
    trails = run_arm(told, processes=processes)
    assert sum(trail[-1].applied for trail in trails if trail) == EVENTS
    check_ledger(services.redis, run, PARTITIONS, EVENTS)
    with pytest.raises(ArmFailed, match="the ledger says 600 applied of 600 received, and there are 601"):
        check_ledger(services.redis, run, PARTITIONS, EVENTS + 1)


async def test_an_event_that_is_there_twice_is_an_error(filled: Kafka, tmp_path: Path) -> None:
    await load(
        filled.bootstrap,
        tmp_path / "events.jsonl",
        [Topics(prefix=filled.prefix, count=1, one=False)],
        PARTITIONS,
    )
    with pytest.raises(ArmFailed, match="taken an event in twice"):
        run_arm(job(filled, "step", total=EVENTS + 1))


async def test_an_arm_that_fails_says_why(kafka: Kafka) -> None:
    with pytest.raises(ArmFailed, match=r"(?s)nobody: it ended after 0 of 600 events.*KeyError: 'nobody'"):
        run_arm(job(kafka, "nobody"))
