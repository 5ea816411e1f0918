"""Stock Faust: an agent, its state in a dictionary or in a table (memory store, changelog topic).

The web server is off and the event loop is uvloop, both as Faust's documents suggest for speed. In the table the state
stays an object: it is encoded for the changelog at each write, and never decoded while the worker runs.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import faust
from faust.serializers import codecs
from mode import loop

from bench.stream.job import ONE_TOPIC, Job
from bench.stream.meter import Meter
from bench.stream.step import AccountState, AccountStep, decode_state, encode_state


class _StateCodec(codecs.Codec):
    def _dumps(self, obj: AccountState) -> bytes:
        return encode_state(obj)

    def _loads(self, s: bytes) -> AccountState:
        return decode_state(s)


def run(job: Job) -> None:
    loop.use("uvloop")
    codecs.register("account_state", _StateCodec())
    app = faust.App(
        job.run,
        broker=f"kafka://{job.bootstrap}",
        store="memory://",
        datadir=job.scratch,
        topic_partitions=job.partitions,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    events = app.topic(
        job.prefix + ONE_TOPIC, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw"
    )
    step = AccountStep(Meter(job.total, job.pipe))
    table = job.arm == "faust-table"
    states: MutableMapping[str, AccountState] = {}
    if table:
        accounts = app.Table("accounts", partitions=job.partitions, key_type=str)
        accounts.key_serializer, accounts.value_serializer = "raw", "account_state"
        states = accounts

    @app.agent(events)
    async def score(stream: Any) -> None:
        async for body in stream:
            account, at, event = step.read(body)
            state = states.get(account)
            if state is None:
                state = states[account] = AccountState()
            step.take(account, state, event, at)
            if table:
                states[account] = state

    faust.Worker(app, loglevel=logging.WARNING, redirect_stdouts=False).execute_from_commandline()
