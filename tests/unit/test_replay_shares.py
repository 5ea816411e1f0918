"""Accounts of a shared replay are given out so that no process waits long for another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import PlumblineError
from streams.history import sample
from streams.replay_shares import BUCKETS, bucket_of, shared_out


def line(account: int) -> bytes:
    return b'{"subject": "account-%d", "data": {}}\n' % account


@given(st.lists(st.integers(0, 300), max_size=400), st.integers(1, 8))
def test_no_process_has_more_than_its_part_and_one_account(accounts: list[int], processes: int) -> None:
    lines = [line(account) for account in accounts]
    owners = shared_out(lines, processes)
    buckets = Counter(map(bucket_of, lines))
    load = Counter(owners[bucket_of(each)] for each in lines)
    assert len(owners) == BUCKETS
    assert set(owners) == set(range(processes))
    assert max(load.values(), default=0) <= len(lines) / processes + max(buckets.values(), default=0)


def test_an_account_with_half_of_all_events_has_a_process_for_itself() -> None:
    lines = [line(0)] * 100 + [line(account) for account in range(1, 101)]
    owners = shared_out(lines, 2)
    own = owners[bucket_of(line(0))]
    together = sum(owners[bucket_of(line(account))] == own for account in range(1, 101))
    assert together <= 1


def test_what_was_not_seen_is_shared_out_as_well() -> None:
    assert Counter(shared_out([], 4)) == dict.fromkeys(range(4), BUCKETS // 4)


@pytest.mark.parametrize("what", [b"", b"{", b"[]", b'{"subject": 7}', b'{"subject": "\xff"}', b"\xff"])
def test_what_names_no_account_has_a_place(what: bytes) -> None:
    assert bucket_of(what) == 0


def test_a_sample_holds_whole_lines_from_all_parts_of_all_files(tmp_path: Path) -> None:
    written: dict[Path, list[bytes]] = {}
    for name, lines in {"long": 10_000, "short": 3, "empty": 0}.items():
        written[tmp_path / name] = [b"%s %d\n" % (name.encode(), number) for number in range(lines)]
        (tmp_path / name).write_bytes(b"".join(written[tmp_path / name]))
    found = list(sample(list(written), 10, 5))
    long = [each for each in found if each.startswith(b"long")]
    assert set(found) <= {each for lines in written.values() for each in lines}
    assert len(set(long)) == 50
    assert {int(each.split()[1]) // 1000 for each in long} >= set(range(9))
    assert set(written[tmp_path / "short"]) <= set(found)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match="nowhere can't be read"):
        list(sample([tmp_path / "nowhere"], 10, 5))
