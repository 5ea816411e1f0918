"""Bytewax: KafkaSource, and the step in ``stateful_batch``, which hands a key's events over together.

One worker in one process, batches of 1,000 and epochs of 10 s, as `python -m bytewax.run` has them. Without a recovery
folder nothing of the state is durable.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.stream.job import ONE_TOPIC, Job
from bench.stream.meter import Meter
from bench.stream.step import AccountState, AccountStep, decode_state, encode_state


class _Account(StatefulBatchLogic[tuple, None, bytes]):  # type: ignore[type-arg]
    def __init__(self, step: AccountStep, stored: bytes | None) -> None:
        self._step = step
        self._state = AccountState() if stored is None else decode_state(stored)

    def on_batch(self, values: list[tuple]) -> tuple[Iterable[None], bool]:  # type: ignore[type-arg]
        for account, at, event in values:
            self._step.take(account, self._state, event, at)
        return (), StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        return encode_state(self._state)


class _Nothing(StatelessSinkPartition[tuple[str, None]]):
    def write_batch(self, items: list[tuple[str, None]]) -> None:
        """A flow must end somewhere; the step's alerts are counted in the step."""


class _NothingSink(DynamicSink[tuple[str, None]]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Nothing:
        return _Nothing()


def run(job: Job) -> None:
    step = AccountStep(Meter(job.total, job.pipe))

    def keyed(messages: list[KafkaSourceMessage[bytes, bytes]]) -> list[tuple[str, tuple]]:  # type: ignore[type-arg]
        return [(record[0], record) for record in [step.read(message.value) for message in messages]]

    flow = Dataflow("accounts")
    messages = op.input(
        "events", flow, KafkaSource([job.bootstrap], [job.prefix + ONE_TOPIC], batch_size=1000)
    )
    records = op.flat_map_batch("decode", messages, keyed)
    nothing = op.stateful_batch("step", records, lambda stored: _Account(step, stored))
    op.output("out", nothing, _NothingSink())
    run_main(flow, epoch_interval=timedelta(seconds=10))
