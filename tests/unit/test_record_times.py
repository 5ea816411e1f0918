"""Timestamps of records keep the order of arrival within a partition, and stay with the clock where they can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.record_times import RecordTimes

TOPICS = ("a", "b", "c")


@given(st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(0, 2), st.integers(0, 3))))
def test_a_merge_by_time_and_topic_gives_the_order_of_arrival(
    arrivals: list[tuple[str, int, int]],
) -> None:
    times = RecordTimes(TOPICS)
    now = 1000
    written: dict[int, list[tuple[int, str, int]]] = {}
    for number, (topic, partition, passed) in enumerate(arrivals):
        now += passed
        at = times.next(topic, partition, now)
        assert at >= now
        written.setdefault(partition, []).append((at, topic, number))
    for records in written.values():
        assert sorted(records) == records
        # one topic's records are in order by themselves, so this is the merge of streams/kafka
        assert [number for *_, number in sorted(records)] == sorted(number for *_, number in records)


def test_times_are_the_clocks_unless_order_would_be_lost() -> None:
    times = RecordTimes(TOPICS)
    assert [times.next(topic, 0, 5) for topic in ("a", "a", "c", "c")] == [5, 5, 5, 5]
    assert times.next("b", 0, 5) == 6
    assert times.next("b", 1, 5) == 5, "each partition has its own"
    assert times.ahead_ms(5) == 1
    assert times.next("a", 0, 9) == 9
    assert times.ahead_ms(9) == 0


def test_a_clock_that_is_set_back_does_not_turn_order_round() -> None:
    times = RecordTimes(TOPICS)
    assert times.next("c", 0, 1000) == 1000
    assert times.next("a", 0, 10) == 1001


def test_nothing_written_is_not_ahead() -> None:
    assert RecordTimes(TOPICS).ahead_ms(0) == 0
