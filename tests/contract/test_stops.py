"""Where it stands that a partition stands still: the same in SQLite and in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreUnavailable
from schemas.redis_settings import RedisSettings
from schemas.settings import DeadLetterSettings
from streams.flood_gate import LOOK_EVERY_S, FloodGate
from streams.flood_limit import DeadLetterFlood, Flood, FloodLimit
from streams.stores.redis_connection import connect
from streams.stores.redis_stops import RedisStops
from streams.stores.stops import SqliteStops, Stop, Stops
from tests.services.redis import RedisServer, RedisSpace

FLOOD = DeadLetterFlood(Flood(dead=6, events=10), ["bad_time", "not_json"])
LIMIT = DeadLetterSettings(window=10, share=0.5, min_count=5)


@pytest.fixture(params=["sqlite", "redis"])
def stops(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stops]:
    if request.param == "sqlite":
        yield SqliteStops(tmp_path / "plumbline.db")
        return
    space: RedisSpace = request.getfixturevalue("redis")
    client = connect(space.settings)
    yield RedisStops(client, space.settings.key_prefix, 3, "the address in the settings")
    client.close()


def stop(partition: int, at: float = 1.0) -> Stop:
    return Stop(partition=partition, at=at, dead=6, events=10, reasons=("bad_time",))


def test_what_was_put_is_there_until_it_is_removed(stops: Stops) -> None:
    assert stops.stopped() == []
    stops.put(stop(2))
    stops.put(stop(0))
    stops.put(stop(0, at=5.0))
    assert [(each.partition, each.at, list(each.reasons)) for each in stops.stopped()] == [
        (0, 5.0, ["bad_time"]),
        (2, 1.0, ["bad_time"]),
    ]
    assert stops.remove(0)
    assert not stops.remove(0)
    assert [each.partition for each in stops.stopped()] == [2]


def test_a_gate_is_shut_until_somebody_opens_it(stops: Stops) -> None:
    now = 100.0
    limit = FloodLimit(LIMIT)
    assert limit.take(10, range(10)) == Flood(dead=5, events=5)
    gate = FloodGate(limit, stops, partition=1, now=lambda: now)
    assert gate.open()
    gate.shut(FLOOD)
    now += LOOK_EVERY_S
    assert not gate.open()
    assert gate.reason.startswith(
        "partition 1: 6 of the last 10 events would be dead letters (bad_time, not_json)"
    )
    assert [(each.partition, each.dead, each.at) for each in stops.stopped()] == [(1, 6, 100.0)]
    stops.remove(1)
    assert not gate.open(), "it looks now and then only"
    now += LOOK_EVERY_S
    assert gate.open()
    assert gate.reason == ""
    assert limit.take(10, range(10)) is None, "the limit is lifted"


def test_a_new_start_judges_anew(stops: Stops) -> None:
    FloodGate(FloodLimit(LIMIT), stops, partition=1).shut(FLOOD)
    assert FloodGate(FloodLimit(LIMIT), stops, partition=1).open()
    assert stops.stopped() == []


def test_redis_away_is_said_without_its_address(redis_server: RedisServer) -> None:
    client = connect(RedisSettings(url=redis_server.url))
    redis_server.kill()
    with pytest.raises(StoreUnavailable) as away:
        RedisStops(client, "p", 1, "the address in the settings").stopped()
    assert redis_server.url not in str(away.value)
    client.close()
