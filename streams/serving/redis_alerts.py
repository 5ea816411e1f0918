"""The alert archives of all state partitions in Redis as one, newest first.

Rules:
1. Alerts of one moment are ordered by their ids, so that a page goes on where the one before ended, whichever partition
   they come from.
2. Of the sorted sets that hold all that is wanted, the shortest is read; what else is wanted is looked for in the alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, get_args

import msgspec
from msgspec import Struct

from schemas.settings import AlertKind
from streams.kafka.partitioning import partition_of
from streams.serving.contract import AlertPlace, Archived, Wanted
from streams.serving.cursors import CursorRefused
from streams.serving.redis_lists import merged, read, with_values
from streams.serving.redis_ranges import Entry, Range
from streams.stores.redis_keys import PartitionKeys

KINDS: tuple[str, ...] = get_args(AlertKind)
FACTS = ("account", "signal", "variant", "kind")

Stages = Mapping[str, Sequence[PartitionKeys]]


class _Facts(Struct):
    kind: str
    account: str | None = None
    variant: str | None = None
    signal: str | None = None
    segment: str | None = None


_facts = msgspec.json.Decoder(_Facts)


def newest(
    client: Any, stages: Stages, wanted: Wanted, limit: int, after: AlertPlace | None
) -> list[Archived]:
    """At most ``limit`` behind ``after``. Raises CursorRefused."""
    if after is not None and not isinstance(after.tie, str):
        raise CursorRefused
    behind = None if after is None else Entry(str(after.tie), after.at)
    lists = read(
        client,
        [
            (keys, Range(name, descending=True, behind=behind))
            for keys, name in _sorted_sets(client, stages, wanted)
        ],
    )
    since = float("-inf") if wanted.since is None else wanted.since
    recent = [takewhile(lambda each: each.score >= since, each) for each in lists]
    found: list[Archived] = []
    for placed, body in with_values(client, merged(recent, descending=True), lambda keys: keys.alerts):
        if _is_wanted(body, wanted):
            found.append((placed.score, placed.member, body))
            if len(found) == limit:
                break
    return found


def count_by_kind(client: Any, stages: Stages) -> dict[str, int]:
    pipe = client.pipeline(transaction=False)
    asked = [(kind, keys) for kind in KINDS for partitions in stages.values() for keys in partitions]
    for kind, keys in asked:
        pipe.zcard(keys.alerts_of("kind", kind))
    counts: Counter[str] = Counter()
    for (kind, _), count in zip(asked, pipe.execute(), strict=True):
        counts[kind] += count
    return {kind: count for kind, count in sorted(counts.items()) if count}


def _sorted_sets(client: Any, stages: Stages, wanted: Wanted) -> list[tuple[PartitionKeys, str]]:
    """In each state partition that can have such alerts, the shortest sorted set with all of them."""
    partitions: list[PartitionKeys] = []
    if wanted.signal is None and wanted.segment is None:
        partitions += _of(stages["accounts"], wanted.account)
    if wanted.account is None and wanted.variant is None:
        partitions += _of(stages["drift"], wanted.signal)
    facts = [(fact, value) for fact in FACTS if (value := getattr(wanted, fact)) is not None]
    if not facts:
        return [(keys, keys.alerts_by_time) for keys in partitions]
    pipe = client.pipeline(transaction=False)
    for keys in partitions:
        for fact, value in facts:
            pipe.zcard(keys.alerts_of(fact, value))
    sizes = iter(pipe.execute())
    chosen = []
    for keys in partitions:
        fact, value = min(facts, key=lambda _: next(sizes))
        chosen.append((keys, keys.alerts_of(fact, value)))
    return chosen


def _of(partitions: Sequence[PartitionKeys], key: str | None) -> Sequence[PartitionKeys]:
    return partitions if key is None else [partitions[partition_of(key, len(partitions))]]


def _is_wanted(body: bytes, wanted: Wanted) -> bool:
    facts = _facts.decode(body)
    return all(getattr(wanted, fact) in (None, getattr(facts, fact)) for fact in (*FACTS, "segment"))
