"""What every source of serving keeps (streams/serving/contract.py): asked the same, SQLite and Redis answer the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from schemas.alerts import decode_alert
from streams.serving import CursorRefused, UnknownVariant, Wanted
from streams.serving.sqlite import SqliteSource
from streams.serving.views import Order
from tests.services.redis import RedisSpace
from tests.unit.serving_redis_world import ACCOUNTS, RedisWorld
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World, get, icp, served

NAMES = [f"acct-{number:02}" for number in range(40)] + ["ü/ <a>", "客户", "a b?c"]


class Both(NamedTuple):
    """The same company in both stores."""

    sqlite: World
    redis: RedisWorld

    def put(self, events: list[bytes]) -> None:
        for world in self:
            world.put(events)

    def close(self) -> None:
        for world in self:
            world.close()


@pytest.fixture
def both(tmp_path: Path, redis: RedisSpace) -> Iterator[Both]:
    made = Both(World(tmp_path), RedisWorld(tmp_path, redis.settings))
    yield made
    made.close()


def fill(both: Both) -> None:
    """A history in order of time, one second apart at least, in which everything happens that serving shows."""
    make = both.sqlite.events
    history: list[tuple[float, bytes]] = []
    for number, name in enumerate(NAMES):
        begin = NOW - 30 * DAY + number * HOUR
        if number % 4 == 0:
            history.append((begin, make.profile(name, begin, **GOOD)))
        elif number % 4 == 1:
            history.append((begin, make.profile(name, begin, employees=number % 8, industry="software")))
        elif number % 4 == 2:
            history.append((begin, make.profile(name, begin, employees=80, deployment="on_premises")))
        if number % 3 == 0:
            history.append((begin + 60, make.product(name, begin + 60, "signed_up")))
        for visit in range(number % 6):
            at = begin + (1 + visit * (number % 7)) * 5 * HOUR + number
            history.append((at, make.visit(name, at, "/docs/api" if visit % 3 == 2 else "/pricing")))
        if number % 5 == 0:
            at = begin + 20 * DAY + number
            history.append((at, make.note(name, at, "there is a budget freeze")))
            history.append((at + 1, make.ticket(name, at + 1, "we want to cancel")))
    history.sort(key=lambda each: each[0])
    events = [event for _, event in history]
    repeat = events[-1]
    old = make.visit(NAMES[0], NOW - 80 * DAY)
    # A last event for each account, so that all state partitions come to the same time before timers are looked at.
    last = [make.product(name, NOW - 60 + place, "export") for place, name in enumerate(NAMES)]
    both.put([*events, repeat, *last, old, b"{}", make.visit("visitor:v1", NOW)])
    both.sqlite.pipeline.fire_timers(NOW)
    both.redis.until(NOW)
    both.sqlite.drift()
    both.redis.drift()


def as_json(answer: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer))


def pages(world: World, variant: str | None, order: Order, size: int, with_out: bool) -> list[Any]:
    """All pages of a list; they must end."""
    found: list[Any] = []
    cursor = None
    for _ in range(1000):
        page = world.serving.accounts(variant, order, size, cursor, with_out=with_out)
        found.append(as_json(page))
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


def all_lists(world: World) -> list[Any]:
    return [
        pages(world, variant, order, size, with_out)
        for variant in ("analytics", "embedded")
        for order in ("trigger", "fit")
        for size in (3, 100)
        for with_out in (True, False)
    ]


def test_lists_accounts_and_books_are_the_same(both: Both) -> None:
    fill(both)
    lists = all_lists(both.sqlite)
    assert len(lists[0]) > 3
    assert all_lists(both.redis) == lists  # scoring every account
    assert both.sqlite.serving.relist()
    assert both.redis.relist()
    assert all_lists(both.sqlite) == lists
    assert all_lists(both.redis) == lists  # by the stored order
    for name in [*NAMES, "nobody", "visitor:v1"]:
        assert as_json(both.redis.serving.account(name)) == as_json(both.sqlite.serving.account(name))
    books = as_json(both.sqlite.serving.books())
    assert books["alerts"]["trigger"] > 3
    assert books["alerts"]["drift"] >= 1
    assert books["ledger"]["dead_lettered"] == 1
    assert books["ledger"]["late"] == 1
    assert books["ledger"]["duplicate"] == 1
    assert as_json(both.redis.serving.books()) == books
    assert both.redis.serving.account_count() == both.sqlite.serving.account_count() == len(NAMES)
    assert as_json(both.redis.serving.ledger()) == as_json(both.sqlite.serving.ledger())
    assert as_json(both.redis.serving.drift()) == as_json(both.sqlite.serving.drift())
    (letter,) = both.redis.serving.dead_letters(5)
    (expected,) = both.sqlite.serving.dead_letters(5)
    assert (letter.reason, letter.detail) == (expected.reason, expected.detail)


def test_alerts_are_the_same_by_every_filter(both: Both) -> None:
    fill(both)
    (segment,) = {
        verdict.segment for verdict in both.sqlite.serving.drift() if verdict.state == "drifting"
    } - {"all"}
    signal = both.sqlite.serving.drift()[0].signal
    every = [
        Wanted(),
        Wanted(kind="trigger"),
        Wanted(kind="drift"),
        Wanted(kind="notice"),
        Wanted(account=NAMES[0]),
        Wanted(account=NAMES[0], kind="blocker_ended"),
        Wanted(account="ü/ <a>", variant="analytics"),
        Wanted(account="nobody"),
        Wanted(variant="embedded", kind="trigger", since=NOW - 20 * DAY),
        Wanted(signal=signal),
        Wanted(signal=signal, segment=segment, kind="drift"),
        Wanted(segment=segment),
        Wanted(segment=segment, account=NAMES[0]),
        Wanted(since=NOW - 25 * DAY),
    ]
    at = _alerts(both.sqlite, Wanted(kind="trigger"))[2][0]
    every += [Wanted(since=at, kind="trigger"), Wanted(since=at + 0.001, kind="trigger")]
    some = 0
    for wanted in every:
        expected = _alerts(both.sqlite, wanted)
        some += bool(expected)
        assert sorted(_alerts(both.redis, wanted)) == sorted(expected)
        assert [at for at, _ in _alerts(both.redis, wanted)] == [at for at, _ in expected]
    assert some > 8
    for _, body in _alerts(both.sqlite, Wanted()):
        alert_id = decode_alert(body).id
        assert both.redis.serving.alert(alert_id) == body
    assert both.redis.serving.alert("nope") is None


def _alerts(world: World, wanted: Wanted) -> list[tuple[float, bytes]]:
    """All of them, by pages of three."""
    found: list[tuple[float, bytes]] = []
    cursor = None
    for _ in range(1000):
        page = world.serving.alerts(wanted, 3, cursor)
        found += [(decode_alert(bytes(raw)).at.timestamp(), bytes(raw)) for raw in page.alerts]
        cursor = page.next
        if cursor is None:
            assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)
            return found
    raise AssertionError("the alerts do not end")


def test_a_list_by_fit_goes_on_behind_any_place(both: Both) -> None:
    fill(both)
    for variant in ("analytics", "embedded"):
        for unknown in (-1.0, 0.0, 60.0):
            for after in (
                None,
                (100.0, "b"),
                (60.0, NAMES[4]),
                (0.0, NAMES[11]),
                (0.0, ""),
                (-1.0, NAMES[20]),
            ):
                found = []
                for source in (SqliteSource(both.sqlite.path), both.redis.source):
                    with source.snapshot() as snapshot:
                        found.append([row[:2] for row in snapshot.by_fit(variant, unknown, after)])
                    source.close()
                assert found[0] == found[1]


def test_a_changed_file(both: Both) -> None:
    fill(both)
    assert both.sqlite.serving.relist()
    assert both.redis.relist()
    for world in both:
        world.change_icp(icp(), icp(version="2", effective_from="2026-10-15T00:00:00Z", pricing=5, reps=5))
    lists = all_lists(both.sqlite)
    assert all_lists(both.redis) == lists
    more = [both.sqlite.events.visit(NAMES[1], NOW), both.sqlite.events.visit(NAMES[2], NOW - 20 * DAY)]
    both.put(more)
    lists = all_lists(both.sqlite)
    assert all_lists(both.redis) == lists
    assert both.redis.relist()
    assert all_lists(both.redis) == lists
    assert both.redis.relist() == 0


def test_cursors_are_good_for_their_own_source(both: Both) -> None:
    fill(both)
    for one, other in ((both.sqlite, both.redis), (both.redis, both.sqlite)):
        cursor = one.serving.alerts(Wanted(), 2).next
        assert cursor is not None
        with pytest.raises(CursorRefused):
            other.serving.alerts(Wanted(), 2, cursor)
    for world in both:
        with pytest.raises(UnknownVariant, match="analytics, embedded"):
            world.serving.accounts("nope")


async def test_pages_and_api_are_the_same(both: Both) -> None:
    fill(both)
    paths = [
        "/v1/accounts",
        "/v1/accounts?order=fit&limit=5",
        "/v1/accounts/%C3%BC%2F%20%3Ca%3E",
        "/v1/accounts/nobody",
        "/v1/alerts?kind=drift",
        f"/v1/alerts?account={NAMES[0]}",
        "/v1/drift",
        "/v1/ledger",
        "/readyz",
        "/",
        "/?order=fit&out=show&variant=embedded",
        f"/accounts/{NAMES[0]}",
        "/accounts/nobody",
    ]
    async with served(both.sqlite) as embedded, served(both.redis) as distributed:
        for path in paths:
            expected, answer = await get(embedded, path), await get(distributed, path)
            assert answer.status == expected.status, path
            assert answer.text == expected.text, path
    assert expected.status == 404


def test_nothing_yet(both: Both) -> None:
    for world in both:
        assert world.serving.accounts(None).accounts == []
        assert world.serving.accounts(None, "fit").accounts == []
        assert world.serving.alerts(Wanted(account="a")).alerts == []
        assert world.serving.account("a") is None
        assert world.serving.drift()[0].state == "learning"
        world.serving.check()
    assert as_json(both.redis.serving.books()) == as_json(both.sqlite.serving.books())


EVENTS = ("visit", "invited", "export", "docs", "profile", "small")
HISTORIES = st.lists(
    st.tuples(st.integers(0, 25), st.integers(0, 30), st.sampled_from(EVENTS)), min_size=1, max_size=60
)


@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, limit=st.integers(1, 6), relisted=st.booleans(), later=st.integers(0, 20))
def test_any_history_gives_the_same_lists(
    redis: RedisSpace, history: list[tuple[int, int, str]], limit: int, relisted: bool, later: int
) -> None:
    """Many events of one moment: the same score, rank and fit in several state partitions."""
    redis.clear()
    with TemporaryDirectory() as folder:
        both = Both(World(Path(folder)), RedisWorld(Path(folder), redis.settings))
        if relisted:
            both.sqlite.serving.relist()
            both.redis.relist()
        make = both.sqlite.events
        # Oldest first, and no more apart than what is taken late: both modes apply every event.
        events = []
        for who, days, what in sorted(history, key=lambda each: -each[1]):
            name, at = f"a{who:02}", NOW - days * HOUR
            match what:
                case "visit":
                    events.append(make.visit(name, at))
                case "docs":
                    events.append(make.visit(name, at, "/docs/api"))
                case "profile":
                    events.append(make.profile(name, at, **GOOD))
                case "small":
                    events.append(make.profile(name, at, employees=3))
                case _:
                    events.append(make.product(name, at, what))
        both.put(events)
        for world in both:
            world.now = NOW + later * DAY
        for variant in ("analytics", "embedded"):
            for order in ("trigger", "fit"):
                expected = pages(both.sqlite, variant, order, limit, True)
                assert pages(both.redis, variant, order, limit, True) == expected
        both.close()


def test_the_partitions_are_all_used(both: Both) -> None:
    fill(both)
    with both.redis.source.snapshot() as snapshot:
        parts = snapshot.progress("accounts")
    assert [part.partition for part in parts] == list(range(ACCOUNTS))
    assert all(part.ledger.applied > 10 and part.offsets["events"] > 10 for part in parts)
