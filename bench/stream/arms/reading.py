"""aiokafka alone: it gives the records; for ``decode`` msgspec decodes each into its event class; for ``step`` the step is
taken with the states in a dictionary, so that no engine has less to do.

The first two are quick and read the topics several times, each time from the beginning: what has been fetched ahead when
a pass ends is thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.stream.job import Job
from bench.stream.meter import Meter
from bench.stream.step import AccountState, AccountStep
from schemas.events import Event

PORTION = 2000
"""records taken at a time"""


def run(job: Job) -> None:
    uvloop.run(_read(job, Meter(job.total, job.pipe)))


async def _read(job: Job, meter: Meter) -> None:
    take = _TAKERS[job.arm](meter)
    consumer = AIOKafkaConsumer(bootstrap_servers=job.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, number) for topic in job.topics for number in range(job.partitions)
        ]
        consumer.assign(partitions)
        for number in range(1, job.passes + 1):
            await consumer.seek_to_beginning(*partitions)
            while meter.applied < job.total * number // job.passes:
                found = await consumer.getmany(timeout_ms=500, max_records=PORTION)
                for records in found.values():
                    take(records)
            meter.mark()
        await asyncio.Event().wait()  # until it is ended
    finally:
        await consumer.stop()


def _fetch(meter: Meter) -> Callable[[Sequence[Any]], None]:
    return lambda records: meter.took(len(records))


def _decode(meter: Meter) -> Callable[[Sequence[Any]], None]:
    decode = msgspec.json.Decoder(Event).decode

    def take(records: Sequence[Any]) -> None:
        for record in records:
            decode(record.value)
        meter.took(len(records))

    return take


def _step(meter: Meter) -> Callable[[Sequence[Any]], None]:
    step = AccountStep(meter)
    states: dict[str, AccountState] = {}

    def take(records: Sequence[Any]) -> None:
        for record in records:
            account, at, event = step.read(record.value)
            state = states.get(account)
            if state is None:
                state = states[account] = AccountState()
            step.take(account, state, event, at)

    return take


_TAKERS = {"fetch": _fetch, "decode": _decode, "step": _step}
