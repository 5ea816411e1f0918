"""The programs that other tests rely on do what those tests take for granted."""

from __future__ import annotations

import asyncio
from collections import Counter

from aiohttp import web
from aiohttp.test_utils import TestServer
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from streams.metrics import CONTENT_TYPE, Metrics
from tests.services.prometheus import StartPrometheus
from tests.unit.batch_results import batch

PAGE = """<!doctype html><meta charset="utf-8"><title>Accounts</title><h1>Accounts by trigger</h1>
<img src="http://cdn.example/logo.png" onerror="console.error('the logo is not here')">
<script>document.querySelector('h1').dataset.seen = 'yes'</script>"""


async def test_chromium_shows_a_local_page_and_reaches_nothing_else(chromium: Chrome):
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)

    def look(url: str) -> tuple[str, str | None, list[str]]:
        chromium.get(url)
        heading = chromium.find_element(By.TAG_NAME, "h1")
        console = [entry["message"] for entry in chromium.get_log("browser")]
        return heading.text, heading.get_attribute("data-seen"), console

    async with TestServer(app) as server:
        text, seen, console = await asyncio.to_thread(look, str(server.make_url("/")))
    assert (text, seen) == ("Accounts by trigger", "yes")
    assert any("ERR_NAME_NOT_RESOLVED" in message for message in console)


async def test_prometheus_scrapes_our_exposition_and_answers_queries(prometheus: StartPrometheus):
    metrics = Metrics()
    metrics.batch_done("accounts", batch(), watermark=1_800_000_000.5)
    scrapes: Counter[str] = Counter()
    second_scrape = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        scrapes[request.path] += 1
        if scrapes["/metrics"] >= 2:  # it asks again once it has kept what it got
            second_scrape.set()
        return web.Response(body=metrics.expose(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    async with TestServer(app) as server:
        started = await prometheus(targets=[f"127.0.0.1:{server.port}"])
        async with asyncio.timeout(60):
            await second_scrape.wait()
        assert await value(started.query('up{job="plumbline"}')) == 1
        assert await value(started.query('plumbline_events_total{type="web.visit",result="applied"}')) == 3
        assert await value(started.query("plumbline_watermark_timestamp_seconds")) == 1_800_000_000.5
        assert await value(started.query('plumbline_trigger_score_bucket{le="0.0"}')) == 1
        assert await value(started.query("sum(plumbline_fit_score_count)")) == 2
        assert await started.query('{__name__=~"plumbline_.*_created"}') == []


async def value(query) -> float:
    (series,) = await query
    return float(series["value"][1])
