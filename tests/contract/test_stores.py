"""What every store keeps (streams/stores/contract.py). What Redis keeps beyond that is in test_redis_store.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.effects import Listing
from schemas.errors import Fenced
from streams.stores.contract import (
    Claim,
    Commit,
    DeadLetter,
    EmbeddedStore,
    Ledger,
    OutboxRow,
    StateWrite,
    Store,
)
from streams.stores.memory import MemoryStore
from streams.stores.redis import RedisStore
from streams.stores.redis_keys import PartitionKeys
from streams.stores.sqlite import STAGES, SqliteStore

EMBEDDED = ("memory", "sqlite")


@pytest.fixture(params=[*EMBEDDED, "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = opened(request.param, request, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=EMBEDDED)
def embedded_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStore]:
    made = opened(request.param, request, tmp_path)
    assert not isinstance(made, RedisStore)
    yield made
    made.close()


def opened(name: str, request: pytest.FixtureRequest, folder: Path) -> MemoryStore | SqliteStore | RedisStore:
    match name:
        case "memory":
            return MemoryStore()
        case "sqlite":
            return SqliteStore(folder / "plumbline.db")
        case _:
            return RedisStore(request.getfixturevalue("redis").settings, accounts=2, drift=1)


def write(key: str, state: bytes = b"s", *, row: int = 0, due: float | None = None) -> StateWrite:
    return StateWrite(key=key, state=state, row=row, due=due, due_changed=True)


def commit(store: Store, claim: Claim, *states: StateWrite, offset: int | None = None) -> Claim:
    offsets = {} if offset is None else {"events": offset}
    made = store.commit(
        claim, Commit(states=states, offsets=offsets, watermark=5.0, ledger=Ledger(received=1))
    )
    return made.claim


def test_a_new_partition_begins_at_nothing(store: Store) -> None:
    claim = store.claim("accounts", 0)
    assert (claim.offsets, claim.watermark, claim.ledger) == ({}, 0.0, Ledger())
    assert store.load(claim, ["a"], 1e12).states == {}
    assert store.next_due(claim) is None


def test_what_is_committed_is_there_for_the_next_owner(store: Store) -> None:
    claim = commit(store, store.claim("accounts", 0), write("a", b"one"), write("b", b"two"), offset=7)
    again = store.claim("accounts", 0)
    assert (again.offsets, again.watermark, again.ledger.received) == ({"events": 7}, 5.0, 1)
    assert again.version > claim.version
    loaded = store.load(again, ["a", "b", "c"], None)
    assert {key: stored.state for key, stored in loaded.states.items()} == {"a": b"one", "b": b"two"}


def test_a_former_owner_can_not_commit(store: Store) -> None:
    former = store.claim("accounts", 0)
    owner = store.claim("accounts", 0)
    with pytest.raises(Fenced, match="another owner"):
        commit(store, former, write("a", b"former"))
    owner = commit(store, owner, write("a", b"owner"))
    assert store.load(owner, ["a"], None).states["a"].state == b"owner"


def test_a_claim_is_good_for_one_commit(store: Store) -> None:
    claim = store.claim("accounts", 0)
    commit(store, claim, write("a"), offset=1)
    with pytest.raises(Fenced):
        commit(store, claim, write("a", b"again"), offset=1)


def test_a_refused_commit_leaves_nothing(store: Store) -> None:
    former = store.claim("accounts", 0)
    owner = store.claim("accounts", 0)
    full = Commit(
        states=[write("x")],
        outbox=[OutboxRow("id", "trigger", 1.0, b"{}")],
        observations=[b"o"],
        dead_letters=[DeadLetter("events", 1, "not_json", "", b"")],
        ledger=Ledger(),
    )
    with pytest.raises(Fenced):
        store.commit(former, full)
    assert store.load(owner, ["x"], None).states == {}
    assert _bodies_of_observations(store) == []


def test_partitions_and_stages_are_apart(store: Store) -> None:
    first, second, drift = store.claim("accounts", 0), store.claim("accounts", 1), store.claim("drift", 0)
    first = commit(store, first, write("a", b"first"), offset=3)
    second = commit(store, second, write("a", b"second"))
    assert store.load(first, ["a"], None).states["a"].state == b"first"
    assert store.load(second, ["a"], None).states["a"].state == b"second"
    assert store.load(drift, ["a"], None).states == {}
    assert second.offsets == {}


def test_an_update_by_row_replaces_the_state(store: Store) -> None:
    claim = commit(store, store.claim("accounts", 0), write("a", b"one", due=10.0))
    held = store.load(claim, ["a"], None).states["a"]
    assert held.due == 10.0
    same = StateWrite(key="a", state=b"two", row=held.row, due=10.0, due_changed=False)
    claim = commit(store, claim, same)
    held = store.load(claim, ["a"], None).states["a"]
    assert (held.state, held.due) == (b"two", 10.0)
    claim = commit(store, claim, write("a", b"three", row=held.row, due=None))
    assert store.load(claim, [], 1e12).due_keys == []


def test_new_keys_get_rows_that_can_be_written_to(store: Store) -> None:
    made = store.commit(store.claim("accounts", 0), Commit(states=[write("a"), write("b")], ledger=Ledger()))
    claim = commit(store, made.claim, *(write(key, b"new", row=row) for key, row in made.rows.items()))
    assert {stored.state for stored in store.load(claim, ["a", "b"], None).states.values()} == {b"new"}


def test_due_keys_come_with_their_states_in_order_of_due_time_and_key(store: Store) -> None:
    writes = [write("d", due=3.0), write("c", due=1.0), write("b", due=1.0), write("a", due=9.0), write("n")]
    claim = commit(store, store.claim("accounts", 0), *writes)
    assert store.next_due(claim) == 1.0
    loaded = store.load(claim, ["n"], 3.0)
    assert loaded.due_keys == ["b", "c", "d"]
    assert store.load(claim, [], 9.0, due_after=1.0).due_keys == ["d", "a"]
    assert set(loaded.states) == {"b", "c", "d", "n"}


def test_an_alert_exists_once(store: Store) -> None:
    claim = store.claim("accounts", 0)
    row = OutboxRow("same", "trigger", 1.0, b'{"is":"first"}')
    claim = store.commit(claim, Commit(outbox=[row], ledger=Ledger())).claim
    again = OutboxRow("same", "trigger", 2.0, b'{"is":"second"}')
    store.commit(claim, Commit(outbox=[again], ledger=Ledger()))
    assert _alerts(store) == [b'{"is":"first"}']


def test_observations_are_read_in_order_and_dropped_once_committed(embedded_store: EmbeddedStore) -> None:
    store = embedded_store
    claim = store.claim("accounts", 0)
    claim = store.commit(claim, Commit(observations=[b"1", b"2"], ledger=Ledger())).claim
    first = store.read_observations(0, 10)
    assert [body for _, body in first] == [b"1", b"2"]
    store.drop_observations(first[0][0])
    store.commit(claim, Commit(observations=[b"3"], ledger=Ledger()))
    rest = store.read_observations(first[0][0], 10)
    assert [body for _, body in rest] == [b"2", b"3"]
    assert [sequence for sequence, _ in rest] == sorted({first[1][0], rest[1][0]})
    assert store.read_observations(rest[0][0], 1) == rest[1:]


def test_commits_made_together_are_all_in_or_none(tmp_path: Path) -> None:
    path = tmp_path / "plumbline.db"

    def write_both(store: SqliteStore, *, fail: bool) -> None:
        accounts, drift = store.claim("accounts", 0), store.claim("drift", 0)
        with store.together():
            commit(store, accounts, write("a"), offset=5)
            commit(store, drift, write("d"), offset=7)
            if fail:
                raise RuntimeError("between the last commit and the end")

    def found(store: SqliteStore) -> dict[str, set[str]]:
        return {name: {*store.load(store.claim(name, 0), ["a", "d"], None).states} for name in STAGES}

    with closing(SqliteStore(path)) as store, pytest.raises(RuntimeError):
        write_both(store, fail=True)
    with closing(SqliteStore(path)) as store:
        assert found(store) == {"accounts": set(), "drift": set()}
        write_both(store, fail=False)
    with closing(SqliteStore(path)) as store:
        assert found(store) == {"accounts": {"a"}, "drift": {"d"}}


def test_a_listing_without_fit_keeps_the_fit(store: Store) -> None:
    claim = store.claim("accounts", 0)
    with_fit = Listing("v", "a", 70.0, 1.0, 10.0, 0.0, 100.0)
    claim = store.commit(claim, Commit(listings=[with_fit], ledger=Ledger())).claim
    store.commit(claim, Commit(listings=[Listing("v", "a", None, 2.0, 20.0, 1.0, 100.0)], ledger=Ledger()))
    assert _listing(store) == (70.0, 20.0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=30))
def test_any_text_is_a_key(store: Store, keys: list[str]) -> None:
    claim = store.claim("accounts", 0)
    held = store.load(claim, keys, None).states
    claim = commit(
        store, claim, *(write(key, key.encode(), row=held[key].row if key in held else 0) for key in keys)
    )
    assert {key: stored.state.decode() for key, stored in store.load(claim, keys, None).states.items()} == {
        key: key for key in keys
    }


def _alerts(store: Store) -> list[bytes]:
    if isinstance(store, MemoryStore):
        return [row.body for row in store.outbox.values()]
    if isinstance(store, RedisStore):
        return [body for _, body in store.outgoing("accounts", 0, "alerts", 0, 10)]
    assert isinstance(store, SqliteStore)
    return store.alerts()


def _bodies_of_observations(store: Store) -> list[bytes]:
    if isinstance(store, RedisStore):
        return [body for _, body in store.outgoing("accounts", 0, "observations", 0, 10)]
    assert isinstance(store, MemoryStore | SqliteStore)
    return [body for _, body in store.read_observations(0, 10)]


def _listing(store: Store) -> tuple[float | None, float]:
    if isinstance(store, MemoryStore):
        listing = store.listings["v", "a"]
        return listing.fit, listing.at
    if isinstance(store, RedisStore):
        keys = PartitionKeys(store._prefix, "accounts", 0)
        fit, at = store._client.zscore(keys.fit("v"), "a"), store._client.zscore(keys.listed("v"), "a")
        return -float(fit), float(at)
    assert isinstance(store, SqliteStore)
    fit, at = store._db.execute("SELECT fit, at FROM listings").fetchone()
    return fit, at


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "plumbline.db")
    commit(store, store.claim("accounts", 0), write("a"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    store.close()
    assert modes == {"plumbline.db": 0o600, "plumbline.db-wal": 0o600, "plumbline.db-shm": 0o600}
