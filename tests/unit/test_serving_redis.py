"""Redis as a source: away and back, empty, another layout, a cluster; and the command that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from schemas.errors import StateRefused
from schemas.redis_settings import RedisSettings
from streams.cli.drift import command
from streams.serving import Unreadable
from streams.serving.redis import RedisSource
from tests.services.redis import RedisServer, RedisSpace, cluster_of
from tests.services.waiting import until
from tests.unit.serving_redis_world import ACCOUNTS, DRIFT, RedisWorld
from tests.unit.serving_world import GOOD, HOUR, NOW, Answer, get, served


@pytest.fixture
def world(tmp_path: Path, redis: RedisSpace) -> Iterator[RedisWorld]:
    made = RedisWorld(tmp_path, redis.settings)
    yield made
    made.close()


async def answered(status: int, url: str, path: str) -> Answer:
    async def look() -> Answer | None:
        answer = await get(url, path)
        return answer if answer.status == status else None

    return await until(look)


async def test_redis_away_is_503_with_what_is_wrong_and_comes_back_by_itself(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    world = RedisWorld(tmp_path, RedisSettings(url=redis_server.url, timeout=0.5, connect_timeout=0.5))
    world.put([world.events.profile("a", NOW - HOUR, **GOOD), world.events.visit("a", NOW)])
    async with served(world) as url:
        assert (await get(url, "/readyz")).status == 200
        redis_server.kill()
        for path in ("/readyz", "/v1/accounts", "/v1/accounts/a", "/v1/alerts", "/v1/drift", "/v1/ledger"):
            answer = await get(url, path)
            assert answer.status == 503
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert "Redis" in answer.text
            assert "redis.url" in answer.text
            assert answer.headers["Retry-After"]
            assert redis_server.url.removeprefix("redis://") not in answer.text
        page = await get(url, "/")
        assert page.status == 503
        assert "Redis" in page.text
        assert (await get(url, "/healthz")).status == 200
        redis_server.start()
        assert (await answered(200, url, "/readyz")).json == {"status": "ready"}
        assert (await get(url, "/v1/accounts/a")).json["account"] == "a"
        redis_server.freeze()
        answer = await get(url, "/v1/accounts/a")
        assert answer.status == 503
        assert "in time" in answer.text
        redis_server.thaw()
        assert (await answered(200, url, "/v1/accounts/a")).json["account"] == "a"
    world.close()


def test_other_partition_counts_are_refused(world: RedisWorld) -> None:
    world.crowd(2)
    for partitions in ({"accounts": ACCOUNTS + 1, "drift": DRIFT}, {"accounts": ACCOUNTS, "drift": 1}):
        source = RedisSource(world.redis, partitions)
        with pytest.raises(StateRefused, match="layout"), source.snapshot():
            pass
        source.close()


def test_a_store_that_nobody_wrote_to_is_empty(redis: RedisSpace) -> None:
    source = RedisSource(redis.settings, {"accounts": 4, "drift": 1})
    with source.snapshot() as snapshot:
        assert snapshot.account_count() == 0
        assert list(snapshot.account_states()) == []
        assert snapshot.listed_under("v") is None
        assert snapshot.progress("accounts") == []
    source.close()
    assert redis.key_names() == []


def test_a_cluster_that_is_away_is_unreadable() -> None:
    source = RedisSource(RedisSettings(cluster=["redis://127.0.0.1:1"]), {"accounts": 1, "drift": 1})
    with pytest.raises(Unreadable, match="can't be reached"), source.snapshot():
        pass


def test_a_cluster_answers_as_one_server(tmp_path: Path, world: RedisWorld) -> None:
    with cluster_of(3) as nodes:
        spread = RedisWorld(tmp_path, RedisSettings(cluster=[node.url for node in nodes]))
        for each in (world, spread):
            each.events = type(each.events)()
            each.crowd(80)
            make = each.events
            each.put([make.profile("good", NOW, **GOOD), make.visit("good", NOW), make.visit("good", NOW)])
            each.drift()
            assert each.relist() == 82  # who has a profile is in both lists
        for order in ("trigger", "fit"):
            one, other = (each.serving.accounts("analytics", order, 30) for each in (world, spread))
            assert msgspec.json.encode(one) == msgspec.json.encode(other)
            assert one.next is not None
            one, other = (each.serving.accounts("analytics", order, 30, one.next) for each in (world, spread))
            assert len(one.accounts) == 30
            assert msgspec.json.encode(one) == msgspec.json.encode(other)
        assert msgspec.json.encode(spread.serving.books()) == msgspec.json.encode(world.serving.books())
        assert msgspec.json.encode(spread.serving.drift()) == msgspec.json.encode(world.serving.drift())
        spread.close()


def test_plumbline_drift_reads_redis_with_kafka_in_the_settings(world: RedisWorld, tmp_path: Path) -> None:
    world.drift()
    settings = tmp_path / "plumbline.yaml"
    settings.write_text(
        f"kafka: {{bootstrap: '127.0.0.1:1', partitions: {ACCOUNTS}, drift_partitions: {DRIFT}}}\n"
        f"redis: {{url: '{world.redis.url}', key_prefix: {world.redis.key_prefix}}}\n"
    )
    result = CliRunner().invoke(command, ["list", "--json", "--settings", str(settings)])
    assert result.exit_code == 0
    assert json.loads(result.output)["verdicts"] == json.loads(msgspec.json.encode(world.serving.drift()))
