"""``plumbline gateway`` as a process, in front of a real Kafka and a real Redis."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from streams.kafka.lag import Lag, lag_of
from streams.kafka.topics import EVENT_TOPICS
from streams.serving.contract import Progress
from streams.stores.contract import Ledger
from streams.stores.redis_keys import layout_key
from tests.services.kafka import Kafka
from tests.services.redis import RedisServer, RedisSpace
from tests.services.waiting import until
from tests.unit.gateway_service import BATCH, dump, event

ICP = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"
PARTITIONS = 2


def write_settings(folder: Path, kafka: Kafka, redis_url: str, key_prefix: str) -> Path:
    path = folder / "plumbline.yaml"
    path.write_text(
        json.dumps(
            {
                "listen": "127.0.0.1:0",
                "max_lag_events": 20,
                "icp": [str(ICP)],
                "kafka": {
                    "bootstrap": kafka.bootstrap,
                    "topic_prefix": kafka.prefix,
                    "partitions": PARTITIONS,
                },
                "redis": {"url": redis_url, "key_prefix": key_prefix},
            }
        )
    )
    return path


@asynccontextmanager
async def gateway(settings: Path) -> AsyncIterator[str]:
    """Its URL. At the end it is told to stop, and must end with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "streams",
        "gateway",
        "--settings",
        str(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        yield next((word for word in line.split() if word.startswith("http://")), line)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def until_status(http: aiohttp.ClientSession, url: str, status: int) -> None:
    async def answers() -> bool:
        return (await http.get(url)).status == status

    await until(answers)


async def test_events_go_to_kafka_and_pages_come_from_redis(
    kafka: Kafka, redis: RedisSpace, tmp_path: Path
) -> None:
    await kafka.create(*EVENT_TOPICS, partitions=PARTITIONS)
    redis.client.hset(
        layout_key(redis.settings.key_prefix), mapping={"version": 1, "accounts": PARTITIONS, "drift": 1}
    )
    settings = write_settings(tmp_path, kafka, str(redis.settings.url), redis.settings.key_prefix)
    async with gateway(settings) as url, aiohttp.ClientSession() as http:
        await until_status(http, f"{url}/readyz", 200)
        body = dump([event(number) for number in range(30)])
        answer = await http.post(f"{url}/v1/events", data=body, headers={"Content-Type": BATCH})
        assert (answer.status, await answer.json()) == (202, {"accepted": 30})
        assert len(await kafka.read("product.events")) == 30
        assert (await http.get(f"{url}/")).status == 200
        assert (await (await http.get(f"{url}/v1/alerts")).json())["alerts"] == []

        async def late() -> str:
            text = await (await http.get(f"{url}/metrics")).text()
            return text if "plumbline_lag_events 30.0" in text else ""

        text = await until(late)
        assert 'plumbline_gateway_events_total{result="kept"} 30.0' in text
        assert "plumbline_deliveries_total" not in text
        answer = await http.post(f"{url}/v1/events", data=body, headers={"Content-Type": BATCH})
        assert answer.status == 429, "more events wait than max_lag_events allows"


async def test_events_are_taken_while_redis_is_away(
    kafka: Kafka, redis_server: RedisServer, tmp_path: Path
) -> None:
    await kafka.create(*EVENT_TOPICS, partitions=PARTITIONS)
    redis_server.kill()
    async with (
        gateway(write_settings(tmp_path, kafka, redis_server.url, "plumbline")) as url,
        aiohttp.ClientSession() as http,
    ):
        await until_status(http, f"{url}/readyz", 200)
        answer = await http.post(f"{url}/v1/events", data=dump([event()]), headers={"Content-Type": BATCH})
        assert answer.status == 202
        answer = await http.get(f"{url}/v1/accounts")
        assert (answer.status, answer.content_type) == (503, "application/problem+json")
        assert (await http.get(f"{url}/metrics")).status == 200
        await asyncio.to_thread(redis_server.start)
        await until_status(http, f"{url}/v1/accounts", 200)


@pytest.mark.parametrize(
    ("offsets", "lag"),
    [
        ({"e": 90, "f": 5}, Lag(events=10, watermark=500.0)),
        ({"e": 100, "f": 5}, Lag()),
        ({"e": 20, "f": 5}, Lag(events=60, watermark=500.0)),
        ({}, Lag(events=65, watermark=500.0)),
        ({"e": 200, "f": 200}, Lag()),
    ],
)
def test_lag_is_what_is_kept_and_not_processed(offsets: dict[str, int], lag: Lag) -> None:
    """Of topic e, offsets 40 to 99 are kept; of topic f, 0 to 4."""
    progress = [Progress(partition=0, offsets=offsets, watermark=500.0, ledger=Ledger())]
    assert lag_of({("e", 0): 100, ("f", 0): 5}, {("e", 0): 40, ("f", 0): 0}, progress) == lag


def test_a_partition_that_nobody_has_processed_waits_whole() -> None:
    assert lag_of({("e", 0): 100}, {("e", 0): 0}, []) == Lag(events=100, watermark=0.0)
