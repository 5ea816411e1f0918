"""A partition that a worker holds and nobody fetches, on a real broker: the worker is not ready as soon as there is something to
read, says which, and is ready again when it is read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from streams.icp_files import load_icps
from streams.kafka import fetch_watch
from streams.kafka.worker import Worker
from streams.settings_file import load_settings
from tests.services.kafka import Kafka
from tests.services.redis import RedisServer
from tests.services.waiting import until
from tests.services.workers import deployment

EVENTS = 20


def visit(number: int) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"v-{number}","source":"/web","type":"web.visit","subject":"visitor:{number}",'
        f'"time":"2026-05-01T08:00:00Z","data":{{"visitor_id":"{number}","url":"https://acme.example/","path":"/"}}}}'
    ).encode()


async def test_a_worker_that_does_not_fetch_is_not_ready_while_there_are_records(
    tmp_path: Path, kafka: Kafka, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_watch, "QUIET_S", 2.0)
    monkeypatch.setattr(fetch_watch, "EVERY_S", 0.1)
    with deployment(tmp_path, kafka, redis_server.url, "unfetched") as mine:
        settings = load_settings(mine.settings)
        worker = Worker(settings, load_icps(settings.icp))
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.ready()[0] and worker._lanes.held())
        # Behind the back of the lanes, as a fault of the client would be.
        held = {tp for lane in worker._lanes.held() for tp in lane.partitions}
        worker.consumer.pause_partitions(held)

        def suspected() -> bool:
            return len(fetch_watch._suspected(worker._lanes.held())) == len(held)

        await until(suspected)
        await worker._fetch_watch._look(worker._lanes.held, worker.consumer.ends)
        assert worker.ready() == (True, ""), "there is nothing to fetch"

        await mine.produce([visit(number) for number in range(EVENTS)], int(time.time() * 1000))
        await until(lambda: not worker.ready()[0])
        reason = worker.ready()[1]
        assert reason.startswith("nothing was fetched for 2 s from ")
        assert "though they have records" in reason
        assert {tp.topic for tp in worker._fetch_watch.unfetched} == {f"{mine.kafka.prefix}web.visits"}
        number = len(worker._fetch_watch.unfetched)
        assert f"plumbline_partitions_unfetched {number:.1f}" in worker._expose().decode()

        worker.consumer.resume(held)
        await until(lambda: worker.ready()[0])
        await until(lambda: mine.ledger().received == EVENTS)
        worker.stop()
        await running
