"""From the outbox to real receivers on loopback; time moves by hand, and tests wait for conditions."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from schemas.errors import BadInput
from schemas.settings import Endpoint, Settings
from streams.delivery import operations
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.lane import Pulse, QueueThread, Stopped
from streams.delivery.queue import Queue
from streams.delivery.schema import connect
from tests.services.waiting import until
from tests.unit.delivery_alerts import AT, drift, trigger
from tests.unit.delivery_running import SECRET, Clock, put, receiving, running, settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plumbline.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    path.touch()
    db = connect(path, create=True)
    yield db
    db.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_an_alert_arrives_signed_and_once(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    now = datetime.now(UTC)
    put(db, trigger(1, at=now))
    verified: list[object] = []

    async with receiving() as receiver:

        async def verify(request: web.BaseRequest) -> web.Response:
            verified.append(Webhook(SECRET).verify(await request.read(), dict(request.headers)))
            return web.Response(status=204)

        receiver.answer = verify
        clock.at = now.timestamp()
        async with running(path, settings({"crm": receiver.url}), clock) as made:
            await made.until(crm__delivered=1)
            put(db, trigger(2, at=now))
            made.dispatcher.wake()
            await made.until(crm__delivered=2)
        async with running(path, settings({"crm": receiver.url}), clock) as made:
            put(db, drift(at=now))
            await made.until(crm__delivered=1)  # found by polling alone
    assert receiver.ids == [trigger(1).id, trigger(2).id, drift().id]
    assert [v["type"] for v in verified] == ["plumbline.alert.trigger"] * 2 + ["plumbline.alert.drift"]  # type: ignore[index]


async def test_subscriptions_decide(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    put(db, trigger(1), drift(), trigger(2, at=AT - timedelta(days=8)))
    async with receiving() as sdr, receiving() as ops, receiving() as idle:
        urls = {"sdr": sdr.url, "ops": ops.url, "idle": idle.url}
        subscriptions: list[dict[str, object]] = [
            {"endpoint": "sdr", "kinds": ["trigger"]},
            {"endpoint": "ops", "kinds": ["drift"]},
        ]
        async with running(path, settings(urls, subscriptions), clock) as made:
            await made.until(sdr__delivered=1, ops__delivered=1, sdr__skipped=1)
    assert (sdr.ids, ops.ids, idle.ids) == ([trigger(1).id], [drift().id], [])


async def test_a_receiver_that_hangs_delays_nobody_else(
    path: Path, db: sqlite3.Connection, clock: Clock
) -> None:
    many = [trigger(n) for n in range(20)]
    put(db, *many)
    async with receiving() as slow, receiving() as quick:
        released = asyncio.Event()

        async def hang(_: web.BaseRequest) -> web.Response:
            await released.wait()
            return web.Response()

        slow.answer = hang
        urls = {"slow": slow.url, "quick": quick.url}
        async with running(path, settings(urls), clock, concurrency=3) as made:
            await slow.until(lambda: len(slow.ids) == 3)
            await made.until(quick__delivered=20)  # all of them, while the other has not answered one
            assert made.results["slow", "delivered"] == 0
            assert len(slow.ids) == 3, "no more at once than its concurrency"
            backlog = made.dispatcher.backlog()
            assert (backlog["slow"].sending, backlog["slow"].waiting) == (3, 17)
            assert backlog["quick"].total == 0
            released.set()
            await made.until(slow__delivered=20)
    assert sorted(slow.ids) == sorted(a.id for a in many)


async def test_deliveries_begin_in_order(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    many = [trigger(n) for n in range(30)]
    put(db, *many)
    async with (
        receiving() as receiver,
        running(path, settings({"crm": receiver.url}), clock, concurrency=1) as made,
    ):
        await made.until(crm__delivered=30)
    assert receiver.ids == [a.id for a in many]


async def test_failures_are_retried_with_the_same_id_until_dead(
    path: Path, db: sqlite3.Connection, clock: Clock
) -> None:
    put(db, trigger(1))
    async with receiving() as receiver:

        async def fail(_: web.BaseRequest) -> web.Response:
            clock.at += 60 * 3600  # whatever the wait, it is over
            return web.Response(status=500)

        receiver.answer = fail
        async with running(path, settings({"crm": receiver.url}), clock) as made:

            async def let_time_pass() -> None:
                while made.results["crm", "dead"] == 0:
                    made.changed.clear()
                    clock.at += 60 * 3600
                    await made.changed.wait()

            async with asyncio.timeout(20):
                await let_time_pass()
        assert made.results == Counter({("crm", "server_error"): 10, ("crm", "dead"): 1})
        assert receiver.ids == [trigger(1).id] * 10

        # A person repairs the receiver and sends the dead letter again, from another process.
        receiver.answer = receiver.accept
        async with running(path, settings({"crm": receiver.url}), clock) as made:
            operations.retry_dead(db, "crm", clock.at)
            await made.until(crm__delivered=1)


async def test_tries_survive_a_restart(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    put(db, trigger(1))
    async with receiving() as receiver:

        async def fail(_: web.BaseRequest) -> web.Response:
            return web.Response(status=503)

        receiver.answer = fail
        for number in range(1, 4):
            async with running(path, settings({"crm": receiver.url}), clock) as made:
                await made.until(crm__server_error=1)
            [delivery] = operations.list_deliveries(db)
            assert (delivery.state, delivery.tries) == ("retrying", number)
            assert delivery.next_try is not None
            clock.at = delivery.next_try


async def test_410_disables_and_enabling_sends(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    put(db, trigger(1))
    async with receiving() as receiver:

        async def gone(_: web.BaseRequest) -> web.Response:
            return web.Response(status=410)

        receiver.answer = gone
        async with running(path, settings({"crm": receiver.url}), clock, concurrency=1) as made:
            await made.until(crm__gone=1)
            put(db, trigger(2))
            made.dispatcher.wake()
            await until(lambda: made.dispatcher.backlog()["crm"].waiting == 1)
            assert len(receiver.ids) == 1
            receiver.answer = receiver.accept
            assert operations.enable(db, "crm")
            await made.until(crm__delivered=2)
    assert sorted(receiver.ids) == sorted([trigger(1).id, trigger(1).id, trigger(2).id])


async def test_stopping_gives_back_what_is_under_way(
    path: Path, db: sqlite3.Connection, clock: Clock
) -> None:
    put(db, trigger(1), trigger(2))
    async with receiving() as receiver:
        never = asyncio.Event()

        async def hang(_: web.BaseRequest) -> web.Response:
            await never.wait()
            return web.Response()

        receiver.answer = hang
        async with running(path, settings({"crm": receiver.url}), clock, grace_s=0.01):
            await receiver.until(lambda: len(receiver.ids) == 2)
        assert {(d.state, d.tries) for d in operations.list_deliveries(db)} == {("waiting", 0)}


async def test_stopping_lets_what_is_under_way_finish(
    path: Path, db: sqlite3.Connection, clock: Clock
) -> None:
    put(db, trigger(1))
    async with receiving() as receiver:
        released = asyncio.Event()

        async def wait(_: web.BaseRequest) -> web.Response:
            await released.wait()
            return web.Response()

        receiver.answer = wait
        async with (
            asyncio.timeout(20),
            running(path, settings({"crm": receiver.url}), clock, grace_s=15) as made,
        ):
            await receiver.until(lambda: len(receiver.ids) == 1)
            stopping = asyncio.create_task(made.dispatcher.stop())
            await asyncio.sleep(0)
            released.set()
            await stopping
        assert made.results == Counter({("crm", "delivered"): 1})


async def test_a_store_that_is_locked_is_waited_for(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    put(db, trigger(1))
    async with receiving() as receiver:

        async def lock(_: web.BaseRequest) -> web.Response:
            db.execute("BEGIN IMMEDIATE")
            return web.Response()

        receiver.answer = lock
        async with running(path, settings({"crm": receiver.url}), clock) as made:
            await receiver.until(lambda: len(receiver.ids) == 1)
            await until(lambda: db.in_transaction)
            db.execute("COMMIT")
            await made.until(crm__delivered=1)


async def test_a_store_that_fails_is_tried_again_until_the_service_stops(tmp_path: Path) -> None:
    tries = 0

    def full_at_first() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise sqlite3.OperationalError("database or disk is full")
        return "written"

    def always_full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    pulse = Pulse(0.001)
    with closing(Queue.open(tmp_path / "queue.db")) as queue, ThreadPoolExecutor(1) as thread:
        calls = QueueThread(queue, thread)
        assert await calls.call(pulse, full_at_first) == "written"
        pulse.stop()
        with pytest.raises(Stopped):
            await calls.call(pulse, always_full)


@pytest.mark.parametrize(
    ("url", "secret", "says"),
    [
        ("http://10.0.0.1/?key=hidden", SECRET, "private"),
        ("ftp://example.com/?key=hidden", SECRET, "scheme"),
        ("https://127.1/?key=hidden", SECRET, "odd address"),
        ("https://example.com/?key=hidden", "whsec_hiddn", "secret"),
    ],
)
def test_an_endpoint_that_can_never_work_is_refused_at_the_start(
    path: Path, clock: Clock, url: str, secret: str, says: str
) -> None:
    made = Endpoint.model_construct(
        name="crm",
        url=url,
        secrets=[SecretStr(secret)],
    )
    with pytest.raises(BadInput) as refused:
        Dispatcher(
            path,
            Settings.model_construct(endpoints=[made]),
            now=clock,
            rng=random.Random(1),
            on_result=lambda *_: None,
        )
    assert "endpoint crm" in str(refused.value)
    assert says in str(refused.value)
    assert "hidd" not in str(refused.value)


_KILLED = """
import asyncio, json, random, sys, time
from pathlib import Path
from schemas.settings import Settings
from streams.delivery.dispatcher import Dispatcher
asyncio.run(Dispatcher(Path(sys.argv[1]), Settings.model_validate(json.loads(sys.argv[2])), now=lambda: float(sys.argv[3]),
            rng=random.Random(), on_result=lambda *_: None, poll_s=0.01).run())
"""


async def test_kill_9_loses_no_alert(path: Path, db: sqlite3.Connection, clock: Clock) -> None:
    many = [trigger(n) for n in range(40)]
    put(db, *many)
    async with receiving() as receiver:
        written = {
            "endpoints": [{"name": "crm", "url": receiver.url, "secrets": [SECRET]}],
            "subscriptions": [{"endpoint": "crm"}],
            "egress": {"allow_networks": ["127.0.0.0/8"]},
        }
        for killed_after in (1, 9, 20):
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-c",
                    _KILLED,
                    str(path),
                    msgspec.json.encode(written).decode(),
                    str(clock.at),
                )
            )
            await receiver.until(lambda wanted=killed_after: len(receiver.ids) >= wanted)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with running(path, settings({"crm": receiver.url}), clock) as made:
            await until(lambda: made.dispatcher.backlog()["crm"].total == 0)
        assert set(receiver.ids) == {a.id for a in many}
        assert {d.state for d in operations.list_deliveries(db, limit=100)} == {"delivered"}
        assert len(receiver.ids) - len(many) <= 3 * 4, (
            "no more repeats than were under way when it was killed"
        )
