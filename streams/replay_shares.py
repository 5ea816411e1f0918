"""Which process of a shared replay takes which account.

Accounts are hashed into BUCKETS, and each bucket belongs to one process. Activity is skewed: one account in ten thousand
may have a seventh of all events. So buckets are weighed by a sample of the history, and given out heaviest first, each to the
process that has least so far (Graham's longest-processing-time rule). What comes out does not depend on it, only how long
it takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec
from msgspec import Struct

BUCKETS = 4096


class _Subject(Struct):
    subject: str


_subject_of = msgspec.json.Decoder(_Subject).decode


def bucket_of(line: bytes) -> int:
    """The bucket of the account that an event is of; 0 where the line does not say."""
    try:
        return crc32(_subject_of(line).subject.encode()) % BUCKETS
    except ValueError:  # msgspec's errors are ValueErrors, and so is a text that is no UTF-8
        return 0


def shared_out(sample: Iterable[bytes], processes: int) -> Sequence[int]:
    """By bucket, the number of the process that takes its accounts."""
    weights = Counter(map(bucket_of, sample))
    load = [0.0] * processes
    owners = [0] * BUCKETS
    for bucket in sorted(range(BUCKETS), key=weights.__getitem__, reverse=True):
        owner = load.index(min(load))
        owners[bucket] = owner
        # What the sample lacks is not nothing.
        load[owner] += weights[bucket] + 1 / BUCKETS
    return owners
