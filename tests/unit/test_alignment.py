"""Sibling topics are taken in order of arrival, and a history read again comes out as it did live."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.alignment import Alignment

TOPICS = ("a", "b", "c")


class Record(NamedTuple):
    offset: int
    timestamp: int
    value: bytes | None


def record(offset: int, at: int) -> Record:
    return Record(offset, at, f"{offset}".encode())


def start(**positions: int) -> Alignment:
    return Alignment(TOPICS, dict.fromkeys(TOPICS, 0) | positions)


def at_end(alignment: Alignment, *topics: str, moment: float = 1.0) -> None:
    for topic in topics:
        position = alignment.expected(topic)
        alignment.read_to(topic, position, position, moment)


def order(alignment: Alignment, limit: int = 100) -> list[tuple[str, int]]:
    batch = alignment.take(limit)
    return [] if batch is None else [(topic, offset) for topic, offset, _ in batch.records]


def test_by_time_then_by_topic() -> None:
    alignment = start()
    alignment.add("b", [record(0, 10), record(1, 30)])
    alignment.add("a", [record(0, 10), record(1, 20)])
    at_end(alignment, *TOPICS)
    assert order(alignment) == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_nothing_runs_ahead_of_a_topic_that_was_not_looked_at() -> None:
    alignment = start()
    alignment.add("a", [record(0, 10)])
    at_end(alignment, "a", "b")
    assert order(alignment) == []
    alignment.add("c", [record(0, 5)])
    assert order(alignment) == [("c", 0)]
    at_end(alignment, "c")
    assert order(alignment) == [("a", 0)]


def test_a_topic_with_more_to_fetch_holds_back_what_is_later_than_its_last() -> None:
    alignment = start()
    alignment.add("a", [record(0, 10), record(1, 40)])
    alignment.add("b", [record(0, 20)])
    alignment.read_to("b", 1, 5, 1.0)
    at_end(alignment, "a", "c")
    assert order(alignment) == [("a", 0), ("b", 0)]
    assert order(alignment) == []


def test_equal_times_wait_for_the_topic_that_goes_first() -> None:
    alignment = start()
    alignment.add("a", [record(0, 10)])
    alignment.read_to("a", 1, 2, 1.0)
    alignment.add("b", [record(0, 10)])
    at_end(alignment, "b", "c")
    assert order(alignment) == [("a", 0)]
    alignment.add("a", [record(1, 10)])
    at_end(alignment, "a")
    assert order(alignment) == [("a", 1), ("b", 0)]


def test_a_batch_says_how_far_it_reaches() -> None:
    alignment = start(a=7)
    alignment.add("a", [record(7, 1), record(9, 2), record(10, 3)])  # 8 was a transaction's marker
    at_end(alignment, *TOPICS)
    first = alignment.take(2)
    assert first is not None
    assert first.offsets == {"a": 10}
    assert alignment.waiting("a") == (1, 2)
    assert alignment.caught_up() is None
    second = alignment.take(2)
    assert second is not None
    assert second.offsets == {"a": 11}
    assert alignment.count == 0


def test_caught_up_is_the_oldest_look_at_an_end() -> None:
    alignment = start()
    at_end(alignment, "a", "b", moment=5.0)
    assert alignment.caught_up() is None
    at_end(alignment, "c", moment=3.0)
    assert alignment.caught_up() == 3.0
    alignment.add("a", [record(0, 1)])
    assert alignment.caught_up() is None


def test_what_was_added_is_passed_over_and_an_empty_record_is_an_event() -> None:
    alignment = start(a=2)
    alignment.add("a", [record(1, 1), record(2, 1), Record(3, 1, None)])
    alignment.add("a", [record(2, 1), record(3, 1)])
    at_end(alignment, *TOPICS)
    batch = alignment.take(10)
    assert batch is not None
    assert batch.records == [("a", 2, b"2"), ("a", 3, b"")]


histories = st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(0, 12)), max_size=40)


def written(history: list[tuple[str, int]]) -> dict[str, list[Record]]:
    topics: dict[str, list[Record]] = {topic: [] for topic in TOPICS}
    for topic, at in history:
        topics[topic].append(record(len(topics[topic]), at))
    return topics


@given(history=histories, data=st.data())
def test_fetches_and_batches_change_nothing_of_the_order(
    history: list[tuple[str, int]], data: st.DataObject
) -> None:
    topics = written(history)
    whole = start()
    for topic, records in topics.items():
        whole.add(topic, records)
    at_end(whole, *TOPICS)
    expected = order(whole, 1000)
    assert len(expected) == len(history)

    alignment = start()
    found: list[tuple[str, int]] = []
    while len(found) < len(expected):
        topic = data.draw(st.sampled_from(TOPICS))
        position = alignment.expected(topic)
        fetched = topics[topic][position : position + data.draw(st.integers(0, 5))]
        alignment.add(topic, fetched)
        alignment.read_to(topic, alignment.expected(topic), len(topics[topic]), 1.0)
        found += order(alignment, data.draw(st.integers(1, 10)))
    assert found == expected


@given(history=histories, cut=st.integers(0, 40))
def test_reading_on_from_any_place_goes_on_in_the_same_order(
    history: list[tuple[str, int]], cut: int
) -> None:
    topics = written(history)
    whole = start()
    for topic, records in topics.items():
        whole.add(topic, records)
    at_end(whole, *TOPICS)
    expected = order(whole, 1000)
    done = expected[:cut]
    positions = {topic: len(list(group)) for topic, group in groupby(sorted(done), lambda place: place[0])}
    again = start(**positions)
    for topic, records in topics.items():
        again.add(topic, records[positions.get(topic, 0) :])
    at_end(again, *TOPICS)
    assert order(again, 1000) == expected[cut:]
