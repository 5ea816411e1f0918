"""The account stage's half of data.health: what came from each source in the hour that is going on, told when it is over.

Rules:
1. An hour is one of the watermark, not of the events' times: what arrives in it counts in it, however old. So an hour that
   was told is over for good, and what comes late or by a wrong clock is seen when it comes.
2. Counts only: sums of the counts of several partitions, or of several processes of a replay, are the counts of one.
3. The hour is told by a timer, before all that is due later: where batches begin and end changes nothing.
4. At most MAX_SOURCES sources an hour; the rest of a type count together, under OTHERS.
5. After QUIET_HOURS hours with nothing to tell, nothing is told until something comes: a gap of years is not told by hours.

The tally also remembers since when the events that a signal counts have been recorded, as far as it was told: that is asked at
each of them, and news only where an older one comes. It is told again after RETOLD_AFTER, for who had to begin anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct, field

from detectors.effects import Effects
from detectors.health.fields import BUCKETS, Looked, bucket, sketch_bit
from schemas.duration import DAY, HOUR
from schemas.errors import StateRefused
from schemas.events import Envelope
from schemas.observations import Observation

SIGNAL = "data.health"
HOUR_MEASURE, TICK_MEASURE = "hour", "tick"
TALLY_KEY = "\x1fsources"
"""of the tally among the states of accounts: no subject of an event can have a control character"""
BEHIND_S = 3 * HOUR
"""An event that is older than the watermark by more came by a wrong clock, or late."""
MAX_SOURCES = 500
OTHERS = "(others)"
QUIET_HOURS = 14 * 24
RETOLD_AFTER = 7 * DAY
ARRIVED, REPEATED, LATE, BEHIND = range(4)
_VERSION = 1
_TIMER = "hour"

_class_and_source = attrgetter("__class__", "source")


class Heard(Struct):
    """What the processor has taken in since it last said so, in classes of what became of it; ``behind`` are those of all
    three that were older than the watermark by more than BEHIND_S."""

    applied: list[Any] = []
    duplicate: list[Any] = []
    late: list[Any] = []
    behind: list[Any] = []

    def clear(self) -> None:
        for part in (self.applied, self.duplicate, self.late, self.behind):
            part.clear()


class Counted(Struct, array_like=True):
    """Of one source and type: [arrived, repeats, too late, behind]; by field how many have it; by field the values' buckets;
    which bits of the sketch are set, and of how many events that name something."""

    seen: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    filled: dict[str, int] = {}
    values: dict[str, list[int]] = {}
    bits: set[int] = set()
    named: int = 0


class Recorded(Struct, array_like=True):
    """Unix seconds: since when something has been recorded, and when that was told."""

    since: float
    told: float


class Tally(Struct, array_like=True):
    version: int = _VERSION
    timers: dict[str, float] = {}
    sources: dict[str, dict[str, Counted]] = {}
    """type -> source -> what came"""
    known: int = 0
    """sources in ``sources``"""
    quiet: int = 0
    recorded: dict[str, dict[str, Recorded]] = {}
    """signal -> measure -> since when"""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Tally)


def encode_tally(tally: Tally) -> bytes:
    return _encoder.encode(tally)


def decode_tally(raw: bytes) -> Tally:
    """Raises StateRefused."""
    try:
        tally = _decoder.decode(raw)
        if tally.version == _VERSION:
            return tally
    except msgspec.MsgspecError:
        pass
    raise StateRefused(
        "the counts of the hour by source are damaged, or of another version",
        remedy="run the version of Plumbline that wrote them, or start from an empty data directory and replay",
    )


def begin(tally: Tally, time: float) -> bool:
    """Sets the end of the hour in which ``time`` (Unix seconds) lies, unless one is set. Returns whether it did."""
    if tally.timers:
        return False
    tally.timers[_TIMER] = (time // HOUR + 1) * HOUR
    return True


def count(tally: Tally, heard: Heard, looked: Mapping[type[Envelope], Looked]) -> None:
    """Takes in what was heard. This is on the path of every event: what is done for each is done in C."""
    by_source: defaultdict[tuple[type[Envelope], str], list[Any]] = defaultdict(list)
    for event in heard.applied:
        by_source[event.__class__, event.source].append(event)
    for (event_class, source), events in by_source.items():
        counted = _of(tally, event_class, source)
        counted.seen[ARRIVED] += len(events)
        _look(counted, events, looked[event_class])
    for which, others in ((REPEATED, heard.duplicate), (LATE, heard.late), (BEHIND, heard.behind)):
        for (event_class, source), number in Counter(map(_class_and_source, others)).items():
            counted = _of(tally, event_class, source)
            counted.seen[which] += number
            if which != BEHIND:
                counted.seen[ARRIVED] += number


def tell(tally: Tally, due: float, effects: Effects) -> None:
    """Tells the hour that ends at ``due`` (Unix seconds), and begins the next."""
    tally.timers = {_TIMER: due + HOUR}
    if not tally.sources:
        tally.quiet += 1
        if tally.quiet <= QUIET_HOURS:
            _observe(effects, TICK_MEASURE, due, {}, {})
        return
    tally.quiet = 0
    for event_type in sorted(tally.sources):
        for source, counted in sorted(tally.sources[event_type].items()):
            _observe(effects, HOUR_MEASURE, due, {"type": event_type, "source": source}, _counts(counted))
    tally.sources = {}
    tally.known = 0


def must_tell_since(tally: Tally, signal: str, measure: str, at: float, now: float) -> bool:
    """Whether it is to be told that something was recorded at ``at``; if so it counts as told (both Unix seconds)."""
    measures = tally.recorded.get(signal)
    if measures is None:
        measures = tally.recorded[signal] = {}
    recorded = measures.get(measure)
    if recorded is None:
        measures[measure] = Recorded(at, now)
        return True
    if at >= recorded.since and now - recorded.told < RETOLD_AFTER:
        return False
    recorded.since, recorded.told = min(recorded.since, at), now
    return True


def _of(tally: Tally, event_class: type[Envelope], source: str) -> Counted:
    by_source = tally.sources.setdefault(str(event_class.__struct_config__.tag), {})
    found = by_source.get(source)
    if found is None:
        if tally.known >= MAX_SOURCES:
            return by_source.setdefault(OTHERS, Counted())
        tally.known += 1
        found = by_source[source] = Counted()
    return found


def _look(counted: Counted, events: Sequence[Any], looked: Looked) -> None:
    for name, value_of in looked.optional.items():
        values = list(map(value_of, events))
        filled = len(values) - values.count(None)
        if filled:
            counted.filled[name] = counted.filled.get(name, 0) + filled
    for name, value_of in looked.valued.items():
        for value, number in Counter(map(value_of, events)).items():
            if value is not None:
                buckets = counted.values.get(name)
                if buckets is None:
                    buckets = counted.values[name] = list(repeat(0, BUCKETS))
                buckets[bucket(value)] += number
    if looked.key is not None:
        counted.bits.update(map(sketch_bit, map(looked.key, events)))
        counted.named += len(events)


def _counts(counted: Counted) -> dict[str, list[int]]:
    told = {"seen": counted.seen}
    for name in sorted(counted.filled):
        told[f"filled.{name}"] = [counted.filled[name]]
    for name in sorted(counted.values):
        told[f"values.{name}"] = counted.values[name]
    if counted.named:
        told["named"] = [counted.named]
        told["bits"] = sorted(counted.bits)
    return told


def _observe(
    effects: Effects, measure: str, due: float, segments: dict[str, str], counts: dict[str, list[int]]
) -> None:
    effects.positions.append(effects.position)
    effects.observations.append(
        Observation(
            signal=SIGNAL,
            measure=measure,
            at=due,
            began=due - HOUR,
            value=float(counts["seen"][ARRIVED]) if counts else 0.0,
            account="",
            known=effects.time,
            segments=segments,
            counts=counts,
        )
    )
