"""The ranked lists of all state partitions in Redis as one: merged exactly, with the states of those that are looked at.

Rules:
1. A member's place is merged as the sorted sets had it when they were read; its state is read after that, so it is never
   older than its place.
2. Nobody comes twice, also who moves from a place ahead to one behind meanwhile.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Any, NamedTuple

from streams.serving.contract import Listed
from streams.serving.redis_ranges import Entry, Range, entries
from streams.stores.redis_keys import FIT_UNKNOWN, PartitionKeys

AT_ONCE = 64
"""Values fetched in a round trip: about what one page looks at."""


class Placed(NamedTuple):
    """An entry of a sorted set, and the state partition that it belongs to."""

    score: float
    member: str
    keys: PartitionKeys


def by_rank(client: Any, partitions: Sequence[PartitionKeys], variant: str) -> Iterator[Listed]:
    ranges = [(keys, Range(keys.rank(variant), descending=True)) for keys in partitions]
    return _with_states(client, merged(read(client, ranges), descending=True), variant)


def by_fit(
    client: Any,
    partitions: Sequence[PartitionKeys],
    variant: str,
    unknown: float,
    after: tuple[float, str] | None,
) -> Iterator[Listed]:
    """``unknown``: the fit of those who were listed without a profile."""
    behind = None if after is None else Entry(after[1], -after[0])
    ranges = [(keys, Range(keys.fit(variant), behind=behind)) for keys in partitions]
    if after is None or unknown <= after[0]:
        begin = Entry(after[1] if after is not None and unknown == after[0] else "", FIT_UNKNOWN)
        ranges += [(keys, Range(keys.fit(variant), behind=begin)) for keys in partitions]
    lists = read(client, ranges)
    known = [takewhile(lambda each: each.score < FIT_UNKNOWN, each) for each in lists[: len(partitions)]]
    without = [
        (each._replace(score=-unknown) for each in of_partition) for of_partition in lists[len(partitions) :]
    ]
    placed = (each._replace(score=-each.score) for each in merged([*known, *without]))
    return _with_states(client, placed, variant)


def listed_before(
    client: Any, partitions: Sequence[PartitionKeys], variant: str, at: float
) -> Iterator[tuple[str, bytes]]:
    lists = read(client, [(keys, Range(keys.listed(variant))) for keys in partitions])
    for of_partition in lists:
        stale = takewhile(lambda each: each.score < at, of_partition)
        for account, _, _, state in _with_states(client, stale, variant):
            yield account, state


def read(client: Any, ranges: Sequence[tuple[PartitionKeys, Range]]) -> list[Iterator[Placed]]:
    """Each range's entries in its own order."""
    found = entries(client, [each for _, each in ranges])
    return [_placed(each, keys) for each, (keys, _) in zip(found, ranges, strict=True)]


def merged(lists: Sequence[Iterable[Placed]], *, descending: bool = False) -> Iterator[Placed]:
    """All of them by (score, member)."""
    return heapq.merge(*lists, key=_order, reverse=descending)


def with_values(
    client: Any, placed: Iterator[Placed], key: Callable[[PartitionKeys], str]
) -> Iterator[tuple[Placed, bytes]]:
    """Each with its field of the hash ``key``; without those that have none there."""
    while chunk := list(islice(placed, AT_ONCE)):
        pipe = client.pipeline(transaction=False)
        for each in chunk:
            pipe.hget(key(each.keys), each.member)
        for each, value in zip(chunk, pipe.execute(), strict=True):
            if value is not None:
                yield each, value


def _with_states(client: Any, placed: Iterator[Placed], variant: str) -> Iterator[Listed]:
    seen: set[str] = set()
    while chunk := list(islice(placed, AT_ONCE)):
        of_partition: dict[str, tuple[PartitionKeys, list[str]]] = {}
        for each in chunk:
            of_partition.setdefault(each.keys.tag, (each.keys, []))[1].append(each.member)
        pipe = client.pipeline(transaction=False)
        for keys, names in of_partition.values():
            pipe.hmget(keys.states, names)
            pipe.zmscore(keys.listed(variant), names)
        answers = iter(pipe.execute())
        found: dict[str, tuple[bytes | None, float | None]] = {}
        for _, names in of_partition.values():
            found.update(zip(names, zip(next(answers), next(answers), strict=True), strict=True))
        for each in chunk:
            state, at = found[each.member]
            if state is not None and at is not None and each.member not in seen:
                seen.add(each.member)
                yield each.member, each.score, at, state


def _placed(found: Iterator[Entry], keys: PartitionKeys) -> Iterator[Placed]:
    return (Placed(entry.score, entry.member, keys) for entry in found)


def _order(placed: Placed) -> tuple[float, str]:
    return placed.score, placed.member
