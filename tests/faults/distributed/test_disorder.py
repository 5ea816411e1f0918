"""Repeats, late events, and topics that do not keep step: the scores are those of events in order, each once."""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgspec
import pytest

from schemas.errors import EventRefused
from schemas.event_reader import EventReader
from streams.icp_files import load_icps
from streams.serving.reading import Serving
from streams.serving.redis import RedisSource
from tests.faults.distributed import oracle
from tests.faults.distributed.conftest import PARTITIONS
from tests.faults.distributed.undisturbed import EXTRA_SETTINGS, SETTINGS
from tests.services.kafka import Kafka
from tests.services.redis import RedisServer
from tests.services.workers import ICP, Deployment, deployment

WINDOW_S = 10 * 86_400.0
"""Events change places within so long: well below late_after, so that each still counts."""
REPEATED = 0.2


def in_order(lines: list[bytes]) -> list[bytes]:
    """The events that can be used, each once, by their own times."""
    read = EventReader(SETTINGS.limits, time.time()).read
    found: dict[str, tuple[float, bytes]] = {}
    for line in lines:
        try:
            _, at, event = read(line)
        except EventRefused:
            continue
        found.setdefault(event.id, (at, line))
    return [line for _, line in sorted(found.values())]


def in_disorder(lines: list[bytes]) -> list[bytes]:
    """The same events, as they come when topics lag behind one another and senders try again."""
    order = random.Random(5)
    read = EventReader(SETTINGS.limits, time.time()).read
    lag: dict[str, float] = {}
    arriving = []
    for line in lines:
        _, at, event = read(line)
        behind = lag.setdefault(type(event).topic, order.uniform(0, WINDOW_S / 2))
        for _ in range(2 if order.random() < REPEATED else 1):
            arriving.append((at + behind + order.uniform(0, WINDOW_S / 2), line))
    arriving.sort()
    return [line for _, line in arriving]


async def scores(
    mine: Deployment, lines: list[bytes], at: float
) -> dict[str, dict[str, tuple[float, float]]]:
    """Account to variant to (fit, trigger score) at ``at`` (Unix seconds), as the API has them."""
    await mine.produce(lines, int(time.time() * 1000) - len(lines))
    worker = mine.start_worker()
    mine.wait_until_received(len(lines))
    assert worker.stop() == 0
    source = RedisSource(oracle.settings_of(mine), {"accounts": PARTITIONS, "drift": 1})
    serving = Serving(source, load_icps([ICP]), SETTINGS, now=lambda: at)
    try:
        subjects = {msgspec.json.decode(line)["subject"] for line in lines}
        views = {subject: serving.account(subject) for subject in sorted(subjects)}
        return {
            subject: {each.variant: (each.fit.score, each.trigger.score) for each in view.variants}
            for subject, view in views.items()
            if view is not None
        }
    finally:
        serving.close()


async def test_repeats_late_events_and_topics_out_of_step_give_the_same_scores(
    lines: list[bytes], tmp_path: Path, kafka: Kafka, shared_redis_server: RedisServer
) -> None:
    ordered = in_order(lines)
    disordered = in_disorder(ordered)
    assert len(disordered) > 1.1 * len(ordered)
    read = EventReader(SETTINGS.limits, time.time()).read
    end = max(read(line)[1] for line in ordered)
    found = {}
    for name, history in (("ordered", ordered), ("disordered", disordered)):
        with deployment(
            tmp_path, kafka, shared_redis_server.url, name, partitions=PARTITIONS, extra=EXTRA_SETTINGS
        ) as mine:
            found[name] = await scores(mine, history, end)
            ledger = mine.ledger()
            assert ledger.balanced
            assert ledger.applied == len(ordered)
            assert ledger.duplicate == len(history) - len(ordered)
    assert found["ordered"].keys() == found["disordered"].keys()
    assert any(trigger for variants in found["ordered"].values() for _, trigger in variants.values())
    for account, variants in found["ordered"].items():
        for variant, expected in variants.items():
            assert found["disordered"][account][variant] == pytest.approx(expected, abs=1e-6), account
