"""Quix Streams: the step in a stateful ``update`` over RocksDB with a changelog topic.

Everything is at its default (at-least-once, a commit every 5 s, states in RocksDB, changelog on). RocksDB holds bytes, so
the state is decoded and encoded around each step.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.state import State

from bench.stream.job import ONE_TOPIC, Job
from bench.stream.meter import Meter
from bench.stream.step import AccountState, AccountStep, decode_state, encode_state


def run(job: Job) -> None:
    step = AccountStep(Meter(job.total, job.pipe))

    def score(body: Any, state: State) -> None:
        account, at, event = step.read(body)
        stored = state.get_bytes("account")
        account_state = AccountState() if stored is None else decode_state(stored)
        step.take(account, account_state, event, at)
        state.set_bytes("account", encode_state(account_state))

    app = Application(
        job.bootstrap,
        consumer_group=job.run,
        auto_offset_reset="earliest",
        state_dir=job.scratch,
        loglevel="ERROR",
    )
    events = app.topic(job.prefix + ONE_TOPIC, key_deserializer="str", value_deserializer="bytes")
    app.dataframe(events).update(score, stateful=True)
    app.run()
