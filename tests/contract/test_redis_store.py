"""What the Redis store keeps beyond the contract of all stores: docs/redis.md, RelayStore, DriftStore."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.effects import Listing
from schemas.errors import Fenced, StateRefused
from streams.stores.contract import (
    Claim,
    Commit,
    DeadLetter,
    Held,
    Intake,
    Ledger,
    OutboxRow,
    Source,
    StateWrite,
    decode_dead_letter,
)
from streams.stores.redis import RedisStore
from streams.stores.redis_keys import LAYOUT_VERSION, RECENT_DEAD_LETTERS, PartitionKeys, layout_key
from tests.services.redis import RedisSpace

DOCS = (Path(__file__).parents[2] / "docs/redis.md").read_text(encoding="utf-8")
DAY = 86_400.0


@pytest.fixture
def store(redis: RedisSpace) -> Iterator[RedisStore]:
    made = RedisStore(redis.settings, accounts=3, drift=2)
    yield made
    made.close()


@pytest.fixture
def keys(redis: RedisSpace) -> PartitionKeys:
    return PartitionKeys(redis.settings.key_prefix, "accounts", 0)


def put(store: RedisStore, claim: Claim, **parts: object) -> Claim:
    return store.commit(claim, Commit(ledger=Ledger(), **parts)).claim


def alert(number: int, at: float, **facts: str) -> OutboxRow:
    body = msgspec.json.encode({"id": f"id{number}", "kind": "trigger", **facts})
    return OutboxRow(f"id{number}", "trigger", at, body)


def full_commit() -> Commit:
    return Commit(
        states=[
            StateWrite("acme", b"\x00\xff", 0, 7.5, True),
            StateWrite("product:p", b"p", 0, None, True),
            StateWrite("visitor:v", b"v", 0, None, True),
        ],
        listings=[
            Listing("best: of all", "acme", 70.0, 1.0, 100.0, 3.0, 50.0),
            Listing("best: of all", "lost", -1.0, 1.0, 100.0, -math.inf, 50.0),
            Listing("best: of all", "new", None, 1.0, 100.0, 0.0, 50.0),
        ],
        outbox=[alert(1, 5.0, account="acme", variant="v"), alert(2, 6.0, signal="plg.conversion_gap")],
        observations=[b"o1", b"o2"],
        dead_letters=[DeadLetter("events", 9, "not_json", "x", b"\xff{")],
        offsets={"b": 2, "a": 1},
        watermark=1234.000_000_1,
        ledger=Ledger(received=4, applied=3, dead_lettered=1),
    )


def test_all_keys_are_those_of_the_document(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys
) -> None:
    store.commit(store.claim("accounts", 0), full_commit())
    drift = store.claim("drift", 1)
    put(
        store,
        drift,
        intake=Intake(
            held=[Held(1.0, 2, 3, b"h")], sources={2: Source(sequence=3, watermark=9.5, caught_up=2.0)}
        ),
    )
    redis.client.hset(keys.listed_under, "v", "scoring")  # written by serving
    redis.client.set(keys.stopped, "{}")  # written by the worker's flood gate
    table = dict(
        re.findall(r"^\| (`[^|]+`) \| ([a-z ]+) \|", DOCS.split("## How it is used")[0], re.MULTILINE)
    )
    documented = {
        name: kind.strip() for names, kind in table.items() for name in re.findall(r"`([^`]+)`", names)
    }
    kinds = {"hash": "hash", "string": "string", "zset": "sorted set", "list": "list"}
    prefix = redis.settings.key_prefix
    seen = set()
    for key in redis.key_names():
        name = re.sub(rf"^{prefix}:1:\{{(accounts:0|drift:1)\}}:", "", key).replace(prefix, "plumbline")
        name = re.sub(r"^(rank|fit|listed):.*", r"\1:VARIANT", name)
        name = re.sub(
            r"^alerts:(kind|account|variant|signal):.*", lambda m: f"alerts:{m[1]}:{m[1].upper()}", name
        )
        assert kinds[redis.client.type(key).decode()] == documented[name], key
        seen.add(name)
    assert seen == set(documented)


def test_what_is_written_is_what_the_document_says(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys
) -> None:
    claim = store.claim("accounts", 0)
    store.commit(claim, full_commit())
    client = redis.client
    head = client.hgetall(keys.head)
    assert head == {
        b"version": b"%d" % (claim.version + 1),
        b"offsets": b'{"a":1,"b":2}',
        b"watermark": b"1234.0000001",
        b"ledger": b'{"received":4,"applied":3,"duplicate":0,"late":0,"dead_lettered":1}',
        b"accounts": b"1",
        b"observations": b"2",
        b"alerts": b"2",
        b"dead_letters": b"1",
    }
    assert client.hgetall(keys.states) == {b"acme": b"\x00\xff", b"product:p": b"p", b"visitor:v": b"v"}
    assert client.zrange(keys.timers, 0, -1, withscores=True) == [(b"acme", 7.5)]
    by_rank = client.zrange(keys.rank("best: of all"), 0, -1, desc=True, withscores=True)
    assert by_rank == [(b"acme", 5.0), (b"new", 2.0), (b"lost", -math.inf)]
    by_fit = client.zrange(keys.fit("best: of all"), 0, -1, withscores=True)
    assert by_fit == [(b"acme", -70.0), (b"lost", 1.0), (b"new", 2.0)]
    assert client.zscore(keys.listed("best: of all"), "new") == 100.0
    assert client.zrange(keys.alerts_by_time, 0, -1) == [b"id1", b"id2"]
    assert client.zrange(keys.alerts_of("kind", "trigger"), 0, -1) == [b"id1", b"id2"]
    assert client.zrange(keys.alerts_of("account", "acme"), 0, -1) == [b"id1"]
    assert client.zrange(keys.alerts_of("signal", "plg.conversion_gap"), 0, -1) == [b"id2"]
    assert client.hgetall(keys.dead_letter_reasons) == {b"not_json": b"1"}
    (recent,) = client.lrange(keys.recent_dead_letters, 0, -1)
    assert decode_dead_letter(recent) == DeadLetter("events", 9, "not_json", "x", b"")


def test_an_account_that_gets_a_profile_later_gets_its_fit(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys
) -> None:
    claim = put(store, store.claim("accounts", 0), listings=[Listing("v", "a", None, 1.0, 1.0, 0.0, 1.0)])
    put(store, claim, listings=[Listing("v", "a", 40.0, 1.0, 2.0, 0.0, 1.0)])
    assert redis.client.zscore(keys.fit("v"), "a") == -40.0


def test_accounts_are_counted_once(redis: RedisSpace, store: RedisStore, keys: PartitionKeys) -> None:
    claim = store.claim("accounts", 0)
    for row in (0, 1, 0):
        claim = put(store, claim, states=[StateWrite("a", b"s", row, None, False)])
    put(store, claim, states=[StateWrite("b", b"s", 0, None, False)])
    assert redis.client.hget(keys.head, "accounts") == b"2"


def test_what_leaves_is_numbered_and_trimmed_once_published(store: RedisStore) -> None:
    claim = put(store, store.claim("accounts", 2), observations=[b"1", b"2"])
    claim = put(store, claim, observations=[b"3"])
    read = store.outgoing
    assert read("accounts", 2, "observations", 0, 10) == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert read("accounts", 2, "observations", 1, 1) == [(2, b"2")]
    assert read("accounts", 1, "observations", 0, 10) == []
    store.trim("accounts", 2, "observations", 2)
    store.trim("accounts", 2, "observations", 1)  # a former owner is late
    assert read("accounts", 2, "observations", 0, 10) == [(3, b"3")]
    store.trim("accounts", 2, "observations", 3)
    assert read("accounts", 2, "observations", 0, 10) == []
    put(store, claim, observations=[b"4"])
    assert read("accounts", 2, "observations", 0, 10) == [(4, b"4")]
    store.trim("accounts", 2, "observations", 99)
    assert read("accounts", 2, "observations", 0, 10) == []


def test_alerts_and_dead_letters_leave_too(store: RedisStore) -> None:
    letter = DeadLetter("crm.accounts", 3, "not_json", "here", b"\x80\xff")
    put(store, store.claim("drift", 0), outbox=[alert(1, 1.0)], dead_letters=[letter])
    assert store.outgoing("drift", 0, "alerts", 0, 10) == [(1, alert(1, 1.0).body)]
    ((_, raw),) = store.outgoing("drift", 0, "dead_letters", 0, 10)
    assert decode_dead_letter(raw) == letter


def test_an_alert_that_is_there_leaves_once(store: RedisStore) -> None:
    claim = put(store, store.claim("accounts", 0), outbox=[alert(1, 1.0)])
    store.trim("accounts", 0, "alerts", 1)
    put(store, claim, outbox=[alert(1, 1.0), alert(2, 2.0)])
    assert store.outgoing("accounts", 0, "alerts", 0, 10) == [(2, alert(2, 2.0).body)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.lists(
        st.tuples(st.floats(0, 2e9), st.integers(0, 4095), st.integers(1, 2**53)), unique=True, max_size=40
    ),
    until=st.floats(0, 2e9),
    limit=st.integers(1, 50),
)
def test_held_observations_come_in_order_of_release(
    store: RedisStore, held: list[tuple[float, int, int]], until: float, limit: int
) -> None:
    by_name = {(source, sequence): known for known, source, sequence in held}
    all_held = [Held(known, *name, b"%d:%d" % name) for name, known in by_name.items()]
    claim = put(store, store.claim("drift", 0), intake=Intake(held=all_held))
    assert store.held_count(claim) == len(all_held)
    ordered = sorted(all_held, key=lambda one: (one.known, one.source, one.sequence))
    assert store.held(claim, until, limit) == [one for one in ordered if one.known <= until][:limit]
    claim = put(store, claim, intake=Intake(released=all_held))
    assert (store.held(claim, math.inf, limit), store.held_count(claim)) == ([], 0)


def test_what_the_drift_stage_heard_is_kept(store: RedisStore) -> None:
    heard = {0: Source(sequence=7, watermark=1.25), 11: Source(caught_up=3.5)}
    claim = put(store, store.claim("drift", 0), intake=Intake(sources=heard))
    put(store, claim, intake=Intake(sources={0: Source(sequence=8, watermark=2.0, caught_up=1.0)}))
    assert store.sources(store.claim("drift", 0)) == {
        0: Source(sequence=8, watermark=2.0, caught_up=1.0),
        11: heard[11],
    }


def test_held_and_released_in_one_commit_is_released(store: RedisStore) -> None:
    one = Held(1.0, 0, 1, b"x")
    claim = put(store, store.claim("drift", 0), intake=Intake(held=[one], released=[one]))
    assert store.held_count(claim) == 0


def test_a_former_owner_reads_nothing_either(store: RedisStore) -> None:
    former = store.claim("drift", 0)
    store.claim("drift", 0)
    with pytest.raises(Fenced):
        store.load(former, ["a"], None)
    with pytest.raises(Fenced):
        store.held(former, 1.0, 1)


def test_old_alerts_are_forgotten_with_their_indexes(redis: RedisSpace) -> None:
    short = redis.settings.model_copy(update={"keep_alerts": 10 * DAY})
    store = RedisStore(short, accounts=3, drift=2)
    claim = store.claim("accounts", 0)
    old = [alert(number, number * 1.0, account=f"a{number}", variant="v") for number in range(5)]
    claim = put(store, claim, outbox=old, watermark=5.0)
    claim = put(store, claim, outbox=[alert(7, 9 * DAY, account="a0")], watermark=10 * DAY + 3.0)
    keys = PartitionKeys(short.key_prefix, "accounts", 0)
    assert redis.client.hlen(keys.alerts) == 6
    put(store, claim, outbox=[alert(8, 10 * DAY)], watermark=11 * DAY)
    store.close()
    assert set(redis.client.hkeys(keys.alerts)) == {b"id3", b"id4", b"id7", b"id8"}
    assert redis.client.zrange(keys.alerts_by_time, 0, -1) == [b"id3", b"id4", b"id7", b"id8"]
    assert redis.client.zrange(keys.alerts_of("variant", "v"), 0, -1) == [b"id3", b"id4"]
    assert redis.client.zrange(keys.alerts_of("account", "a0"), 0, -1) == [b"id7"]
    assert redis.client.exists(keys.alerts_of("account", "a1")) == 0


def test_only_the_newest_dead_letters_stay_at_hand(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys
) -> None:
    letters = [DeadLetter("t", offset, "not_json", "", b"x") for offset in range(RECENT_DEAD_LETTERS + 50)]
    claim = put(store, store.claim("accounts", 0), dead_letters=letters)
    put(store, claim, dead_letters=[DeadLetter("t", 9999, "depth", "", b"x")])
    recent = [decode_dead_letter(raw).offset for raw in redis.client.lrange(keys.recent_dead_letters, 0, -1)]
    assert recent[:3] == [9999, RECENT_DEAD_LETTERS + 49, RECENT_DEAD_LETTERS + 48]
    assert len(recent) == RECENT_DEAD_LETTERS
    assert redis.client.hgetall(keys.dead_letter_reasons) == {b"not_json": b"250", b"depth": b"1"}


def test_a_batch_larger_than_luas_stack_goes_in_and_comes_out(store: RedisStore) -> None:
    names = [f"account-{number}" for number in range(20_000)]
    writes = [StateWrite(name, name.encode(), 0, float(place), True) for place, name in enumerate(names)]
    listings = [Listing("v", name, 1.0, 1.0, 1.0, 1.0, 1.0) for name in names]
    observations = [b"%d" % number for number in range(20_000)]
    claim = put(
        store, store.claim("accounts", 0), states=writes, listings=listings, observations=observations
    )
    loaded = store.load(claim, [*names, "unknown"], math.inf)
    assert loaded.due_keys == names
    assert {key: stored.state.decode() for key, stored in loaded.states.items()} == dict(
        zip(names, names, strict=True)
    )
    assert [body for _, body in store.outgoing("accounts", 0, "observations", 0, 30_000)] == observations


def test_other_partition_counts_are_refused(redis: RedisSpace, store: RedisStore) -> None:
    with pytest.raises(
        StateRefused, match="for 3 partitions of events and 2 of observations, not for 4 and 2"
    ):
        RedisStore(redis.settings, accounts=4, drift=2)
    with pytest.raises(StateRefused, match="no state partition 3 of stage accounts"):
        store.claim("accounts", 3)
    RedisStore(redis.settings, accounts=3, drift=2).close()


def test_another_layout_is_refused_also_while_running(redis: RedisSpace, store: RedisStore) -> None:
    store.check_layout()
    redis.client.hset(layout_key(redis.settings.key_prefix), "version", LAYOUT_VERSION + 1)
    with pytest.raises(StateRefused, match="layout 2; this program reads layout 1"):
        store.check_layout()
    with pytest.raises(StateRefused, match="layout 2"):
        RedisStore(redis.settings, accounts=3, drift=2)


@pytest.mark.parametrize("foreign", ["states", "timers", "alerts", "alerts_by_time", "dead_letter_reasons"])
def test_a_key_of_another_type_stops_the_commit_before_it_writes(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys, foreign: str
) -> None:
    claim = store.claim("accounts", 0)
    redis.client.set(getattr(keys, foreign), "somebody else's")
    before = dump(redis)
    with pytest.raises(StateRefused, match="not what this program wrote"):
        store.commit(claim, full_commit())
    assert dump(redis) == before


@pytest.mark.parametrize("field", ["accounts", "observations", "alerts", "dead_letters"])
def test_a_counter_that_is_no_number_stops_the_commit_before_it_writes(
    redis: RedisSpace, store: RedisStore, keys: PartitionKeys, field: str
) -> None:
    claim = store.claim("accounts", 0)
    redis.client.hset(keys.head, field, "many")
    before = dump(redis)
    with pytest.raises(StateRefused, match="not what this program wrote"):
        store.commit(claim, full_commit())
    assert dump(redis) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"states": [StateWrite("a", b"", 0, math.nan, True)]},
        {"listings": [Listing("v", "a", 1.0, 1.0, 1.0, math.nan, 1.0)]},
        {"listings": [Listing("v", "a", math.nan, 1.0, 1.0, 1.0, 1.0)]},
        {"outbox": [alert(1, math.nan)]},
        {"intake": Intake(held=[Held(math.nan, 0, 1, b"")])},
    ],
)
def test_what_is_not_a_number_is_never_sent(
    redis: RedisSpace, store: RedisStore, bad: dict[str, object]
) -> None:
    claim = store.claim("accounts", 0)
    before = dump(redis)
    with pytest.raises(ValueError, match="not a number"):
        put(store, claim, **bad)
    assert dump(redis) == before


def test_a_server_that_forgot_the_scripts_is_sent_them_again(redis: RedisSpace, store: RedisStore) -> None:
    claim = put(store, store.claim("accounts", 0), states=[StateWrite("a", b"1", 0, None, True)])
    redis.client.script_flush()
    claim = put(store, claim, states=[StateWrite("a", b"2", 1, None, True)])
    redis.client.script_flush()
    assert store.load(claim, ["a"], None).states["a"].state == b"2"


def dump(redis: RedisSpace) -> dict[str, bytes]:
    return {key: redis.client.dump(key) for key in redis.key_names()}
