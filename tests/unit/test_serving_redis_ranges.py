"""Long sorted sets in Redis: read by pieces, each member once and in order, while others change them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.kafka.partitioning import partition_of
from streams.serving import lists, redis_lists, redis_ranges
from streams.serving.redis_ranges import Entry, Range, entries, together
from streams.stores.redis_keys import FIT_UNKNOWN, PartitionKeys
from tests.services.redis import RedisSpace
from tests.unit.serving_redis_world import ACCOUNTS, RedisWorld


@pytest.fixture
def world(tmp_path: Path, redis: RedisSpace) -> Iterator[RedisWorld]:
    made = RedisWorld(tmp_path, redis.settings)
    yield made
    made.close()


def test_the_first_ones_are_found_without_scoring_the_others(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.crowd(500)
    world.relist()
    read: list[bytes] = []
    decode = lists.decode_state

    def counting(raw: bytes) -> Any:
        read.append(raw)
        return decode(raw)

    monkeypatch.setattr(lists, "decode_state", counting)
    assert world.names(10) == [f"a{n:04}" for n in range(10)]
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
    world.crowd(90)
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


def test_who_moves_down_while_the_list_is_read_comes_once(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_ranges, "FIRST", 2)
    monkeypatch.setattr(redis_lists, "AT_ONCE", 1)
    world.crowd(30)
    place = PartitionKeys(world.redis.key_prefix, "accounts", partition_of("a0000", ACCOUNTS)).rank(
        "analytics"
    )
    with world.source.snapshot() as snapshot:
        rows = snapshot.by_rank("analytics")
        assert next(rows)[0] == "a0000"
        snapshot._client.zadd(place, {"a0000": -1000.0})
        assert sorted(row[0] for row in rows) == [f"a{n:04}" for n in range(1, 30)]
