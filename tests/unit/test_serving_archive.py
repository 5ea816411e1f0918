"""Alerts, verdicts and books as they are read from a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.alerts import TriggerAlert, decode_alert, moment
from schemas.errors import StateRefused
from streams.delivery.queue import Queue
from streams.delivery.subscriptions import Route, Routed
from streams.serving import CursorRefused, Unreadable, Wanted, alert_archive
from streams.serving.sqlite import SqliteSnapshot
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def alerting(world: World, *accounts: str) -> None:
    """One alert for each account, an hour after each other, the last one at NOW."""
    make = world.events
    for number, account in enumerate(accounts):
        at = NOW - (len(accounts) - 1 - number) * HOUR
        world.put(
            [make.profile(account, at - 60, **GOOD), make.visit(account, at - 1), make.visit(account, at)]
        )


def ids(page: list[msgspec.Raw]) -> list[str]:
    return [decode_alert(bytes(raw)).id for raw in page]


def accounts_of(page: list[msgspec.Raw]) -> list[str]:
    return [msgspec.json.decode(raw)["account"] for raw in page]


def test_newest_first_by_pages(world: World) -> None:
    names = [f"a{n}" for n in range(7)]
    alerting(world, *names)
    seen: list[str] = []
    cursor = None
    while True:
        page = world.serving.alerts(Wanted(), 3, cursor)
        seen += accounts_of(page.alerts)
        cursor = page.next
        if cursor is None:
            break
    assert seen == names[::-1]


def test_alerts_of_one_moment_are_neither_lost_nor_shown_twice_between_pages(world: World) -> None:
    make = world.events
    for name in ("a", "b", "c", "d", "e"):
        world.put([make.profile(name, NOW - 60, **GOOD), make.visit(name, NOW), make.visit(name, NOW)])
    first = world.serving.alerts(Wanted(), 2)
    second = world.serving.alerts(Wanted(), 9, first.next)
    assert sorted(accounts_of(first.alerts) + accounts_of(second.alerts)) == ["a", "b", "c", "d", "e"]


def test_each_filter(world: World) -> None:
    alerting(world, "a", "ab", "a")
    world.put([world.events.visit("ab", NOW + n, "/docs") for n in range(4)])
    of_ab = world.serving.alerts(Wanted(account="ab"), 10).alerts
    assert [msgspec.json.decode(raw)["variant"] for raw in of_ab] == ["embedded", "analytics"]
    assert len(world.serving.alerts(Wanted(account="ab", variant="embedded"), 10).alerts) == 1
    assert len(world.serving.alerts(Wanted(variant="embedded"), 10).alerts) == 1
    assert world.serving.alerts(Wanted(kind="drift"), 10).alerts == []
    assert len(world.serving.alerts(Wanted(since=NOW - HOUR - 1, variant="analytics"), 10).alerts) == 1
    assert len(world.serving.alerts(Wanted(since=NOW - 2 * HOUR, variant="analytics"), 10).alerts) == 2
    assert world.serving.alerts(Wanted(account="a' OR 1=1 --"), 10).alerts == []


def test_an_alert_is_word_for_word_what_the_store_holds(world: World) -> None:
    alerting(world, "ü/ <a>")
    (stored,) = world.store.alerts()
    page = world.serving.alerts(Wanted(account="ü/ <a>"), 1)
    assert bytes(page.alerts[0]) == stored
    assert world.serving.alert(ids(page.alerts)[0]) == stored
    assert world.serving.alert("nope") is None
    (alert,) = world.serving.newest_alerts(Wanted(), 5)
    assert isinstance(alert, TriggerAlert)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(kind="trigger"),
        Wanted(account="a"),
        Wanted(variant="v"),
        Wanted(signal="s"),
        Wanted(signal="s", segment="t"),
        Wanted(since=NOW),
        Wanted(account="a", since=NOW),
    ],
)
def test_no_look_up_reads_the_whole_outbox(world: World, wanted: Wanted) -> None:
    plans: list[str] = []
    db = world.store._db

    class Recording:
        def execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
            plans.extend(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, values))
            return db.execute(statement, values)

    snapshot = SqliteSnapshot(Recording())  # type: ignore[arg-type]
    alert_archive.alert_page(snapshot, wanted, 5, alert_archive.write_cursor([NOW, 3]))
    assert plans
    assert all("USING INDEX outbox_by_" in plan for plan in plans), plans


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "eyJhIjoxfQ", "WyJhIiwxXQ"])
def test_what_is_no_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        world.serving.alerts(Wanted(), 5, cursor)


def test_the_books(world: World) -> None:
    make = world.events
    visit = make.visit("a", NOW)
    old = make.visit("a", NOW - 40 * DAY)
    world.put([visit, visit, old, b"{}", make.visit("visitor:x", NOW), make.visit("b", NOW)])
    books = world.serving.books()
    ledger = books.ledger
    assert (ledger.received, ledger.applied, ledger.duplicate, ledger.late, ledger.dead_lettered) == (
        6,
        3,
        1,
        1,
        1,
    )
    assert ledger.balanced
    assert ledger.watermark == moment(NOW)
    assert books.accounts == world.serving.account_count() == 2
    assert sum(books.dead_letters.values()) == 1
    (letter,) = world.serving.dead_letters(5)
    assert (letter.offset, letter.reason) == (3, next(iter(books.dead_letters)))
    assert books.deliveries == []


def test_deliveries_by_endpoint(world: World) -> None:
    alerting(world, "a", "b")
    queue = Queue.open(world.path)
    queue.start(["crm", "idle"], NOW)
    queue.fan_out(lambda body: [Routed(endpoint="crm", route=Route.SEND)], ["crm"], NOW)
    queue.close()
    shown = {each.endpoint: each for each in world.serving.books().deliveries}
    assert (shown["crm"].waiting, shown["crm"].delivered, shown["crm"].disabled_because) == (2, 0, "")
    assert shown["idle"].waiting == 0


def test_verdicts_begin_with_learning(world: World) -> None:
    verdict = world.serving.drift()[0]
    assert (verdict.segment, verdict.state, verdict.at, verdict.history) == ("all", "learning", None, [])
    assert "300" in verdict.missing


def test_verdicts_with_their_history(world: World) -> None:
    world.drift()
    verdicts = {verdict.segment: verdict for verdict in world.serving.drift()}
    content = verdicts["source:content"]
    assert content.state == "drifting"
    assert content.before is not None
    assert content.now is not None
    assert content.now.high < content.before.low
    assert content.statistic > content.threshold > 0
    assert verdicts["source:referral"].state == "watching"
    assert sum(point.n for point in content.history) > 300
    alerts = world.serving.newest_alerts(
        Wanted(kind="drift", signal=content.signal, segment="source:content"), 1
    )
    assert [alert.at for alert in alerts]


def test_a_missing_file_and_one_of_a_later_version(world: World) -> None:
    world.close()
    for path in world.path.parent.glob("plumbline.db*"):
        path.unlink()
    with pytest.raises(Unreadable, match="in the data directory"):
        world.serving.ledger()
    with sqlite3.connect(world.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StateRefused):
        world.serving.ledger()
    world.path.write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(Unreadable):
        world.serving.ledger()
