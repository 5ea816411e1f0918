"""Redis as a source: away and back, another layout, a cluster; long sorted sets read while they change; relisting."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from schemas.alerts import moment
from schemas.errors import StateRefused
from schemas.redis_settings import RedisSettings
from streams.cli.drift import command
from streams.kafka.partitioning import partition_of
from streams.serving import Unreadable, lists, redis_lists, redis_ranges, redis_relisting
from streams.serving.redis import RedisSource
from streams.serving.redis_ranges import Entry, Range, entries, together
from streams.stores.redis_keys import FIT_UNKNOWN, PartitionKeys
from tests.services.redis import RedisServer, RedisSpace, cluster_of
from tests.unit.serving_redis_world import ACCOUNTS, DRIFT, RedisWorld
from tests.unit.serving_world import GOOD, HOUR, NOW, Answer, get, icp, served

DEADLINE_S = 60


@pytest.fixture
def world(tmp_path: Path, redis: RedisSpace) -> Iterator[RedisWorld]:
    made = RedisWorld(tmp_path, redis.settings)
    yield made
    made.close()


def crowd(world: RedisWorld, size: int) -> None:
    """Many accounts that looked at prices once, the earlier the higher their number."""
    world.put([world.events.visit(f"a{n:04}", NOW - n * HOUR) for n in reversed(range(size))])


def names(world: RedisWorld, limit: int = 50) -> list[str]:
    return [each.account for each in world.serving.accounts("analytics", "trigger", limit).accounts]


# Away and back.


async def until(status: int, url: str, path: str) -> Answer:
    async with asyncio.timeout(DEADLINE_S):
        while (answer := await get(url, path)).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return answer


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
        assert (await until(200, url, "/readyz")).json == {"status": "ready"}
        assert (await get(url, "/v1/accounts/a")).json["account"] == "a"
        redis_server.freeze()
        answer = await get(url, "/v1/accounts/a")
        assert answer.status == 503
        assert "in time" in answer.text
        redis_server.thaw()
        assert (await until(200, url, "/v1/accounts/a")).json["account"] == "a"
    world.close()


def test_other_partition_counts_are_refused(world: RedisWorld) -> None:
    crowd(world, 2)
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
            crowd(each, 80)
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


# Long lists.


def test_the_first_ones_are_found_without_scoring_the_others(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(world, 500)
    world.relist()
    read: list[bytes] = []
    decode = lists.decode_state

    def counting(raw: bytes) -> Any:
        read.append(raw)
        return decode(raw)

    monkeypatch.setattr(lists, "decode_state", counting)
    assert names(world, 10) == [f"a{n:04}" for n in range(10)]
    assert len(read) < 40


SCORES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.1 + 0.2, 3.0, float("-inf")])
MEMBERS = st.text("abü客", min_size=1, max_size=3)
CHANGES = st.lists(st.tuples(MEMBERS, SCORES | st.none()), max_size=6)


@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(MEMBERS, SCORES, max_size=25),
    changes=st.lists(CHANGES, max_size=8),
    descending=st.booleans(),
    behind=st.none() | st.builds(Entry, MEMBERS, SCORES),
    size=st.integers(1, 4),
)
def test_what_stays_is_read_once_and_in_order_whatever_else_changes(
    redis: RedisSpace,
    members: dict[str, float],
    changes: list[list[tuple[str, float | None]]],
    descending: bool,
    behind: Entry | None,
    size: int,
) -> None:
    key = f"{redis.settings.key_prefix}:range"
    redis.client.delete(key)
    if members:
        redis.client.zadd(key, dict(members))
    moved: set[str] = set()
    each = Range(key, descending=descending, behind=behind)
    each._size = size
    found: list[Entry] = []
    later = iter(changes)
    for _ in range(200):
        (piece,) = together(redis.client, [each.piece()])
        found += piece
        if each.ended:
            break
        for member, score in next(later, []):
            moved.add(member)
            if score is None:
                redis.client.zrem(key, member)
            else:
                redis.client.zadd(key, {member: score})
    assert each.ended

    def place(entry: Entry) -> tuple[float, str]:
        return entry.score, entry.member

    expected = sorted((Entry(*item) for item in members.items()), key=place, reverse=descending)
    if behind is not None:
        expected = [
            e for e in expected if (place(e) < place(behind) if descending else place(e) > place(behind))
        ]
    assert found == sorted(found, key=place, reverse=descending)
    assert [e for e in found if e.member not in moved] == [e for e in expected if e.member not in moved]


def test_several_ranges_take_as_many_round_trips_as_the_longest(redis: RedisSpace) -> None:
    rng = random.Random(1)
    keys = [f"{redis.settings.key_prefix}:r{number}" for number in range(20)]
    for key in keys:
        redis.client.zadd(key, {f"m{n:04}": float(rng.randrange(3)) for n in range(300)})

    class Counting:
        trips = 0

        def pipeline(self, transaction: bool) -> Any:
            Counting.trips += 1
            return redis.client.pipeline(transaction=transaction)

    behind = Entry("m0150", 1.0)
    read = entries(Counting(), [Range(key, behind=behind) for key in keys])
    assert Counting.trips <= 12
    assert all(next(each).member > "m0150" for each in read)


def test_a_page_in_the_midst_of_equal_fits_goes_on_where_it_should(world: RedisWorld) -> None:
    crowd(world, 90)
    world.relist()
    keys = PartitionKeys(world.redis.key_prefix, "accounts", 0)
    with world.source.snapshot() as snapshot:
        client = snapshot._client
        assert client.zcount(keys.fit("embedded"), FIT_UNKNOWN, FIT_UNKNOWN) == 0  # written anew, with a fit
    seen: list[str] = []
    cursor = None
    for _ in range(20):
        page = world.serving.accounts("embedded", "fit", 7, cursor)
        seen += [each.account for each in page.accounts]
        cursor = page.next
        if cursor is None:
            break
    assert seen == sorted(set(seen))


# Writing the lists anew.


def test_an_edited_weight_is_seen_at_once_and_after_relisting(world: RedisWorld) -> None:
    crowd(world, 30)
    world.put([world.events.product("inviter", NOW - HOUR, "invited") for _ in range(2)])
    assert world.relist() == 31
    assert names(world, 1) == ["a0000"]
    world.change_icp(icp(pricing=5))
    before = names(world)
    assert before[0] == "inviter"
    assert world.relist() == 31
    assert names(world) == before
    assert world.relist() == 0
    with world.source.snapshot() as snapshot:
        assert snapshot.listed_under("analytics")


def test_a_commit_in_between_is_not_overwritten(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """States that change between reading and writing are read again."""
    crowd(world, 30)
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
    crowd(world, 40)
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
    assert names(world)[:2] == ["a0000", "a0001"]


def test_a_new_version_with_the_same_scoring_has_only_its_places_moved(world: RedisWorld) -> None:
    crowd(world, 30)
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
    crowd(world, 40)
    for number in range(ACCOUNTS):
        world.lists.take_over(number)
    async with asyncio.timeout(DEADLINE_S):
        while _listed_under(world) is None:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.02)
    assert names(world, 3) == ["a0000", "a0001", "a0002"]
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


def test_who_moves_down_while_the_list_is_read_comes_once(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_ranges, "FIRST", 2)
    monkeypatch.setattr(redis_lists, "AT_ONCE", 1)
    crowd(world, 30)
    place = PartitionKeys(world.redis.key_prefix, "accounts", partition_of("a0000", ACCOUNTS)).rank(
        "analytics"
    )
    with world.source.snapshot() as snapshot:
        rows = snapshot.by_rank("analytics")
        assert next(rows)[0] == "a0000"
        snapshot._client.zadd(place, {"a0000": -1000.0})
        assert sorted(row[0] for row in rows) == [f"a{n:04}" for n in range(1, 30)]


def test_relisting_waits_between_chunks(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_relisting, "CHUNK", 5)
    crowd(world, 60)
    relisting = world.lists.begin(1)
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    written = relisting.run(pause)
    assert written is not None
    assert len(pauses) == -(-written // 5)


# The command.


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
