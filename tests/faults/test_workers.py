"""Workers that join, are killed, sleep for too long, or lose the store: every event is applied exactly once, and what comes
out is what an undisturbed worker brings."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from tests.services.kafka import Kafka
from tests.services.programs import free_port
from tests.services.redis import RedisServer
from tests.services.waiting import wait_until
from tests.services.workers import PARTITIONS, Deployment, WorkerProcess, deployment

MALFORMED = 20


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A short history with repeats, late events and malformed lines."""
    folder = tmp_path_factory.mktemp("history")
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=400,
        days=120,
        seed=7,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.2,
        malformed=MALFORMED,
    )
    simulate(order, folder / "events.jsonl", lambda *_: None)
    return (folder / "events.jsonl").read_bytes().splitlines()


def first_ms(history: list[bytes]) -> int:
    """So that the last record's timestamp is the present."""
    return int(time.time() * 1000) - len(history)


async def undisturbed(
    history: list[bytes], folder: Path, kafka: Kafka, redis_server: RedisServer
) -> dict[str, Any]:
    with deployment(folder, kafka, redis_server.url, "calm") as calm:
        await calm.produce(history, first_ms(history))
        worker = calm.start_worker()
        calm.wait_until_received(len(history))
        assert worker.stop() == 0, worker.text()
        check_ledger(calm, history)
        return calm.outcome()


def check_ledger(mine: Deployment, history: list[bytes]) -> None:
    ledger = mine.ledger()
    assert ledger.balanced
    assert ledger.received == len(history)
    assert ledger.dead_lettered == MALFORMED
    assert ledger.duplicate
    assert ledger.late


async def test_a_second_worker_joins_one_is_killed_one_stops_in_order(
    history: list[bytes], tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    expected = await undisturbed(history, tmp_path, kafka, redis_server)
    # Small batches, so that everything happens while there is work.
    with deployment(tmp_path, kafka, redis_server.url, "disturbed", batch_events=10) as mine:
        await mine.produce(history, first_ms(history))
        # It dies within a commit: what it was about to write is in, or it is not.
        assert mine.start_worker(failpoint="commit.after:30").exit_code() == -signal.SIGKILL
        one, two = mine.start_worker(), mine.start_worker()
        wait_until(lambda: 0 < len(accounts_of(one)) < PARTITIONS and 0 < len(accounts_of(two)) < PARTITIONS)
        one.kill()
        assert mine.ledger().received < len(history), "it was done before it was disturbed"
        three = mine.start_worker()
        three.wait_for("partitions_assigned")
        assert two.stop() == 0, two.text()
        assert two.events("worker_left")
        mine.wait_until_received(len(history))
        assert three.stop() == 0, three.text()
        check_ledger(mine, history)
        assert mine.outcome() == expected


def accounts_of(worker: WorkerProcess) -> list[int]:
    """The account partitions that it was given last."""
    assigned = worker.events("partitions_assigned")
    return list(assigned[-1]["accounts"]) if assigned else []


async def test_a_worker_that_slept_for_longer_than_its_session_is_fenced_and_comes_back(
    history: list[bytes], tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    half = len(history) // 2
    begin = first_ms(history)
    with deployment(tmp_path, kafka, redis_server.url, "asleep", batch_events=50) as mine:
        await mine.produce(history[:half], begin)
        sleeper = mine.start_worker()
        mine.wait_until_received(1)
        sleeper.send(signal.SIGSTOP)
        other = mine.start_worker()
        mine.wait_until_received(half)
        sleeper.send(signal.SIGCONT)
        await mine.produce(history[half:], begin + half)
        mine.wait_until_received(len(history))
        wait_until(lambda: len(sleeper.events("partitions_assigned")) >= 2)
        assert sleeper.stop() == 0, sleeper.text()
        assert other.stop() == 0, other.text()
        check_ledger(mine, history)


async def test_without_the_store_it_is_not_ready_and_goes_on_when_the_store_is_back(
    history: list[bytes], tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    half = len(history) // 2
    begin = first_ms(history)
    address = f"127.0.0.1:{free_port()}"

    def ready() -> bool:
        try:
            with urlopen(f"http://{address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with deployment(tmp_path, kafka, redis_server.url, "away") as mine:
        worker = mine.start_worker(metrics=address)
        wait_until(ready)
        await mine.produce(history[:half], begin)
        mine.wait_until_received(half)
        redis_server.kill()
        await mine.produce(history[half:], begin + half)
        worker.wait_for("partition_let_go")
        assert not ready()
        redis_server.start()
        mine.wait_until_received(len(history))
        wait_until(ready)
        lines = worker.events("partition_let_go")
        assert len(lines) <= 5, "one line for each partition that was held"
        assert worker.stop() == 0, worker.text()
        check_ledger(mine, history)


async def test_a_topic_that_grows_ends_the_worker_with_a_reason(
    history: list[bytes], tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    with deployment(tmp_path, kafka, redis_server.url, "grown") as mine:
        worker = mine.start_worker()
        worker.wait_for("partitions_assigned")
        await mine.kafka.grow("web.visits", partitions=5)
        assert worker.exit_code() == 4
        assert "web.visits has 5" in worker.text()
        assert mine.start_worker().exit_code() == 4


async def test_an_event_in_another_partition_than_its_subjects_is_a_dead_letter(
    history: list[bytes], tmp_path: Path, kafka: Kafka, redis_server: RedisServer
) -> None:
    with deployment(tmp_path, kafka, redis_server.url, "misplaced") as mine:
        lines = [line for line in history if b'"type":"product.event"' in line][:20]
        await mine.kafka.produce("product.events", [("all of them in one place", line) for line in lines])
        worker = mine.start_worker()
        mine.wait_until_received(len(lines))
        assert worker.stop() == 0
        letters = await mine.kafka.read("dead-letters")
        assert mine.ledger().dead_lettered == len(letters) > 0
        assert {dict(letter.headers)["reason"] for letter in letters} == {b"wrong_partition"}
