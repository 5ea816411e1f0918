"""Embedded, replay and distributed give the same alerts for the same 200,000 simulated events, drift among them.

The history is as histories are: late events, far too late ones, repeats, events out of order. Distributed means a real Redis and a
real Kafka: once the parts that decide what comes out, with partitions that run at speeds of their own (accounts shared out
over four, relay, observations topic, drift stage, alerts topic), and once two worker processes.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from signal import SIGABRT

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from detectors.accounts import AccountStage
from detectors.announcements import ANNOUNCED_CHANGE
from detectors.catalogue import signals
from detectors.drift import DriftStage
from schemas.alerts import DriftAlert, Notice, decode_alert
from schemas.event_reader import EventReader
from schemas.events import (
    EVENT_CLASSES,
    DriftAcknowledged,
    DriftAcknowledgedData,
    DriftAnnounced,
    DriftAnnouncedData,
    encode_event,
)
from schemas.settings import Settings
from streams.embedded import EmbeddedPipeline
from streams.icp_files import load_icps
from streams.kafka.drift import DriftIntake
from streams.kafka.partitioning import partition_of
from streams.kafka.record_times import RecordTimes
from streams.kafka.relay import Relay, RelayTopics
from streams.kafka.topics import EVENT_TOPICS
from streams.processor import Processor
from streams.replay import replay
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.stores.contract import Claim, Ledger
from streams.stores.redis import RedisStore
from streams.stores.redis_keys import PartitionKeys
from tests.services.kafka import Kafka
from tests.services.redis import RedisSpace
from tests.services.standing import standing
from tests.services.waiting import until
from tests.unit.simulated import ICP

PARTITIONS = 4
EVENTS = 200_000
LIMIT_S = 500.0
SETTINGS = Settings(
    clock="events",
    drift={"false_alarms_per_year": 12, "second_opinion": {"plg.conversion_gap": "adwin"}},
)
"""so many that the planted drift is found within a small history; a second opinion is part of the state that is compared"""


pytestmark = pytest.mark.timeout(900)  # 200 thousand events, four times, on a machine that may be slow


class _Subject(msgspec.Struct):
    subject: str


class _Time(msgspec.Struct):
    time: datetime


_subject = msgspec.json.Decoder(_Subject)
_time = msgspec.json.Decoder(_Time)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    order = Order(
        scenario=SCENARIOS["plg-silent-drift"],
        accounts=6000,
        days=400,
        seed=3,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.1,
        malformed=0,
    )
    simulate(order, path, lambda *_: None)
    path.write_bytes(b"".join(_with_decisions(path.read_bytes().splitlines(keepends=True))))
    return path


def _with_decisions(lines: list[bytes]) -> Iterator[bytes]:
    """People look on: they announce the change of one segment, acknowledge each segment's drift, and have the whole learn anew.
    Told when it is said."""
    newest = datetime.min.replace(tzinfo=UTC)
    for number, line in enumerate(lines):
        newest = max(newest, _time.decode(line).time)
        yield line
        place, rest = divmod(number, len(lines) // 100)
        if rest == 0 and place == 40:
            announcement = DriftAnnounced(
                specversion="1.0",
                id="announcement",
                source="test",
                subject="signal:plg.conversion_gap",
                time=newest + timedelta(milliseconds=1),
                data=DriftAnnouncedData(
                    on=date(2026, 5, 25), by="Bo", reason="a promotion of content", segment="source:content"
                ),
            )
            yield encode_event(announcement) + b"\n"
        if rest == 0 and place in (93, 95, 97):
            segment = "source:content" if place == 95 else "all"
            decision = DriftAcknowledged(
                specversion="1.0",
                id=f"decision-{place}",
                source="test",
                subject="signal:plg.conversion_gap",
                time=newest + timedelta(milliseconds=1),
                data=DriftAcknowledgedData(
                    segment=segment, by="Ann", reason="a promotion", retake_baseline=place == 97
                ),
            )
            yield encode_event(decision) + b"\n"


@pytest.fixture(scope="module")
def lines(history: Path) -> list[bytes]:
    found = history.read_bytes().splitlines()
    assert len(found) >= EVENTS
    return found


@pytest.fixture(scope="module")
def embedded(lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPipeline]:
    """The embedded service's pipeline, after it has read its log to the end."""
    settings = SETTINGS.model_copy(update={"data_dir": tmp_path_factory.mktemp("embedded")})
    engine = EmbeddedPipeline(settings, load_icps([ICP]))
    try:
        engine.log.append(lines)
        while engine.turn() is not None:
            pass
        yield engine
    finally:
        engine.close()


def by_id(bodies: list[bytes]) -> dict[str, bytes]:
    return {decode_alert(body).id: body for body in bodies}


def test_replay_says_what_embedded_says(history: Path, embedded: EmbeddedPipeline, tmp_path: Path) -> None:
    replay([history], load_icps([ICP]), SETTINGS, alerts_to=tmp_path / "alerts.jsonl")
    assert (tmp_path / "alerts.jsonl").read_bytes().splitlines() == embedded.store.alerts()


async def test_distributed_says_what_embedded_says(
    lines: list[bytes], embedded: EmbeddedPipeline, kafka: Kafka, redis: RedisSpace
) -> None:
    await kafka.create("observations", partitions=1)
    await kafka.create("alerts", "dead-letters", partitions=PARTITIONS)
    store = RedisStore(redis.settings, accounts=PARTITIONS, drift=1)
    try:
        async with asyncio.timeout(LIMIT_S):
            ledger, drift = await _run(lines, kafka, store)
        expected = by_id(embedded.store.alerts())
        said = [decode_alert(body) for body in expected.values()]
        assert any(isinstance(alert, DriftAlert) for alert in said)
        announced = [
            alert for alert in said if isinstance(alert, Notice) and alert.finding == ANNOUNCED_CHANGE
        ]
        assert [alert.segment for alert in announced] == ["source:content"]
        assert by_id([record.value for record in await kafka.read("alerts")]) == expected
        assert ledger == embedded.pipeline.ledger
        signal = "plg.conversion_gap"
        assert store.load(drift, [signal], None).states[signal].state == _drift_state(embedded, signal)
        (whole,) = [v for v in embedded.pipeline.verdicts() if (v.signal, v.segment) == (signal, "all")]
        assert [made.kind for made in whole.decisions] == ["baseline_retaken", "acknowledged"]
        assert whole.second_opinion is not None
        assert 0 < whole.second_opinion.n < whole.n  # begun anew with the baseline
        assert store.held_count(drift) == 0
    finally:
        store.close()


def _drift_state(embedded: EmbeddedPipeline, signal: str) -> bytes:
    store = embedded.store
    return store.load(store.claim("drift", 0), [signal], None).states[signal].state


async def _run(lines: list[bytes], kafka: Kafka, store: RedisStore) -> tuple[Ledger, Claim]:
    """Everything through; returns the sum of the ledgers and the drift stage's claim."""
    known = signals(SETTINGS.drift)
    parts: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for line in lines:
        parts[partition_of(_subject.decode(line).subject, PARTITIONS)].append(line)
    processors = [
        Processor(
            store,
            AccountStage(load_icps([ICP]), known, SETTINGS.late_after),
            EventReader(SETTINGS.limits).read_all,
            partition=number,
            late_after_s=SETTINGS.late_after,
        )
        for number in range(PARTITIONS)
    ]
    topic = kafka.prefix + "observations"
    stage = DriftStage(known, load_icps([ICP]), SETTINGS.drift.second_opinion)
    drift = DriftIntake(store, stage, topic, 0, PARTITIONS)
    relay = Relay(
        store,
        {"bootstrap_servers": kafka.bootstrap},
        RelayTopics(
            observations=topic, alerts=kafka.prefix + "alerts", dead_letters=kafka.prefix + "dead-letters"
        ),
        mark_every_s=0.1,
        caught_up_every_s=0.1,
    )
    relaying = asyncio.create_task(relay.run())
    reading = asyncio.create_task(_read(kafka.bootstrap, topic, drift, relay))
    try:
        for number, processor in enumerate(processors):
            relay.own("accounts", number, processor.claim.watermark)
        relay.own("drift", 0, drift.claim.watermark)
        speeds = random.Random(1)
        at = [0] * PARTITIONS
        observed = 0
        while rest := [number for number, part in enumerate(parts) if at[number] < len(part)]:
            # One partition runs ahead of the others for a while, then another one.
            number = speeds.choice([rest[0], *rest])
            batch = [(at[number] + n, line) for n, line in enumerate(parts[number][at[number] :][:9000])]
            at[number] += len(batch)
            result = await asyncio.to_thread(processors[number].process, "events", batch)
            observed += len(result.effects.observations)
            relay.committed("accounts", number, processors[number].claim.watermark)

        def all_is_told() -> bool:
            for task in (relaying, reading):
                assert not task.done(), task.exception()
            for number in range(PARTITIONS):
                relay.caught_up("accounts", number, time.time())
            waiting = [("drift", 0), *(("accounts", number) for number in range(PARTITIONS))]
            return drift.claim.ledger.received >= observed and not any(
                store.outgoing(stage, number, "alerts", 0, 1) for stage, number in waiting
            )

        await until(all_is_told, LIMIT_S)
    finally:
        for task in (relaying, reading):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    total = Ledger()
    for processor in processors:
        _add(total, processor.ledger)
    return total, drift.claim


async def _read(bootstrap: str, topic: str, drift: DriftIntake, relay: Relay) -> None:
    """The observations topic into the drift stage, from the store's position on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        where = TopicPartition(topic, 0)
        consumer.assign([where])
        consumer.seek(where, drift.next_offset)
        while True:
            records = (await consumer.getmany(timeout_ms=200)).get(where, [])
            await asyncio.to_thread(drift.take, [(record.offset, record.value) for record in records])
            relay.committed("drift", 0, drift.claim.watermark)
    finally:
        await consumer.stop()


class _TypeAndSubject(msgspec.Struct):
    type: str
    subject: str


_type_and_subject = msgspec.json.Decoder(_TypeAndSubject)


async def test_worker_processes_say_what_embedded_says(
    lines: list[bytes], embedded: EmbeddedPipeline, kafka: Kafka, redis: RedisSpace, tmp_path: Path
) -> None:
    """The whole: two processes of ``plumbline worker`` over six event topics."""
    await kafka.create(*EVENT_TOPICS, "alerts", "dead-letters", partitions=PARTITIONS)
    await kafka.create("observations", partitions=1)
    await _publish(lines, kafka)
    settings = tmp_path / "plumbline.yaml"
    settings.write_text(
        f"icp: [{ICP}]\nclock: events\ndrift: {json.dumps(SETTINGS.drift.model_dump(exclude_unset=True))}\n"
        f"kafka: {{bootstrap: '{kafka.bootstrap}', topic_prefix: {kafka.prefix}, partitions: {PARTITIONS}, replication: 1}}\n"
        f"redis: {{url: '{redis.settings.url}', key_prefix: {redis.settings.key_prefix}}}\n"
    )
    command = [sys.executable, "-X", "faulthandler", "-m", "streams", "worker", "--settings", str(settings)]
    logs = [tmp_path / f"worker-{number}.log" for number in range(2)]
    workers: list[asyncio.subprocess.Process] = []
    try:
        for log in logs:
            with log.open("wb") as output:
                workers.append(
                    await asyncio.create_subprocess_exec(
                        *command, "--json-logs", stdout=output, stderr=output
                    )
                )

        def is_done() -> bool:
            assert [worker.returncode for worker in workers] == [None, None]
            return _is_done(redis, len(lines))

        await until(is_done, LIMIT_S)
        for worker in workers:
            worker.terminate()
        assert [await worker.wait() for worker in workers] == [0, 0]
    except (AssertionError, TimeoutError) as error:
        await _abort(workers)
        error.add_note(standing(redis.client, redis.settings.key_prefix, PARTITIONS, logs))
        raise
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    alerts = [record.value for record in await kafka.read("alerts")]
    assert by_id(alerts) == by_id(embedded.store.alerts())
    total = Ledger()
    for number in range(PARTITIONS):
        _add(total, _ledger(redis, "accounts", number))
    assert total == embedded.pipeline.ledger
    signal = "plg.conversion_gap"
    state = redis.client.hget(_keys(redis, "drift", 0).states, signal)
    assert state == _drift_state(embedded, signal)


async def _abort(workers: list[asyncio.subprocess.Process]) -> None:
    """Ends workers that hang: what their threads do is then in their logs."""
    for worker in workers:
        if worker.returncode is None:
            worker.send_signal(SIGABRT)
            await worker.wait()


async def _publish(lines: list[bytes], kafka: Kafka) -> None:
    """As the gateway does: by type, subject and order of arrival."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=5, max_batch_size=262_144)
    await producer.start()
    times = RecordTimes(EVENT_TOPICS)
    begin_ms = int(time.time() * 1000) - 3_600_000
    try:
        for line in lines:
            head = _type_and_subject.decode(line)
            topic = str(EVENT_CLASSES[head.type].topic)
            partition = partition_of(head.subject, PARTITIONS)
            await producer.send(
                kafka.prefix + topic,
                line,
                key=head.subject.encode(),
                partition=partition,
                timestamp_ms=times.next(topic, partition, begin_ms),
            )
    finally:
        await producer.stop()


def _keys(redis: RedisSpace, stage: str, partition: int) -> PartitionKeys:
    return PartitionKeys(redis.settings.key_prefix, stage, partition)


def _ledger(redis: RedisSpace, stage: str, partition: int) -> Ledger:
    raw = redis.client.hget(_keys(redis, stage, partition).head, "ledger")
    return Ledger() if raw is None else msgspec.json.decode(bytes(raw), type=Ledger)  # type: ignore[arg-type]


def _is_done(redis: RedisSpace, events: int) -> bool:
    """All events applied, all observations in the drift stage, all alerts published."""
    places = [("accounts", number) for number in range(PARTITIONS)]
    if sum(_ledger(redis, *place).received for place in places) < events:
        return False
    observed = [redis.client.hget(_keys(redis, *place).head, "observations") or 0 for place in places]
    if _ledger(redis, "drift", 0).received < sum(int(count) for count in observed):  # type: ignore[arg-type]
        return False
    return not any(
        redis.client.llen(_keys(redis, *place).outgoing("alerts")) for place in [*places, ("drift", 0)]
    )


def _add(total: Ledger, ledger: Ledger) -> None:
    for name in total.__struct_fields__:
        setattr(total, name, getattr(total, name) + getattr(ledger, name))
