"""The drift intake over a real Redis: what is held outlives its owner, in its order, and a former owner is refused."""

from __future__ import annotations

import msgspec
import pytest

from schemas.errors import Fenced
from streams.kafka.drift import DriftIntake
from streams.stores.redis import RedisStore
from tests.services.redis import RedisSpace
from tests.unit.drift_world import SIGNAL, WritingStage, mark, sent

SOURCES = 3


def intake(store: RedisStore) -> DriftIntake:
    return DriftIntake(
        store,
        WritingStage(),  # type: ignore[arg-type]
        "observations",
        0,
        SOURCES,
        window=7,
        released_at_once=5,
    )


def taken_in(store: RedisStore, owner: DriftIntake) -> list[str]:
    stored = store.load(owner.claim, [SIGNAL], None).states.get(SIGNAL)
    return [] if stored is None else msgspec.json.decode(stored.state, type=list[str])


def test_a_new_owner_goes_on_with_what_is_held(redis: RedisSpace) -> None:
    store = RedisStore(redis.settings, accounts=SOURCES, drift=1)
    try:
        first = intake(store)
        # Each partition tells its own in order; the partitions come one after the other, the latest first.
        told = [(float(n * SOURCES + source), source, n + 1) for source in (2, 0, 1) for n in range(20)]
        messages = [sent(source, number, known, at=5.0) for known, source, number in told]
        records = list(enumerate(messages))
        first.take(records[:40])
        first.take(records[40:])
        assert first.waiting().held == store.held_count(first.claim) == len(told)
        second = intake(store)
        with pytest.raises(Fenced):
            first.take([(60, mark(0, 1.0))])
        assert second.next_offset == 60
        again = [(60 + n, message) for n, message in enumerate(messages[:10])]
        second.take([*again, *((70 + source, mark(source, 25.0)) for source in range(SOURCES))])
        in_order = [f"{source}-{number}" for _, source, number in sorted(told)]
        assert taken_in(store, second) == in_order[:25]
        third = intake(store)
        third.take([(73 + source, mark(source, 25.0, caught_up=6.0)) for source in range(SOURCES)])
        assert taken_in(store, third) == in_order
        assert third.waiting().held == store.held_count(third.claim) == 0
        assert third.claim.ledger.received == third.claim.ledger.applied == len(told)
    finally:
        store.close()
