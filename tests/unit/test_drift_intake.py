"""Observations of many partitions: one order whatever the interleaving, nothing lost, twice or held for ever."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from schemas.errors import Fenced
from streams.kafka.drift import DriftIntake
from tests.unit.drift_world import DriftMemoryStore, WritingStage, mark, sent

TOPIC = "observations"
Order = tuple[float, int, int]

steps_of_a_partition = st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.0, 2.0, 7.0, "mark"]), max_size=12)
"""by how much time goes on before the next observation, or a mark"""
partitions = st.lists(steps_of_a_partition, min_size=1, max_size=4)
chances = st.integers(0, 2**32).map(random.Random)


def intake(store: DriftMemoryStore, sources: int, **limits: int) -> DriftIntake:
    return DriftIntake(store, WritingStage(), TOPIC, 0, sources, now=lambda: 1000.0, **limits)  # type: ignore[arg-type]


def interleaved(
    scripts: Sequence[Sequence[float | str]], chance: random.Random
) -> tuple[list[bytes], list[str]]:
    """The messages of all partitions as they come to lie in the topic, with repeats, and the accounts in order."""
    clock = 0.0
    known = [0.0] * len(scripts)
    written: list[list[tuple[int, float]]] = [[] for _ in scripts]
    todo = [list(script) for script in scripts]
    messages: list[bytes] = []
    order: list[Order] = []
    while any(todo):
        clock += 1
        source = chance.choice([number for number, left in enumerate(todo) if left])
        step = todo[source].pop(0)
        if isinstance(step, str):
            messages.append(mark(source, known[source]))
        else:
            known[source] += step
            sequence = len(written[source]) + 1
            written[source].append((sequence, known[source]))
            order.append((known[source], source, sequence))
            messages.append(sent(source, sequence, known[source], clock))
        if written[source] and chance.random() < 0.2:  # a relay that was not told of the broker's answer
            again = written[source][chance.randrange(len(written[source])) :]
            messages += [sent(source, sequence, at, clock) for sequence, at in again]
        if chance.random() < 0.1:  # the last words of a former owner
            messages.append(mark(source, known[source] / 2))
    messages += [mark(source, known[source], clock + 1) for source in range(len(scripts))]
    return messages, [f"{source}-{sequence}" for _, source, sequence in sorted(order)]


@given(partitions, chances)
def test_any_interleaving_gives_one_order(scripts: list[list[float | str]], chance: random.Random) -> None:
    messages, expected = interleaved(scripts, chance)
    store = DriftMemoryStore()
    intake(store, len(scripts)).take(list(enumerate(messages)))
    assert store.taken_in() == expected
    assert not store.kept
    assert store._partitions["drift", 0].claim.offsets == {TOPIC: len(messages)}


class _PowerCutError(Exception):
    pass


@given(partitions, chances, st.sets(st.integers(0, 60), max_size=12), st.integers(1, 5), st.integers(1, 4))
def test_batches_crashes_and_small_memory_change_nothing(
    scripts: list[list[float | str]], chance: random.Random, cuts: set[int], window: int, at_once: int
) -> None:
    messages, expected = interleaved(scripts, chance)
    store = DriftMemoryStore()

    moments = count()

    def perhaps() -> None:
        if next(moments) in cuts:
            raise _PowerCutError

    store.before = store.after = perhaps
    mine = None
    while mine is None or mine.next_offset < len(messages):
        try:
            mine = mine or intake(store, len(scripts), window=window, released_at_once=at_once)
            begin = mine.next_offset
            behind = max(0, begin - chance.randint(0, 2))  # some that were committed come again
            batch = list(enumerate(messages))[behind : begin + chance.randint(1, 6)]
            mine.take(batch)
        except _PowerCutError:
            mine = None
    store.before = store.after = lambda: None
    intake(store, len(scripts), window=window, released_at_once=at_once).take([])
    assert store.taken_in() == expected
    assert not store.kept
    assert store.most_released <= at_once


@given(st.lists(st.tuples(st.sampled_from(["fact", "relay"]), st.integers(0, 3)), max_size=60))
def test_facts_in_order_of_time_are_taken_in_order_though_partitions_rest(
    happens: list[tuple[str, int]],
) -> None:
    """Live: facts come in order of time, are relayed some time after, and idle partitions say that they are at the end."""
    waiting: list[list[tuple[int, float]]] = [[] for _ in range(4)]
    made = [0] * 4
    newest = [0.0] * 4
    messages: list[bytes] = []
    expected: list[str] = []
    clock = 0.0
    for what, source in [*happens, *(("relay", source) for source in range(4))] * 2:
        clock += 1
        if what == "fact":
            made[source] += 1
            newest[source] = clock
            waiting[source].append((made[source], clock))
            expected.append(f"{source}-{made[source]}")
        else:
            messages += [sent(source, sequence, known, clock) for sequence, known in waiting[source]]
            waiting[source].clear()
            messages.append(mark(source, newest[source], clock))
    messages += [mark(source, newest[source], clock + 1) for source in range(4)]
    store = DriftMemoryStore()
    intake(store, 4).take(list(enumerate(messages)))
    assert store.taken_in() == expected


def test_a_partition_that_is_behind_holds_the_others_back_until_it_comes_past() -> None:
    store = DriftMemoryStore()
    mine = intake(store, 2)
    mine.take([(0, sent(0, 1, 50.0, at=10.0)), (1, mark(0, 60.0, 20.0)), (2, mark(1, 50.0))])
    assert store.taken_in() == []
    waiting = mine.waiting()
    assert (waiting.held, waiting.for_partition, waiting.behind_s, waiting.waited_s) == (1, 1, 0.0, 990.0)
    # It may still have something to say at that very time, and says it.
    mine.take([(3, sent(1, 1, 50.0, at=21.0)), (4, mark(1, 50.5)), (5, mark(0, 60.0, 22.0))])
    assert store.taken_in() == ["0-1", "1-1"]
    assert mine.waiting().held == 0


def test_an_idle_or_empty_partition_holds_back_only_what_was_sent_since_it_spoke() -> None:
    store = DriftMemoryStore()
    mine = intake(store, 3)
    mine.take([(0, mark(1, 0.0, 100.0)), (1, mark(2, 5.0, 100.0)), (2, sent(0, 1, 50.0, at=99.0))])
    mine.take([(3, sent(0, 2, 51.0, at=101.0)), (4, mark(0, 51.0, 102.0))])
    assert store.taken_in() == ["0-1"]
    mine.take([(5, mark(1, 0.0, 103.0)), (6, mark(2, 5.0, 104.0))])
    assert store.taken_in() == ["0-1", "0-2"]


def test_what_is_no_message_is_a_dead_letter_and_holds_nothing_up() -> None:
    store = DriftMemoryStore()
    strange = [
        b"",
        b"{}",
        b"\xff",
        b'{"kind":"mark","source":9,"watermark":1,"caught_up":1}',
        b'{"kind":"mark","source":0,"watermark":1e300,"caught_up":1}',
        b'{"kind":"observation","source":0,"sequence":0,"known":1,"sent":1,"observation":{}}',
        b'{"kind":"observation","source":0,"sequence":1,"known":1,"sent":1,"observation":{"a":1}}',
        b"[" * 100_000,
    ]
    good = [sent(0, 2, 5.0), mark(0, 6.0, 9.0)]
    (result,) = intake(store, 1).take(list(enumerate([*strange, *good])))
    assert store.taken_in() == ["0-2"]
    assert sorted(letter.offset for letter in result.dead_letters) == list(range(len(strange)))
    assert {letter.topic for letter in store.dead_letters} == {TOPIC}


def test_an_observation_that_the_program_fails_on_is_a_dead_letter_with_its_own_offset() -> None:
    store = DriftMemoryStore()
    messages = [sent(0, 1, 1.0), sent(0, 2, 2.0, account="bug"), sent(0, 3, 3.0), mark(0, 4.0)]
    intake(store, 1).take(list(enumerate(messages)))
    assert store.taken_in() == ["0-1", "0-3"]
    assert [(letter.offset, letter.reason) for letter in store.dead_letters] == [(1, "step_failed")]


def test_a_former_owner_is_refused() -> None:
    store = DriftMemoryStore()
    former = intake(store, 1)
    intake(store, 1)
    with pytest.raises(Fenced):
        former.take([(0, mark(0, 1.0))])


def test_a_former_owners_last_mark_takes_nothing_back() -> None:
    store = DriftMemoryStore()
    late = [mark(1, 60.0, 9.0), mark(1, 10.0, 3.0), sent(0, 1, 50.0, at=8.0), mark(0, 55.0)]
    intake(store, 2).take(list(enumerate(late)))
    assert store.taken_in() == ["0-1"]


def test_what_was_committed_before_is_passed_over_and_commits_nothing() -> None:
    store = DriftMemoryStore()
    messages = [(0, sent(0, 1, 1.0)), (1, mark(0, 2.0)), (2, b"no message")]
    mine = intake(store, 1)
    assert len(mine.take(messages)) == 1
    assert mine.take(messages[:2]) == []
    assert mine.next_offset == 3
    assert mine.take(messages) == []
    assert len(store.dead_letters) == 1


def test_memory_is_bounded_by_the_window() -> None:
    store = DriftMemoryStore()
    mine = intake(store, 2, window=10)
    for first in range(0, 500, 50):
        # Backwards within each batch's worth of time, so that the window's end moves.
        mine.take([(n, sent(0, n + 1, float(n), at=1.0)) for n in range(first, first + 50)])
        assert len(mine._hold_back._heap) <= 20
    assert len(store.kept) == 500
    assert mine.waiting().held == 500
    mine.take([(500, mark(0, 1000.0)), (501, mark(1, 1000.0))])
    assert store.taken_in() == [f"0-{n}" for n in range(1, 501)]
    assert mine.waiting().held == 0


def test_says_once_for_whom_it_waits_and_when_that_is_over() -> None:
    store = DriftMemoryStore()
    mine = intake(store, 2)
    mine.say_who_holds_back()
    with capture_logs() as said:
        mine.take([(0, sent(0, 1, 5000.0, at=900.0)), (1, mark(0, 6000.0)), (2, mark(1, 1400.0))])
        mine.say_who_holds_back()
        mine.say_who_holds_back()
        mine.take([(3, mark(1, 7000.0))])
        mine.say_who_holds_back()
    assert [entry["event"] for entry in said] == ["drift_waits", "drift_goes_on"]
    assert said[0]["for_account_partition"] == 1
    assert said[0]["behind_s"] == 3600
    assert said[0]["waited_s"] == 100
