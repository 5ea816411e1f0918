"""From an event to its webhook: gateway, Kafka, worker, Redis, relay, the alerts topic, delivery, a receiver on loopback.

First the whole chain is kept busy, to see how many events a second it takes in on this machine; then it gets half of
that, and among these events, now and then, the one that brings an account over its threshold. What is measured is the time
from the beginning of that event's request to the arrival of its webhook. Sender and receiver share the machine with
everything else, and their own process with each other.

The events are those of the stream, with the present as their time: a live run, in which timers follow the clock.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from msgspec import Struct
from redis import Redis

from bench.events import write
from bench.stream.job import ROOT
from bench.stream.live_events import endless, profile, visit
from bench.stream.measuring import ACCOUNTS, PARTITIONS, SKEW, say
from bench.stream.running import ArmFailed
from bench.stream.services import Services
from bench.stream.worker_settings import write_settings
from streams.kafka import topics
from streams.settings_file import load_settings
from tests.services.programs import free_port

PREFIX = "live."
SENDERS = 4
"""requests at a time while the chain is kept busy"""
BATCH = 500
"""events in a request"""
PORTIONS_A_SECOND = 20
_LIMIT_S = 120.0
_END_S = 20.0
_PROBE = re.compile(rb'"account":"(probe-[0-9]+)"')


class Plan(Struct, kw_only=True):
    busy_s: float
    """how long the chain is kept busy"""
    probes: int
    probes_a_second: int


class Latency(Struct, kw_only=True):
    busy_rate: float
    """events a second that the chain has taken in while it was kept busy"""
    rate: float
    """events a second while the latency was measured"""
    seconds: list[float]
    """of each probe, in order"""


def measure_latency(services: Services, plan: Plan) -> Latency:
    """Raises ArmFailed when a process ends, or webhooks or events are missing."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as name, ExitStack() as processes:
        folder = Path(name)
        lines = folder / "events.jsonl"
        write(100_000, ACCOUNTS, SKEW, 0.0, 2, lines)
        run = f"live-{secrets.token_hex(4)}"
        gateway, receiver = free_port(), free_port()
        settings = write_settings(
            folder,
            services,
            PREFIX,
            PARTITIONS,
            run,
            clock="wall",
            listen=f"127.0.0.1:{gateway}",
            endpoints=[
                {
                    "name": "receiver",
                    "url": f"http://127.0.0.1:{receiver}/",
                    "secrets": ["whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()],
                }
            ],
            subscriptions=[{"endpoint": "receiver", "kinds": ["trigger"]}],
            egress={"allow_networks": ["127.0.0.1/32"]},
        )
        topics.create(load_settings(settings))
        for command in ("worker", "gateway", "deliver"):
            processes.enter_context(_running(command, settings, folder))
        with Redis.from_url(services.redis) as store:
            chain = _Chain(store, run, f"http://127.0.0.1:{gateway}/v1/events", receiver, lines, plan.probes)
            found = asyncio.run(chain.measure(plan))
            store.flushall()
    return found


@contextmanager
def _running(command: str, settings: Path, folder: Path) -> Iterator[None]:
    """`plumbline COMMAND` until the end of the block. Raises ArmFailed when it has ended before that."""
    output = folder / f"{command}.log"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", command, "--settings", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("PLUMBLINE_")},
            start_new_session=True,
        )
    try:
        try:
            yield
        except ArmFailed as failure:
            said = output.read_bytes()[-2000:].decode(errors="replace")
            raise ArmFailed(f"{failure}\nplumbline {command}:\n{said}") from None
    finally:
        ended = process.poll()
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if ended is not None:
        said = output.read_bytes()[-2000:].decode(errors="replace")
        raise ArmFailed(f"plumbline {command} ended with {ended}\n{said}")


class _Chain:
    """Sends to the chain, and receives from it. ``run``: prefix of its keys in the store."""

    def __init__(self, store: Redis, run: str, url: str, port: int, lines: Path, probes: int) -> None:
        self._store = store
        self._heads = [f"{run}:1:{{accounts:{number}}}:head" for number in range(PARTITIONS)]
        self._url = url
        self._port = port
        self._lines = endless(lines)
        self._probes = probes
        self._posted = 0
        self._arrived: dict[str, float] = {}
        self._all_arrived = asyncio.Event()

    async def measure(self, plan: Plan) -> Latency:
        runner = web.AppRunner(self._receiver())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
                say("latency: waiting for gateway and worker")
                await self._prepare(http)
                say("latency: keeping the chain busy")
                busy_rate = await self._keep_busy(http, plan.busy_s)
                await self._applied()
                say(f"latency: it takes {busy_rate:,.0f} events/s; {plan.probes} probes at half of that")
                return await self._probe(http, plan, busy_rate)
        finally:
            await runner.cleanup()

    def _receiver(self) -> web.Application:
        async def receive(request: web.Request) -> web.Response:
            body = await request.read()
            now = time.monotonic()
            if (probe := _PROBE.search(body)) is not None:
                self._arrived.setdefault(probe[1].decode(), now)
                if len(self._arrived) == self._probes:
                    self._all_arrived.set()
            return web.Response(status=204)

        application = web.Application()
        application.router.add_post("/", receive)
        return application

    async def _prepare(self, http: aiohttp.ClientSession) -> None:
        """Brings every probe's account to where one more visit raises its alert; waits until that is applied."""
        events = [
            event for number in range(self._probes) for event in (profile(number), visit(number, "first"))
        ]
        async with asyncio.timeout(_LIMIT_S):
            while True:
                try:
                    await self._post(http, events)
                    break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.2)
        await self._applied()
        if self._arrived:
            raise ArmFailed("a probe has raised its alert before its time")

    async def _keep_busy(self, http: aiohttp.ClientSession, seconds: float) -> float:
        """Events a second applied in the second half of the time, in which nothing is new any more."""
        ends = time.monotonic() + seconds

        async def send() -> None:
            while time.monotonic() < ends:
                await self._post(http, list(itertools.islice(self._lines, BATCH)))

        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(send())
            await asyncio.sleep(seconds / 2)
            before, began = self._received(), time.monotonic()
            await asyncio.sleep(seconds / 2)
            return (self._received() - before) / (time.monotonic() - began)

    async def _probe(self, http: aiohttp.ClientSession, plan: Plan, busy_rate: float) -> Latency:
        sent: dict[str, float] = {}
        before, began = self._posted, time.monotonic()
        done = asyncio.Event()

        async def load() -> None:
            portion = max(1, int(busy_rate / 2 / PORTIONS_A_SECOND))
            due = began
            while not done.is_set():
                await self._post(http, list(itertools.islice(self._lines, portion)))
                due += 1 / PORTIONS_A_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        async def ask() -> None:
            for number in range(plan.probes):
                await asyncio.sleep(max(0.0, began + number / plan.probes_a_second - time.monotonic()))
                event = visit(number, "second")
                sent[f"probe-{number}"] = time.monotonic()
                await self._post(http, [event])

        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load())
            await group.create_task(ask())
            rate = (self._posted - before) / (time.monotonic() - began)
            try:
                async with asyncio.timeout(_LIMIT_S):
                    await self._all_arrived.wait()
            except TimeoutError:
                raise ArmFailed(f"{len(self._arrived)} webhooks of {plan.probes} have arrived") from None
            finally:
                done.set()
            await loading
        await self._applied()
        seconds = sorted(self._arrived[probe] - at for probe, at in sent.items())
        return Latency(busy_rate=busy_rate, rate=rate, seconds=seconds)

    async def _post(self, http: aiohttp.ClientSession, events: list[bytes]) -> None:
        """Until it is accepted: the gateway may say that it has enough for now."""
        body = b"\n".join(events)
        while True:
            async with http.post(
                self._url, data=body, headers={"Content-Type": "application/x-ndjson"}
            ) as answer:
                said = await answer.read()
                if answer.status == 202:
                    self._posted += len(events)
                    return
                if answer.status not in (429, 503):
                    raise ArmFailed(
                        f"the gateway answers {answer.status}: {said[:500].decode(errors='replace')}"
                    )
            await asyncio.sleep(0.2)

    def _received(self) -> int:
        ledgers = [self._store.hget(head, "ledger") for head in self._heads]
        return sum(json.loads(ledger)["received"] for ledger in ledgers if ledger is not None)

    async def _applied(self) -> None:
        """Waits until all that was accepted is in the store."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                while self._received() < self._posted:  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ArmFailed(f"{self._received()} events of {self._posted} are in the store") from None


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def in_words(latency: Latency) -> str:
    """For the page."""
    milliseconds = [1000 * each for each in latency.seconds]
    return (
        f"The chain takes {latency.busy_rate:,.0f} events a second here; at {latency.rate:,.0f} a second the time from an "
        f"event's request to its webhook is {statistics.median(milliseconds):,.0f} ms (p50), "
        f"{percentile(milliseconds, 0.99):,.0f} ms (p99), {milliseconds[-1]:,.0f} ms at most, over "
        f"{len(milliseconds)} alerts."
    )
