"""What is stored of an account: its round trip, its versions, its bounds, and how attributes merge."""

from __future__ import annotations

import random
from contextlib import suppress
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from detectors.account_state import (
    MAX_SEEN,
    STATE_VERSION,
    AccountState,
    decode_state,
    drop_timer,
    encode_state,
    is_news,
    memory_of,
    merge_attributes,
    present,
    set_timer,
)
from detectors.effects import Effects
from schemas.errors import StateRefused
from schemas.events import MAX_ATTRIBUTES

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 5).map(float), st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1)),
    max_size=8,
)


def merged(changes: list[tuple[float, dict[str, Any]]]) -> AccountState:
    state = AccountState()
    for at, attributes in changes:
        merge_attributes(state, attributes, at)
    return state


@given(changes=CHANGES, order=st.randoms(use_true_random=False))
def test_attributes_do_not_depend_on_order(
    changes: list[tuple[float, dict[str, Any]]], order: random.Random
) -> None:
    shuffled = list(changes)
    order.shuffle(shuffled)
    one, other = merged(changes), merged(shuffled)
    assert {name: (repr(value), at) for name, (value, at) in one.attributes.items()} == {
        name: (repr(value), at) for name, (value, at) in other.attributes.items()
    }


@given(changes=CHANGES)
def test_the_newest_time_wins_each_attribute_by_itself(changes: list[tuple[float, dict[str, Any]]]) -> None:
    state = merged(changes)
    for name in {name for _, attributes in changes for name in attributes}:
        newest = max(at for at, attributes in changes if name in attributes)
        assert state.attributes[name][1] == newest
        candidates = [
            repr(attributes[name]) for at, attributes in changes if at == newest and name in attributes
        ]
        assert repr(state.attributes[name][0]) in candidates


def test_null_removes_and_an_older_event_does_not_bring_it_back() -> None:
    state = merged([(1.0, {"tier": "team"}), (3.0, {"tier": None}), (2.0, {"tier": "free"})])
    assert present(state) == {}
    assert merge_attributes(state, {"tier": "team"}, 4.0)
    assert present(state) == {"tier": "team"}


@pytest.mark.parametrize(
    ("before", "value", "changed"),
    [
        ("a", "a", False),
        ("a", "b", True),
        (1, True, True),  # equal in Python, not for a condition
        (0, False, True),
        ([1], [1], False),
        (["a"], ["a", "b"], True),
        ("a", None, True),
        (None, None, False),
    ],
)
def test_whether_a_value_has_changed(before: Any, value: Any, changed: bool) -> None:
    state = merged([(1.0, {"a": before})])
    assert merge_attributes(state, {"a": value}, 2.0) is changed


def test_an_older_event_changes_nothing() -> None:
    state = merged([(2.0, {"a": 1})])
    assert not merge_attributes(state, {"a": 2}, 1.0)
    assert state.attributes == {"a": (1, 2.0)}


def test_attributes_are_bounded() -> None:
    state = merged([(float(i), {f"a{i}": i}) for i in range(3 * MAX_ATTRIBUTES)])
    assert len(state.attributes) == MAX_ATTRIBUTES
    assert merge_attributes(state, {"a0": "new"}, 1e9)
    assert present(state)["a0"] == "new"


@given(changes=CHANGES)
def test_a_round_trip_changes_nothing(changes: list[tuple[float, dict[str, Any]]]) -> None:
    state = merged(changes)
    state.now, state.events, state.first_visit, state.source = 5.5, 3, (1.0, "email"), "email"
    state.milestones = {"signed_up": 1.0}
    state.timers = {"rescore:main": 2.0}
    state.statements = [(1.0, "email")]
    state.used = 2
    raw = encode_state(state)
    assert decode_state(raw) == state
    assert encode_state(decode_state(raw)) == raw


def test_a_new_state_stores_small() -> None:
    assert len(encode_state(AccountState())) < 40


class _Memory(Struct, array_like=True):
    count: int = 0


def test_what_a_signal_remembers_is_stored_with_the_account() -> None:
    state = AccountState()
    memory_of(state, "a.signal", _Memory).count += 2
    again = decode_state(encode_state(state))
    memory_of(again, "a.signal", _Memory).count += 1
    assert memory_of(decode_state(encode_state(again)), "a.signal", _Memory).count == 3
    assert memory_of(again, "another", _Memory).count == 0


def test_a_memory_is_written_as_it_stands_and_as_it_came_where_nobody_asked() -> None:
    state = AccountState()
    memory_of(state, "a.signal", _Memory).count = 1
    memory_of(state, "another", _Memory).count = 7
    first = encode_state(state)
    memory_of(state, "a.signal", _Memory).count += 1
    again = decode_state(encode_state(state))
    assert memory_of(again, "a.signal", _Memory).count == 2
    memory_of(again, "a.signal", _Memory).count -= 1
    assert encode_state(again) == first


def test_a_memory_of_another_shape_is_refused() -> None:
    class Other(Struct, array_like=True):
        count: str = ""

    state = AccountState()
    memory_of(state, "a.signal", Other).count = "five"
    with pytest.raises(StateRefused, match=r"a\.signal"):
        memory_of(decode_state(encode_state(state)), "a.signal", _Memory)


# What can't be read


def refused(raw: bytes) -> str:
    with pytest.raises(StateRefused) as error:
        decode_state(raw)
    assert error.value.remedy
    return str(error.value)


@pytest.mark.parametrize("version", [0, 4, 6, 127, 128, 255, 70_000, -1])
def test_another_version_is_refused_with_its_number(version: int) -> None:
    said = refused(encode_state(AccountState(version=version)))
    assert f"version {version};" in said
    assert f"reads version {STATE_VERSION}" in said


def test_a_version_with_more_or_fewer_fields_is_refused_with_its_number() -> None:
    for fields in ([3], [3] + [0] * 40):
        assert "version 3;" in refused(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", b"\x9c", b"\x9c\x01", b"\xc1", b"{}", b"null", b"\x90", b"\x80", b"\xff" * 100, b'["1"]'],
    ids=repr,
)
def test_what_is_no_state_is_refused(raw: bytes) -> None:
    refused(raw)


def test_every_cut_state_is_refused() -> None:
    state = merged([(1.0, {"a": "text", "b": [1, 2]})])
    raw = encode_state(state)
    for length in range(len(raw)):
        refused(raw[:length])
    refused(raw + b"\x00")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for candidate in (raw, encode_state(AccountState())[:2] + raw):
        with suppress(StateRefused):
            assert isinstance(decode_state(candidate), AccountState)


def test_a_refusal_names_no_content() -> None:
    raw = encode_state(merged([(1.0, {"contact": "jane@customer.example"})]))
    assert "jane" not in refused(raw[:-3])
    assert "jane" not in refused(msgspec.msgpack.encode(["jane@customer.example"]))


# Duplicate memory and timers


def test_an_event_is_named_by_source_and_id_and_not_by_their_joining() -> None:
    state = AccountState()
    pairs = [
        ("a", "b"),
        ("ab", ""),
        ("", "ab"),
        ("a", "c"),
        ("b", "a"),
        ("a\x1f", "b"),
        ("x" * 500, "y" * 256),
    ]
    assert all(is_news(state, *pair) for pair in pairs)
    assert not any(is_news(state, *pair) for pair in pairs)
    assert len(state.seen) == 8 * len(pairs)


def test_the_newest_events_are_remembered_and_the_memory_is_bounded() -> None:
    state = AccountState()
    for number in range(3000):
        assert is_news(state, "s", str(number))
        assert not is_news(state, "s", str(number))
        assert len(state.seen) <= MAX_SEEN * 8
        oldest = max(0, number + 1 - MAX_SEEN * 3 // 4)
        assert not is_news(state, "s", str(oldest))
    assert is_news(state, "s", "0")


def test_what_is_stored_and_what_is_remembered_beside_it_agree() -> None:
    state = AccountState()
    for number in range(1500):
        is_news(state, "s", str(number))
        if number % 97 == 0:
            again = decode_state(encode_state(state))
            for old in range(number, -1, -1):  # the newest first: asking for a forgotten one makes it news
                here, there = (is_news(one, "s", str(old)) for one in (deepcopy(state), deepcopy(again)))
                assert here == there
                if here:
                    break


def test_timers_say_that_they_changed_only_when_they_did() -> None:
    state, effects = AccountState(), Effects()
    set_timer(state, "t", 5.0, effects)
    assert effects.timers_changed
    effects.timers_changed = False
    set_timer(state, "t", 5.0, effects)
    drop_timer(state, "other", effects)
    assert not effects.timers_changed
    drop_timer(state, "t", effects)
    assert effects.timers_changed
    assert state.timers == {}
