"""Receivers of webhooks that are dead, drip or redirect: the others get theirs as if these were not there.

Each alert arrives at the good one before the next is written, while the others have never taken one. The times are printed,
for docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from statistics import quantiles

from aiohttp import web

from schemas.settings import Settings
from tests.contract.test_deliver_kafka import delivering, records
from tests.services.kafka import Kafka
from tests.services.programs import free_port
from tests.unit.delivery_alerts import trigger
from tests.unit.delivery_running import SECRET, Receiver, receiving

ALERTS = 200


def configured(kafka: Kafka, folder: Path, urls: dict[str, str]) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": str(folder),
            "kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": kafka.prefix, "group": folder.name},
            "endpoints": [{"name": name, "url": url, "secrets": [SECRET]} for name, url in urls.items()],
            "subscriptions": [{"endpoint": name} for name in urls],
            "egress": {"allow_networks": ["127.0.0.0/8"]},
        }
    )


async def delivered(
    kafka: Kafka, folder: Path, good: Receiver, urls: dict[str, str], run: str
) -> list[float]:
    """Seconds from the write of each alert to its arrival at ``good``, one alert after the other."""
    mine = Kafka(kafka.bootstrap, f"{kafka.prefix}{run}.")
    await mine.create("alerts", partitions=1)
    taken = []
    async with delivering(configured(mine, folder / run, {"good": good.url, **urls})):
        for number in range(ALERTS):
            alert = trigger(id=f"{run}-{number:03}")
            written = time.monotonic()
            await mine.produce("alerts", records(alert))
            await good.until(lambda alert=alert: alert.id in good.ids)  # type: ignore[misc]
            taken.append(time.monotonic() - written)
    return taken


async def test_a_dead_a_dripping_and_a_redirecting_receiver_hold_up_nobody_else(
    kafka: Kafka, tmp_path: Path
) -> None:
    enough = asyncio.Event()

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        """An answer that never ends, a byte now and then."""
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):  # the sender has had enough
            while not enough.is_set():
                await response.write(b".")
                with suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), 0.5)
        return response

    async def redirect(_: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"location": trap.url})

    async with AsyncExitStack() as stack:
        good, slow, elsewhere, trap = [await stack.enter_async_context(receiving()) for _ in range(4)]
        slow.answer, elsewhere.answer = drip, redirect  # type: ignore[assignment]
        alone = await delivered(kafka, tmp_path, good, {}, "alone")
        bad = {
            "dead": f"http://127.0.0.1:{free_port()}/hook",
            "slow": slow.url,
            "elsewhere": elsewhere.url,
        }
        among = await delivered(kafka, tmp_path, good, bad, "among")
        assert slow.ids, "the dripping one was never asked"
        assert elsewhere.ids, "the redirecting one was never asked"
        assert not trap.ids, "a redirection was followed"
        assert len(good.ids) == len(set(good.ids)) == 2 * ALERTS
        enough.set()
    for name, taken in (("alone", alone), ("among bad ones", among)):
        print(
            f"{name}: p50 {quantiles(taken, n=100)[49] * 1000:.0f} ms, p99 {quantiles(taken, n=100)[98] * 1000:.0f} ms"
        )
