"""How what an event adds to a trigger fades, in a memory that doesn't grow with the number of events.

Rules:
1. ``value(memory, now)`` is the sum over all events of ``share(now - time)``, in units (one counted event = 1).
2. It doesn't depend on the order in which events arrived: one that arrives late is added with its own decay
   (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009).
3. ``share`` starts at 1 and never rises, so that a score only rises by events.

Half-lives are held exactly, as one sum at one reference time. The other shapes are held as counts in time buckets of
1/256 of their lifespan, which is their resolution; an event counts from the start of its bucket.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

BUCKETS = 256
MAX_BUCKETS = BUCKETS + 16
"""So many are held before the dead ones are looked for: not at each event, and never many more than can be alive."""


class Fading(Struct, array_like=True, gc=False):
    """The memory of one decayed sum. Half-lives use ``total`` (as of ``reference``, Unix seconds), others ``buckets``."""

    total: float = 0.0
    reference: float = 0.0
    buckets: dict[int, float] = {}


class Decay(Protocol):
    """One shape of fading. Times and ages in seconds."""

    @property
    def lifespan_s(self) -> float:
        """After this age nothing is left (infinite for half-lives)."""
        ...

    @property
    def envelope(self) -> tuple[float, float]:
        """(factor, half_life_s) such that value(t + d) <= factor * value(t) * 2^(-d / half_life_s) for all d >= 0."""
        ...

    def share(self, age: float) -> float: ...

    def add(self, memory: Fading, at: float, units: float) -> None: ...

    def value(self, memory: Fading, now: float) -> float: ...

    def merge(self, into: Fading, memory: Fading, factor: float) -> None:
        """Adds ``factor`` times what ``memory`` holds."""
        ...

    def words(self) -> str: ...


class HalfLife:
    """2^(-age / half_life)."""

    def __init__(self, half_life_s: float) -> None:
        if not half_life_s > 0:
            raise ValueError("a half-life is positive")
        self._rate = 1.0 / half_life_s
        self._half_life_s = half_life_s

    @property
    def lifespan_s(self) -> float:
        return math.inf

    @property
    def envelope(self) -> tuple[float, float]:
        return 1.0, self._half_life_s

    def share(self, age: float) -> float:
        return math.exp2(-age * self._rate) if age < 1000 * self._half_life_s else 0.0

    def add(self, memory: Fading, at: float, units: float) -> None:
        reference = memory.reference
        if at > reference:
            memory.total = memory.total * self.share(at - reference) + units
            memory.reference = at
        else:
            memory.total += units * self.share(reference - at)

    def value(self, memory: Fading, now: float) -> float:
        # Before its own reference a sum is its own value: what is to come has not faded.
        age = now - memory.reference
        return memory.total * self.share(age) if age > 0 else memory.total

    def merge(self, into: Fading, memory: Fading, factor: float) -> None:
        if memory.total:
            self.add(into, memory.reference, memory.total * factor)

    def words(self) -> str:
        return f"by half in {_days(self._half_life_s)}"


class _Bucketed(ABC):
    """Shapes that end: counts by time bucket, forgotten when nothing is left of them."""

    def __init__(self, lifespan_s: float) -> None:
        if not lifespan_s > 0:
            raise ValueError("a lifespan is positive")
        self._lifespan_s = lifespan_s
        self._bucket_s = lifespan_s / BUCKETS

    @property
    def lifespan_s(self) -> float:
        return self._lifespan_s

    @property
    def envelope(self) -> tuple[float, float]:
        # Nothing rises, and after one lifespan all is gone: twice the value, halved within a lifespan, bounds it.
        return 2.0, self._lifespan_s

    @abstractmethod
    def share(self, age: float) -> float: ...

    def add(self, memory: Fading, at: float, units: float) -> None:
        bucket = int(at // self._bucket_s)
        buckets = memory.buckets
        buckets[bucket] = buckets.get(bucket, 0.0) + units
        if at > memory.reference:
            memory.reference = at
        if len(buckets) > MAX_BUCKETS:
            self._forget(memory)

    def _forget(self, memory: Fading) -> None:
        """Drops the buckets of which nothing is left at the reference, nor at any time after it."""
        oldest = int(memory.reference // self._bucket_s) - BUCKETS - 1
        memory.buckets = {bucket: n for bucket, n in memory.buckets.items() if bucket >= oldest}

    def value(self, memory: Fading, now: float) -> float:
        size = self._bucket_s
        share = self.share
        total = 0.0
        for bucket, units in memory.buckets.items():
            age = now - bucket * size
            total += units * share(age) if age > 0 else units
        return total

    def merge(self, into: Fading, memory: Fading, factor: float) -> None:
        for bucket, units in memory.buckets.items():
            into.buckets[bucket] = into.buckets.get(bucket, 0.0) + units * factor
        into.reference = max(into.reference, memory.reference)
        if len(into.buckets) > MAX_BUCKETS:
            self._forget(into)


class Linear(_Bucketed):
    """1 - age / lifespan, then nothing."""

    def share(self, age: float) -> float:
        return max(0.0, 1.0 - age / self._lifespan_s)

    def words(self) -> str:
        return f"evenly over {_days(self._lifespan_s)}"


class Steps(_Bucketed):
    """A share for each stretch of age: ((until_s, share), ...), ``until_s`` rising, shares falling; then nothing."""

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        if not steps:
            raise ValueError("steps need at least one step")
        super().__init__(steps[-1][0])
        self._steps = tuple(steps)

    def share(self, age: float) -> float:
        for until_s, share in self._steps:
            if age < until_s:
                return share
        return 0.0

    def words(self) -> str:
        return "in steps over " + _days(self._lifespan_s)


class Lasts(_Bucketed):
    """All of it for a while, then nothing."""

    def share(self, age: float) -> float:
        return 1.0 if age < self._lifespan_s else 0.0

    def words(self) -> str:
        return f"not at all for {_days(self._lifespan_s)}, then at once"


def _days(seconds: float) -> str:
    if seconds < 2 * 86400:
        return f"{seconds / 3600:g} hours"
    return f"{seconds / 86400:g} days"
