"""One source, which is a CloudEvents source and type: its symptoms, and when it was ill.

Symptoms: ``silent``; ``field emptied``; ``values taken over``; ``told twice`` (the same ticket or stage under several ids);
``clock behind`` (most of it comes BEHIND_S or more behind the watermark). An event by the same id is no illness: it counts
once, and the share of such repeats is shown only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct, field

from detectors.health.fields import SKETCH_BITS
from detectors.health.rhythm import Rhythm
from detectors.health.share import HIGHEST_SHARE, Direction, Share
from detectors.health.tally import ARRIVED, BEHIND
from detectors.health.values import Values
from schemas.duration import DAY, HOUR

Symptom = Literal["silent", "field emptied", "values taken over", "told twice", "clock behind"]
MAX_FIELDS = 6
MAX_ILLNESSES = 16
ADOPTED_S = 28 * DAY


class Illness(Struct, array_like=True):
    """``began``: by estimate; ``found`` and ``ended`` (None: it lasts) when it was said. Unix seconds of event time.
    ``adopted``: it did not end, it became the usual, by itself or by a person's word."""

    symptom: Symptom
    field: str
    began: float
    found: float
    ended: float | None = None
    adopted: bool = False


class Watch(Struct, array_like=True):
    """``arrived`` and ``repeated``: events ever; ``newest``: when the last hour with one ended (0: none was heard, and so there
    is no silence to learn from)."""

    arrived: int = 0
    repeated: int = 0
    newest: float = 0.0
    rhythm: Rhythm = field(default_factory=Rhythm)
    behind: Share = field(default_factory=Share)
    twice: Share = field(default_factory=Share)
    filled: dict[str, Share] = {}
    values: dict[str, Values] = {}
    illnesses: list[Illness] = []

    @property
    def state(self) -> Literal["learning", "watching", "ill"]:
        if any(illness.ended is None for illness in self.illnesses):
            return "ill"
        return "watching" if self.rhythm.learned else "learning"

    def hour(self, counts: Mapping[str, list[int]], began: float, ended: float) -> Iterator[Illness]:
        """Takes the hour from ``began`` to ``ended`` in. Gives the illnesses that begin or end with it."""
        seen = counts.get("seen")
        if seen is None and not self.newest:
            return
        arrived = late = 0
        if seen is not None:
            arrived = seen[ARRIVED]
            # Where much comes so, as from a nightly job, it is how the source speaks.
            late = seen[BEHIND] if self.behind.usual < HIGHEST_SHARE else 0
            self.arrived += arrived
            self.repeated += seen[1]
            self.newest = ended
            yield from self._shares(counts, seen, began, ended)
        if self.rhythm.hour(arrived, began, ended, late):
            yield from self._turn("silent", "", self.rhythm.quiet_since, ended)
        if ended % DAY < HOUR:
            yield from self._day(ended)

    def _shares(
        self, counts: Mapping[str, list[int]], seen: list[int], began: float, ended: float
    ) -> Iterator[Illness]:
        arrived = seen[ARRIVED]
        fresh = arrived - seen[1] - seen[2]
        yield from self._share(self.behind, seen[BEHIND], arrived, "rise", "clock behind", "", began, ended)
        named = counts.get("named")
        distinct = 0.0 if named is None else _distinct(len(counts["bits"]))
        if named is not None and distinct:
            again = max(0.0, named[0] - max(distinct, 1.0))
            yield from self._share(self.twice, again, named[0], "rise", "told twice", "", began, ended)
        for key, numbers in counts.items():
            kind, _, name = key.partition(".")
            if kind == "filled" and _known(self.filled, name):
                self.filled.setdefault(name, Share())
            elif kind == "values" and _known(self.filled, name):
                self.filled.setdefault(name, Share())
                self.values.setdefault(name, Values()).hour(numbers)
        for name, share in self.filled.items():
            number = sum(counts.get(f"filled.{name}", ())) + sum(counts.get(f"values.{name}", ()))
            yield from self._share(share, number, fresh, "fall", "field emptied", name, began, ended)

    def _share(
        self,
        share: Share,
        k: float,
        n: float,
        direction: Direction,
        symptom: Symptom,
        name: str,
        began: float,
        ended: float,
    ) -> Iterator[Illness]:
        if share.hour(k, n, began, ended, direction):
            yield from self._turn(symptom, name, share.score.since, ended)

    def _day(self, ended: float) -> Iterator[Illness]:
        self.rhythm.day_ended()
        for share in (self.behind, self.twice, *self.filled.values()):
            share.day_ended()
        for name, values in self.values.items():
            if values.day_ended(ended - DAY, ended):
                yield from self._turn("values taken over", name, values.since, ended)
        for illness in self.illnesses:
            # New words for what they tell are as good as the old ones. Copies, a wrong clock, an empty field and silence
            # are no better for having lasted.
            if (
                illness.ended is None
                and illness.symptom == "values taken over"
                and ended - illness.found >= ADOPTED_S
            ):
                self.values[illness.field].adopt()
                illness.ended, illness.adopted = ended, True
                yield illness

    def _turn(self, symptom: Symptom, name: str, since: float, at: float) -> Iterator[Illness]:
        for illness in self.illnesses:
            if illness.ended is None and (illness.symptom, illness.field) == (symptom, name):
                illness.ended = at
                yield illness
                return
        illness = Illness(symptom, name, min(since, at), at)
        self.illnesses.append(illness)
        if len(self.illnesses) > MAX_ILLNESSES:
            del self.illnesses[next(i for i, each in enumerate(self.illnesses) if each.ended is not None)]
        yield illness


def _known(shares: Mapping[str, Share], name: str) -> bool:
    return name in shares or len(shares) < MAX_FIELDS


def _distinct(bits: int) -> float:
    """How many different things set so many bits of the sketch; 0 where it is too full to tell."""
    if bits > 0.95 * SKETCH_BITS:
        return 0.0
    return -SKETCH_BITS * math.log(1 - bits / SKETCH_BITS)
