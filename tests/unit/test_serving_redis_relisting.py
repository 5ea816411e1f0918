"""The account lists in Redis written anew after the ICP file changed, while workers go on committing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.alerts import moment
from streams.kafka.partitioning import partition_of
from streams.serving import redis_relisting
from streams.stores.redis_keys import PartitionKeys
from tests.services.redis import RedisSpace
from tests.services.waiting import until
from tests.unit.serving_redis_world import ACCOUNTS, RedisWorld
from tests.unit.serving_world import HOUR, NOW, icp


@pytest.fixture
def world(tmp_path: Path, redis: RedisSpace) -> Iterator[RedisWorld]:
    made = RedisWorld(tmp_path, redis.settings)
    yield made
    made.close()


def test_an_edited_weight_is_seen_at_once_and_after_relisting(world: RedisWorld) -> None:
    world.crowd(30)
    world.put([world.events.product("inviter", NOW - HOUR, "invited") for _ in range(2)])
    assert world.relist() == 31
    assert world.names(1) == ["a0000"]
    world.change_icp(icp(pricing=5))
    before = world.names()
    assert before[0] == "inviter"
    assert world.relist() == 31
    assert world.names() == before
    assert world.relist() == 0
    with world.source.snapshot() as snapshot:
        assert snapshot.listed_under("analytics")


def test_a_commit_in_between_is_not_overwritten(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """States that change between reading and writing are read again."""
    world.crowd(30)
    compute = redis_relisting.listings_of
    busy = {f"a{n:04}" for n in range(0, 30, 3)}

    def interrupted(variants: Any, account: str, raw: bytes, now: float) -> Any:
        if account in busy:
            busy.remove(account)
            world.put(
                [world.events.product(account, NOW, "invited"), world.events.product(account, NOW, "invited")]
            )
        return compute(variants, account, raw, now)

    monkeypatch.setattr(redis_relisting, "listings_of", interrupted)
    world.relist()
    assert busy == set()
    by_order = world.serving.accounts("analytics", "trigger", 3)
    for number in range(ACCOUNTS):
        keys = PartitionKeys(world.redis.key_prefix, "accounts", number)
        with world.source.snapshot() as snapshot:
            snapshot._client.delete(keys.listed_under)
    by_scoring = world.serving.accounts("analytics", "trigger", 3)
    assert msgspec.json.encode(by_order) == msgspec.json.encode(by_scoring)
    assert by_order.accounts[0].trigger > 40


def test_whoever_begins_later_has_the_lists(world: RedisWorld) -> None:
    """While a cluster is being renewed, an owner with the old file must not call its order good after a new one began."""
    world.crowd(40)
    world.change_icp(icp(pricing=30))
    old = [world.lists.begin(number) for number in range(ACCOUNTS)]
    world.change_icp(icp(pricing=5))
    new = [world.lists.begin(number) for number in range(ACCOUNTS)]
    assert [each.run(lambda seconds: False) for each in old] == [None] * ACCOUNTS
    with world.source.snapshot() as snapshot:
        assert snapshot.listed_under("analytics") is None
    assert sum(each.run(lambda seconds: False) or 0 for each in new) == 40
    world.change_icp(icp())
    again = world.lists.begin(0)
    with world.source.snapshot() as snapshot:
        assert snapshot.listed_under("analytics") is None
    assert again.run(lambda seconds: True) is None
    assert world.names()[:2] == ["a0000", "a0001"]


def test_a_new_version_with_the_same_scoring_has_only_its_places_moved(world: RedisWorld) -> None:
    world.crowd(30)
    assert world.relist() == 30
    begins = NOW - 5 * HOUR
    later = icp(version="2", effective_from=moment(begins).isoformat())
    world.change_icp(icp(), later)
    with world.source.snapshot() as snapshot:
        before = [account for account, _ in snapshot.listed_before("analytics", NOW)]
        assert snapshot.listed_under("analytics")
    assert world.relist() == 0  # places are as of the relisting before
    world.put([world.events.visit(f"old{n}", NOW - 8 * HOUR) for n in range(3)])
    with world.source.snapshot() as snapshot:
        stale = sorted(account for account, _ in snapshot.listed_before("analytics", begins))
    assert before == []
    assert stale == ["old0", "old1", "old2"]
    assert world.relist() == 3
    with world.source.snapshot() as snapshot:
        assert list(snapshot.listed_before("analytics", begins)) == []


async def test_who_takes_a_partition_over_has_its_lists_written(world: RedisWorld) -> None:
    world.crowd(40)
    for number in range(ACCOUNTS):
        world.lists.take_over(number)
    await until(lambda: _listed_under(world))
    assert world.names(3) == ["a0000", "a0001", "a0002"]
    world.change_icp(icp(pricing=5))
    world.lists.take_over(0)
    world.lists.close()
    assert _listed_under(world) is None


def _listed_under(world: RedisWorld) -> str | None:
    with world.source.snapshot() as snapshot:
        return snapshot.listed_under("analytics")


def test_a_partition_without_accounts_does_not_matter(world: RedisWorld) -> None:
    world.put([world.events.visit("a", NOW)])
    assert _listed_under(world) is None
    assert world.lists.begin(partition_of("a", ACCOUNTS)).run(lambda seconds: False) == 1
    assert _listed_under(world) is not None


def test_relisting_waits_between_chunks(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_relisting, "CHUNK", 5)
    world.crowd(60)
    relisting = world.lists.begin(1)
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    written = relisting.run(pause)
    assert written is not None
    assert len(pauses) == -(-written // 5)
