"""``plumbline deliver`` on a real Kafka: every alert of the topic goes out once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from schemas.alerts import Alert, encode_alert
from schemas.settings import Settings
from streams.delivery.intake import Intake, outbox_row
from streams.delivery.schema import connect
from streams.kafka.alerts_reader import AlertsReader
from streams.kafka.delivering import DeliveryService, QueueInUse
from tests.services.kafka import Kafka
from tests.services.waiting import until
from tests.unit.delivery_alerts import drift, trigger
from tests.unit.delivery_running import SECRET, START, Receiver, receiving


def configured(kafka: Kafka, folder: Path, url: str) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": str(folder),
            "kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": kafka.prefix},
            "endpoints": [{"name": "crm", "url": url, "secrets": [SECRET]}],
            "subscriptions": [{"endpoint": "crm"}],
            "egress": {"allow_networks": ["127.0.0.0/8"]},
        }
    )


def records(*alerts: Alert) -> list[tuple[str, bytes]]:
    return [(alert.id, encode_alert(alert)) for alert in alerts]


@asynccontextmanager
async def delivering(settings: Settings, **options: Any) -> AsyncIterator[DeliveryService]:
    service = DeliveryService(settings, now=lambda: START, **options)
    up = asyncio.Event()
    url = ""

    def started(at: str) -> None:
        nonlocal url
        url = at
        up.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(service.run(started))
        waiting = group.create_task(up.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        try:
            service.url = url  # type: ignore[attr-defined]
            yield service
        finally:
            waiting.cancel()
            service.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_each_alert_goes_out_once_over_repeats_and_restarts(
    kafka: Kafka, tmp_path: Path, receiver: Receiver
) -> None:
    await kafka.create("alerts", partitions=2)
    first = [trigger(id=f"alert-{number:03}") for number in range(20)]
    await kafka.produce("alerts", records(*first[:10], *first[:10]))
    settings = configured(kafka, tmp_path, receiver.url)
    async with delivering(settings):
        await receiver.until(lambda: len(receiver.ids) == 10)
    await kafka.produce("alerts", records(*first[5:], drift(id="drift-1")))
    async with delivering(settings):
        await receiver.until(lambda: len(receiver.ids) == 21)
    async with delivering(settings):
        await kafka.produce("alerts", records(trigger(id="last-one")))
        await receiver.until(lambda: len(receiver.ids) == 22)
    assert Counter(receiver.ids) == Counter([*(alert.id for alert in first), "drift-1", "last-one"])


async def test_what_cannot_be_read_is_shown_and_holds_up_nothing(
    kafka: Kafka, tmp_path: Path, receiver: Receiver
) -> None:
    await kafka.create("alerts", partitions=1)
    await kafka.produce("alerts", [("a", b"from the future"), ("b", b""), *records(trigger(id="alert-1"))])
    async with delivering(configured(kafka, tmp_path, receiver.url)):
        await receiver.until(lambda: receiver.ids == ["alert-1"])
    with closing(connect(tmp_path / "plumbline.db", create=False)) as db:
        rows = db.execute("SELECT alert_id, state FROM deliveries ORDER BY alert_id").fetchall()
    assert [tuple(row) for row in rows] == [
        ("alert-1", "delivered"),
        ("unreadable-0-0", "dead"),
        ("unreadable-0-1", "dead"),
    ]


async def test_health_readiness_and_metrics_say_how_it_stands(
    kafka: Kafka, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        delivering(configured(kafka, tmp_path, receiver.url), metrics_at="127.0.0.1:0") as service,
        aiohttp.ClientSession() as http,
    ):
        url = service.url  # type: ignore[attr-defined]
        assert (await http.get(f"{url}/healthz")).status == 200
        answer = await http.get(f"{url}/readyz")
        assert answer.status == 503
        await kafka.create("alerts", partitions=1)
        await kafka.produce("alerts", records(trigger(id="alert-1")))
        await receiver.until(lambda: receiver.ids == ["alert-1"])
        assert (await http.get(f"{url}/readyz")).status == 200
        async with asyncio.timeout(20):
            while True:
                text = await (await http.get(f"{url}/metrics")).text()
                if 'plumbline_deliveries_total{endpoint="crm",result="delivered"} 1.0' in text:
                    break
        assert "plumbline_alerts_topic_waiting 0.0" in text
        assert "plumbline_events_total" not in text, "a process says nothing of what it does not do"


async def test_a_second_process_on_the_same_directory_is_refused(
    kafka: Kafka, tmp_path: Path, receiver: Receiver
) -> None:
    await kafka.create("alerts", partitions=1)
    settings = configured(kafka, tmp_path, receiver.url)
    async with delivering(settings):
        with pytest.raises(QueueInUse):
            await DeliveryService(settings).run()


async def test_alerts_that_the_topic_has_dropped_are_counted(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create("alerts", partitions=1)
    topic = kafka.prefix + "alerts"
    alerts = [trigger(id=f"alert-{number:03}") for number in range(8)]
    await kafka.produce("alerts", records(*alerts))
    with ThreadPoolExecutor(1) as thread:
        intake = thread.submit(Intake.open, tmp_path / "plumbline.db").result()
        thread.submit(intake.take_in, topic, [], {0: 2}).result()
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=5)})
        await admin.close()
        lost: list[int] = []
        taken: list[int] = []
        reader = AlertsReader(
            {"bootstrap_servers": kafka.bootstrap},
            topic,
            intake,
            thread,
            taken=taken.append,
            lost=lost.append,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reader.run())
            await until(lambda: sum(taken) >= 3)
            reader.stop()
        assert (lost, taken) == ([3], [3])
        assert thread.submit(intake.positions, topic).result() == {0: 8}
        thread.submit(intake.close).result()


def test_alerts_and_positions_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "plumbline.db", create=True)) as db:
        intake = Intake(db)
        row = outbox_row(encode_alert(trigger(id="alert-1")), "0-0", 0.0)
        assert intake.take_in("alerts", [row], {0: 1}) == 1
        with pytest.raises(AttributeError):
            intake.take_in("alerts", [outbox_row(b"?", "0-1", 0.0), None], {0: 3})  # type: ignore[list-item]
        assert intake.positions("alerts") == {0: 1}
        assert intake.take_in("alerts", [row], {0: 2}) == 0, "it is there already"
        assert [tuple(each) for each in db.execute("SELECT id, kind FROM outbox")] == [("alert-1", "trigger")]
