"""What a run without any fault leaves, worked out in this process: the oracle of the fault tests.

The processors of both stages alone, one account partition after another, on a store of their own: no broker, no relay, no
worker. The drift stage gets the observations in the order that docs/decisions/drift-holds-back.md promises: by (known,
partition, number). So whatever workers, brokers and stores go through, there is one right answer, to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.drift import DriftStage
from schemas.alerts import decode_alert
from schemas.event_reader import EventReader
from schemas.observations import decode_observation
from schemas.redis_settings import RedisSettings
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.kafka.partitioning import partition_of
from streams.kafka.wire import Sent, decode_sent, encode_message
from streams.processor import Processor
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.stage import one_by_one
from streams.stores.contract import Ledger, decode_dead_letter
from streams.stores.redis import RedisStore
from tests.faults.distributed.contents import contents
from tests.services.workers import ICP, place

MALFORMED = 20
SETTINGS = Settings.model_validate({"clock": "events", "drift": {"horizon": "30d"}})
EXTRA_SETTINGS = "drift: {horizon: 30d}\n"
"""The same, for the workers' file."""
_ALL = 10_000_000


def history(folder: Path, *, activity: float = 0.2) -> list[bytes]:
    """A company's 120 days, with repeats, late events, events out of order and malformed lines."""
    order = Order(
        scenario=SCENARIOS["healthy"],
        accounts=400,
        days=120,
        seed=7,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=activity,
        malformed=MALFORMED,
    )
    simulate(order, folder / "events.jsonl", lambda *_: None)
    return (folder / "events.jsonl").read_bytes().splitlines()


class Undisturbed(Struct, frozen=True, kw_only=True):
    """``contents``: see contents.py. ``alerts``: id to body. ``dead_letters``: topic:partition:offset to reason; topics
    without a prefix. ``observations``: how many there were."""

    ledger: Ledger
    contents: Mapping[str, Any]
    alerts: Mapping[str, bytes]
    dead_letters: Mapping[str, str]
    observations: int


def undisturbed(lines: Sequence[bytes], redis: RedisSettings, partitions: int) -> Undisturbed:
    """``redis``: a place of its own; what is there afterwards is of no more use."""
    store = RedisStore(redis, accounts=partitions, drift=1)
    try:
        ledger = _accounts(lines, store, partitions)
        dead_letters = {
            f"{letter.topic}:{number}:{letter.offset}": letter.reason
            for number in range(partitions)
            for _, body in store.outgoing("accounts", number, "dead_letters", 0, _ALL)
            if (letter := decode_dead_letter(body))
        }
        observations = _drift(store, partitions)
        places = [("accounts", number) for number in range(partitions)] + [("drift", 0)]
        bodies = [body for each in places for _, body in store.outgoing(*each, "alerts", 0, _ALL)]
        return Undisturbed(
            ledger=ledger,
            contents=contents(redis, ""),
            alerts={decode_alert(body).id: body for body in bodies},
            dead_letters=dead_letters,
            observations=observations,
        )
    finally:
        store.close()


def _accounts(lines: Sequence[bytes], store: RedisStore, partitions: int) -> Ledger:
    parts: list[list[tuple[str, int, bytes]]] = [[] for _ in range(partitions)]
    ends: list[dict[str, int]] = [{} for _ in range(partitions)]
    for line in lines:
        topic, key = place(line)
        number = partition_of(key, partitions)
        offset = ends[number].get(topic, 0)
        ends[number][topic] = offset + 1
        parts[number].append((topic, offset, line))
    total = Ledger()
    for number in range(partitions):
        processor = Processor(
            store,
            AccountStage(load_icps([ICP]), signals(SETTINGS.drift), SETTINGS.late_after),
            EventReader(SETTINGS.limits, time.time()).read_all,
            partition=number,
            late_after_s=SETTINGS.late_after,
        )
        processor.process_merged(parts[number], ends[number])
        for name in total.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(processor.ledger, name))
    return total


def _drift(store: RedisStore, partitions: int) -> int:
    sent = []
    for number in range(partitions):
        for sequence, body in store.outgoing("accounts", number, "observations", 0, _ALL):
            known = decode_observation(body).known
            sent.append(
                Sent(source=number, sequence=sequence, known=known, sent=0.0, observation=msgspec.Raw(body))
            )
    sent.sort(key=lambda each: (each.known, each.source, each.sequence))
    processor = Processor(
        store, DriftStage(signals(SETTINGS.drift), load_icps([ICP])), one_by_one(decode_sent)
    )
    processor.process("observations", [(number, encode_message(each)) for number, each in enumerate(sent)])
    return len(sent)
