from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.alerts import Alert, encode_alert
from schemas.errors import PlumblineError, StateRefused
from streams.delivery import operations
from streams.delivery.policy import MAX_TRIES, Answer, GiveUp, Result, decide
from streams.delivery.queue import Queue, Taken
from streams.delivery.schema import connect
from streams.delivery.subscriptions import Route, Routed
from tests.unit.delivery_alerts import drift, trigger

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plumbline.db"


@pytest.fixture
def queue(path: Path) -> Iterator[Queue]:
    queue = Queue.open(path)
    queue.start(["crm", "chat"], NOW)
    yield queue
    queue.close()


@pytest.fixture
def db(path: Path, queue: Queue) -> Iterator[sqlite3.Connection]:
    db = connect(path, create=False)
    yield db
    db.close()


def put(db: sqlite3.Connection, *alerts: Alert) -> None:
    db.executemany(
        "INSERT INTO outbox(id, kind, at, body) VALUES (?, ?, ?, ?)",
        [(a.id, a.__struct_config__.tag, a.at.timestamp(), encode_alert(a)) for a in alerts],
    )


def to_all(_: bytes) -> list[Routed]:
    return [Routed("crm", Route.SEND), Routed("chat", Route.SEND)]


def to_crm(_: bytes) -> list[Routed]:
    return [Routed("crm", Route.SEND), Routed("chat", Route.NO_SUBSCRIPTION)]


def states(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return sorted((d.endpoint, d.state) for d in operations.list_deliveries(db))


def settle(queue: Queue, taken: Taken, answer: Answer, now: float = NOW) -> None:
    decision = decide(answer, tries=taken.tries, now=now, rng=random.Random(1))
    queue.settle(taken, "crm", answer, decision, now)


def test_fan_out_makes_one_delivery_an_alert_and_endpoint_once(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger(1), trigger(2))
    assert queue.fan_out(to_all, ["crm", "chat"], NOW).rows == 2
    assert queue.fan_out(to_all, ["crm", "chat"], NOW).rows == 0
    assert states(db) == [("chat", "waiting")] * 2 + [("crm", "waiting")] * 2
    put(db, trigger(3))
    assert queue.fan_out(to_crm, ["crm"], NOW).rows == 1
    assert len(states(db)) == 5


def test_fan_out_goes_on_in_steps(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, *(trigger(n) for n in range(5)))
    assert [queue.fan_out(to_crm, ["crm"], NOW, limit=2).rows for _ in range(4)] == [2, 2, 1, 0]
    assert len(states(db)) == 5


def test_a_crash_within_fan_out_loses_and_doubles_nothing(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, *(trigger(n) for n in range(4)))
    seen = 0

    def crash_at_the_third(body: bytes) -> list[Routed]:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt
        return to_crm(body)

    with pytest.raises(KeyboardInterrupt):
        queue.fan_out(crash_at_the_third, ["crm"], NOW)
    assert states(db) == []
    queue.fan_out(to_crm, ["crm"], NOW)
    assert states(db) == [("crm", "waiting")] * 4


def test_what_is_too_old_is_kept_as_skipped_with_the_reason(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger())
    done = queue.fan_out(lambda _: [Routed("crm", Route.TOO_OLD)], ["crm"], NOW)
    assert done.counted == [("crm", Result.SKIPPED)]
    [delivery] = operations.list_deliveries(db)
    assert (delivery.state, delivery.detail, delivery.next_try) == ("skipped", "too_old", None)
    assert queue.take("crm", NOW) is None


def test_what_cannot_be_read_is_dead_at_every_subscribed_endpoint(
    queue: Queue, db: sqlite3.Connection
) -> None:
    put(db, trigger(1), trigger(2))
    first = encode_alert(trigger(1))
    done = queue.fan_out(lambda body: None if body == first else to_crm(body), ["crm"], NOW)
    assert done.counted == [("crm", Result.DEAD)]
    assert states(db) == [("crm", "dead"), ("crm", "waiting")]


def test_a_try_is_counted_before_it_is_made_and_survives_a_crash(
    path: Path, queue: Queue, db: sqlite3.Connection
) -> None:
    put(db, trigger())
    queue.fan_out(to_crm, ["crm"], NOW)
    taken = queue.take("crm", NOW)
    assert taken is not None
    assert (taken.tries, taken.body) == (1, encode_alert(trigger()))
    assert queue.take("crm", NOW) is None
    assert states(db) == [("crm", "sending")]

    again = Queue.open(path)  # the process died here, and a new one starts
    again.start(["crm", "chat"], NOW + 5)
    retaken = again.take("crm", NOW + 5)
    again.close()
    assert retaken is not None
    assert (retaken.alert_id, retaken.tries) == (taken.alert_id, 2)


def test_an_alert_that_kills_the_process_is_dead_after_ten_tries(path: Path, db: sqlite3.Connection) -> None:
    put(db, trigger())
    for started in range(MAX_TRIES):
        queue = Queue.open(path)  # the one before died while it was sending
        queue.start(["crm", "chat"], NOW)
        queue.fan_out(to_crm, ["crm"], NOW)
        taken = queue.take("crm", NOW)
        queue.close()
        assert taken is not None
        assert taken.tries == started + 1
    queue = Queue.open(path)
    queue.start(["crm", "chat"], NOW)
    assert queue.take("crm", NOW) is None
    assert states(db) == [("crm", "dead")]
    assert operations.retry_dead(db, "crm", NOW) == 1
    again = queue.take("crm", NOW)
    queue.close()
    assert again is not None
    assert again.tries == 1


def test_a_try_that_was_called_off_does_not_count(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger())
    queue.fan_out(to_crm, ["crm"], NOW)
    for _ in range(3):
        taken = queue.take("crm", NOW)
        assert taken is not None
        assert taken.tries == 1
        queue.give_back(taken, NOW)
    assert states(db) == [("crm", "waiting")]


def test_ten_failures_make_a_dead_letter_and_each_waits_its_time(
    queue: Queue, db: sqlite3.Connection
) -> None:
    put(db, trigger())
    queue.fan_out(to_crm, ["crm"], NOW)
    now = NOW
    for number in range(1, 11):
        taken = queue.take("crm", now)
        assert taken is not None
        assert taken.tries == number
        settle(queue, taken, Answer(status=500), now)
        [delivery] = operations.list_deliveries(db)
        if number < 10:
            assert delivery.state == "retrying"
            assert delivery.next_try is not None
            assert queue.take("crm", delivery.next_try - 0.001) is None
            now = delivery.next_try
    assert (delivery.state, delivery.tries, delivery.status, delivery.result) == (
        "dead",
        10,
        500,
        "server_error",
    )
    assert queue.take("crm", now + 1e9) is None


def test_410_disables_the_endpoint_and_the_deliveries_wait(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger(1), trigger(2))
    queue.fan_out(to_all, ["crm", "chat"], NOW)
    taken = queue.take("crm", NOW)
    assert taken is not None
    settle(queue, taken, Answer(status=410))
    assert queue.take("crm", NOW + 1e6) is None
    assert queue.take("chat", NOW) is not None, "another endpoint is not touched"
    crm = {e.name: e for e in operations.endpoints(db)}["crm"]
    assert crm.disabled_because == "answered 410 Gone"
    assert operations.enable(db, "crm")
    first, second = queue.take("crm", NOW), queue.take("crm", NOW)
    assert {first and first.alert_id, second and second.alert_id} == {trigger(1).id, trigger(2).id}


def test_retry_after_pauses_the_whole_endpoint(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger(1), trigger(2))
    queue.fan_out(to_all, ["crm", "chat"], NOW)
    taken = queue.take("crm", NOW)
    assert taken is not None
    settle(queue, taken, Answer(status=429, retry_after="600"))
    assert queue.take("crm", NOW + 599) is None
    assert queue.take("chat", NOW) is not None
    assert queue.take("crm", NOW + 600) is not None


def test_backlog_counts_what_is_not_over(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, *(trigger(n) for n in range(4)))
    queue.fan_out(to_crm, ["crm"], NOW)
    done, failed, under_way = (queue.take("crm", NOW) for _ in range(3))
    assert done is not None
    assert failed is not None
    assert under_way is not None
    settle(queue, done, Answer(status=200))
    settle(queue, failed, Answer(status=500))
    crm = queue.backlog(NOW + 30)["crm"]
    assert (crm.waiting, crm.sending, crm.retrying, crm.total) == (1, 1, 1, 3)
    assert crm.oldest_s == 30
    assert queue.backlog(NOW)["chat"].total == 0
    assert queue.backlog(NOW)["chat"].oldest_s == 0


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            "SELECT seq FROM deliveries WHERE endpoint = 'crm' AND next_try <= 1 ORDER BY next_try, seq LIMIT 1",
            "deliveries_due",
        ),
        (
            "SELECT state, count(*) FROM deliveries WHERE endpoint = 'crm'"
            " AND state IN ('waiting', 'sending', 'retrying') GROUP BY state",
            "deliveries_open",
        ),
    ],
)
def test_the_delivered_cost_nothing(db: sqlite3.Connection, query: str, index: str) -> None:
    plan = " ".join(row["detail"] for row in db.execute("EXPLAIN QUERY PLAN " + query))
    assert index in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_retry_takes_up_what_failed_and_leaves_what_arrived(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger(1), drift())
    queue.fan_out(to_crm, ["crm"], NOW)
    arrived, lost = queue.take("crm", NOW), queue.take("crm", NOW)
    assert arrived is not None
    assert lost is not None
    settle(queue, arrived, Answer(status=200))
    queue.settle(lost, "crm", Answer(status=500), GiveUp(result=Result.SERVER_ERROR), NOW)
    assert operations.retry_alert(db, arrived.alert_id, NOW) == 0
    assert operations.retry_dead(db, "chat", NOW) == 0
    assert operations.retry_dead(db, "crm", NOW) == 1
    taken = queue.take("crm", NOW)
    assert taken is not None
    assert (taken.alert_id, taken.tries) == (lost.alert_id, 1)
    assert operations.retry_alert(db, lost.alert_id, NOW) == 0, "it is being sent"


def test_a_held_endpoint_says_why_and_unknown_ones_are_refused(queue: Queue, db: sqlite3.Connection) -> None:
    assert operations.disable(db, "crm", NOW, "by hand: maintenance")
    assert not operations.disable(db, "crm", NOW, "again")
    [chat, crm] = operations.endpoints(db)
    assert (chat.disabled_at, crm.disabled_because) == (None, "by hand: maintenance")
    for act in (
        lambda: operations.enable(db, "nobody"),
        lambda: operations.disable(db, "nobody", NOW, ""),
        lambda: operations.retry_dead(db, "nobody", NOW),
    ):
        with pytest.raises(PlumblineError, match="no endpoint"):
            act()


def test_an_alert_is_found_by_the_beginning_of_its_id(queue: Queue, db: sqlite3.Connection) -> None:
    put(db, trigger(id="abcd1111"), trigger(id="abcd2222"), trigger(id="abcd"))
    assert operations.find_alert(db, "abcd1") == "abcd1111"
    assert operations.find_alert(db, "abcd") == "abcd"
    for written in ("abc", "zzzz", "%%%%", "____"):
        with pytest.raises(PlumblineError):
            operations.find_alert(db, written)
    db.execute("DELETE FROM outbox WHERE id = 'abcd'")
    with pytest.raises(PlumblineError, match="several"):
        operations.find_alert(db, "abcd")


def test_a_later_version_of_the_tables_is_refused(path: Path, queue: Queue, db: sqlite3.Connection) -> None:
    db.execute("UPDATE delivery_cursor SET version = 2")
    with pytest.raises(StateRefused):
        Queue.open(path)


def test_what_is_no_database_is_refused_with_a_remedy(tmp_path: Path) -> None:
    broken = tmp_path / "plumbline.db"
    with pytest.raises(PlumblineError, match=r"no plumbline\.db"):
        connect(broken, create=False)
    broken.write_bytes(b"this is not a database, and it is long enough to look at" * 100)
    with pytest.raises(PlumblineError) as refused:
        connect(broken, create=False)
    assert refused.value.remedy
