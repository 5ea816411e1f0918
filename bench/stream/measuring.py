"""Fills the topics and takes the arms in turn, round by round, so that a machine that changes its speed changes it for all."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from redis import Redis

from bench.events import write
from bench.stream.job import Job
from bench.stream.loading import Topics, create, load
from bench.stream.meter import Speed, speed_of
from bench.stream.running import ArmFailed, run_arm
from bench.stream.services import Services, processor_seconds
from bench.stream.worker_settings import write_settings
from schemas.observations import OBSERVATIONS
from streams.kafka.topics import ALERTS, DEAD_LETTERS

PARTITIONS = 4
ACCOUNTS = 10_000
SKEW = 1.1
PASSES = 3
"""The first of them warms up."""


class Size(Struct, kw_only=True):
    long: int
    """events for what is quick"""
    short: int
    """for what takes more than 50 microseconds an event; the same ones, the first of them"""
    rounds: int


class Arm(Struct, kw_only=True):
    name: str
    kind: str
    """of bench/stream/arms"""
    long: bool = True
    processes: int = 1
    passes: int = 1


ARMS = (
    Arm(name="fetch", kind="fetch", passes=PASSES),
    Arm(name="decode", kind="decode", passes=PASSES),
    Arm(name="step", kind="step"),
    Arm(name="plumbline", kind="plumbline"),
    Arm(name="plumbline-two", kind="plumbline", processes=2),
    Arm(name="bytewax", kind="bytewax"),
    Arm(name="quix", kind="quix", long=False),
    Arm(name="faust", kind="faust", long=False),
    Arm(name="faust-table", kind="faust-table", long=False),
)


class Result(Struct, kw_only=True):
    """One run of one arm."""

    speed: Speed
    services: dict[str, float]
    """program -> microseconds of its processor time an event, starting and ending of the arm included"""


Results = dict[str, list[Result]]


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def fill(services: Services, size: Size) -> None:
    """Makes the topics, and writes the events into them."""
    wanted = [
        Topics(prefix="long.", count=size.long, one=False),
        Topics(prefix="long.", count=size.long, one=True),
        Topics(prefix="short.", count=size.short, one=True),
    ]
    create(services.bootstrap, [name for topics in wanted for name in topics.names], PARTITIONS)
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        lines = Path(folder) / "events.jsonl"
        say(f"writing {size.long:,} events over {ACCOUNTS:,} accounts")
        write(size.long, ACCOUNTS, SKEW, 0.0, 1, lines)
        say("filling the topics")
        asyncio.run(load(services.bootstrap, lines, wanted, PARTITIONS))


def measure(services: Services, size: Size, arms: Sequence[Arm]) -> Results:
    """The results of each arm, one a round. Raises ArmFailed."""
    results: Results = {arm.name: [] for arm in arms}
    for number in range(1, size.rounds + 1):
        for arm in arms:
            began = time.monotonic()
            result = _one(services, size, arm)
            results[arm.name].append(result)
            say(
                f"round {number} of {size.rounds}: {arm.name:14} {result.speed.rate / 1000:7.1f} thousand events/s, "
                f"{result.speed.cost:6.2f} us of processor time each ({time.monotonic() - began:.0f} s)"
            )
    return results


def _one(services: Services, size: Size, arm: Arm) -> Result:
    events = size.long if arm.long else size.short
    run = f"{arm.name}-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        job = Job(
            arm=arm.kind,
            bootstrap=services.bootstrap,
            prefix="long." if arm.long else "short.",
            partitions=PARTITIONS,
            total=events * arm.passes,
            passes=arm.passes,
            run=run,
        )
        if arm.kind == "plumbline":
            # What another run left there is not this one's.
            create(
                services.bootstrap, [job.prefix + topic for topic in (OBSERVATIONS, ALERTS, DEAD_LETTERS)], 1
            )
            job.settings = str(write_settings(Path(folder), services, job.prefix, PARTITIONS, run))
        before = processor_seconds()
        trails = run_arm(job, processes=arm.processes)
        after = processor_seconds()
        if arm.kind == "plumbline":
            check_ledger(services.redis, run, PARTITIONS, events)
            with Redis.from_url(services.redis) as client:
                client.flushall()
    return Result(
        speed=speed_of(trails, events if arm.passes > 1 else 0),
        services={name: (after[name] - before[name]) / job.total * 1e6 for name in after},
    )


def check_ledger(url: str, key_prefix: str, partitions: int, events: int) -> None:
    """The store must say the same as the marks. Raises ArmFailed."""
    with Redis.from_url(url) as client:
        heads = [
            client.hget(f"{key_prefix}:1:{{accounts:{number}}}:head", "ledger")
            for number in range(partitions)
        ]
    ledgers = [json.loads(head) for head in heads if head is not None]
    applied = sum(ledger["applied"] for ledger in ledgers)
    received = sum(ledger["received"] for ledger in ledgers)
    if not applied == received == events:
        raise ArmFailed(f"the ledger says {applied} applied of {received} received, and there are {events}")
