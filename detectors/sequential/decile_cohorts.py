"""The decile e-detector on values that become known bit by bit, as lengths of time do, and in no order of their beginning.

decile_mixture.py has the alternatives. A length that began before the change goes on ending after it, and says nothing of
the change; so evidence is kept by the cohort in which a change may have started, and takes the values that began in that
cohort or later, and no others. Where values come in the order of their cohorts it is the detector of decile_mixture.py.

Rules:
1. A value is told bit by bit, as one part of the baseline after the other is over (``Known``). What is taken in is the e-value
   of the whole as far as it can be foreseen (Doob's martingale), so that all bits multiply to that of the whole. A value
   must not be told to have ended before others as old are told that they have not.
2. Each value is one chance of a false alarm, with its first bit: that is what the promise counts.
3. Paid for is what was told: that a value is beyond some parts asks less of the baseline than where it ends, so it costs less,
   and the rest when the rest is told. What has ended has paid in full.
4. MOST_STARTS cohorts are kept apart. Older ones become one, which then takes what began in any of them: slower, not wrong.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct

from detectors.sequential.contract import CEILING, ChangeEstimate, Unit
from detectors.sequential.decile_mixture import PARTS, SHAPES, SHARES, DecileMixture
from detectors.sequential.stored_state import decode, encode
from detectors.sequential.table_mixture import paid_for

MOST_STARTS = 40
STATE_VERSION = 1


class Known(Struct, frozen=True):
    """Of a value was known that it is beyond the first ``beyond`` parts; and now that it is beyond ``place`` of them or, where
    it ``ended``, that it is in part ``place``."""

    beyond: int
    place: int
    ended: bool


class Start(Struct, array_like=True):
    """A change may have begun with the cohort of ``at`` (Unix seconds): the evidence for it by alternative. ``n`` values of the
    cohort were told of, ``total`` is the sum of the parts in which those that ended did."""

    at: float
    evidence: list[float]
    n: int = 0
    total: int = 0


class StartsState(Struct, array_like=True):
    """In order of time."""

    starts: list[Start]


class DecileCohorts:
    """Mixture Shiryaev-Roberts e-detector on deciles, by the cohort in which a change may have started.

    For each start k and each alternative, ``M_k`` is the product of the e-values of what began since k, and the statistic is
    the weighted sum over both. Each M_k is a supermartingale while nothing changes, in whatever order they come, so the
    sum less the number of values is one, too.

    Promise: while the parts keep their shares, the average run length is at least the threshold, in values.

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo, "E-detectors" (2024), whose e-detector is a sum over starts like this one.
    """

    unit: ClassVar[Unit | None] = "observations"

    def __init__(self, whole: DecileMixture, beyond: Sequence[Sequence[float]]) -> None:
        """``beyond``: by alternative, what it says for a value that is beyond so many parts."""
        self._whole = whole
        self._beyond = beyond

    @classmethod
    def from_baseline(cls, n: int, *, level: float = 0.9, dispersion: float = 1.0) -> Self:
        """As DecileMixture.from_baseline."""
        whole = DecileMixture.from_baseline(n, level=level, dispersion=dispersion)
        return cls(whole, [_beyond(masses, n, level, dispersion) for _, masses in SHAPES.values()])

    def new_state(self) -> StartsState:
        return StartsState([])

    def update(self, state: StartsState, value: Known, at: float) -> None:
        """Takes in what became known of a value that began in the cohort of ``at`` (Unix seconds; all of a cohort have the
        same). Raises ValueError for what can't have become known."""
        beyond, place, ended = value.beyond, value.place, value.ended
        if not (0 <= beyond < PARTS - 1 and beyond + (not ended) <= place <= PARTS - 1):
            raise ValueError("what is known of a value only grows, part by part")
        if not math.isfinite(at):
            raise ValueError("an observation needs a finite time")
        ratios = [
            (table[place] if ended else known[place]) / known[beyond]
            for table, known in zip(self._whole.tables, self._beyond, strict=True)
        ]
        last = self._start(state.starts, at, opens=not beyond)
        if last < 0:
            return
        own = state.starts[last]
        if not beyond:
            own.n += 1
            own.evidence = [each + 1.0 for each in own.evidence]
        if ended:
            own.total += place
        for start in state.starts[: last + 1]:
            start.evidence = [
                min(each * ratio, CEILING) for each, ratio in zip(start.evidence, ratios, strict=True)
            ]

    def _start(self, starts: list[Start], at: float, *, opens: bool) -> int:
        """The number of the newest start that a value of the cohort ``at`` speaks for; -1 where there is none. A value that is
        new ``opens`` its cohort."""
        number = bisect_left(starts, at, key=lambda start: start.at)
        if number < len(starts) and starts[number].at == at:
            return number
        if opens and not (number == 0 and len(starts) == MOST_STARTS):
            starts.insert(number, Start(at, [0.0] * len(self._whole.weights)))
            if len(starts) > MOST_STARTS:
                oldest, next_ = starts[0], starts.pop(1)
                oldest.evidence = [a + b for a, b in zip(oldest.evidence, next_.evidence, strict=True)]
                oldest.n, oldest.total = oldest.n + next_.n, oldest.total + next_.total
                number -= 1
            return number
        return number - 1

    def statistic(self, state: StartsState) -> float:
        return min(sum(self._weighed(start) for start in state.starts), CEILING)

    def _weighed(self, start: Start) -> float:
        return sum(w * each for w, each in zip(self._whole.weights, start.evidence, strict=True))

    def change(self, state: StartsState) -> ChangeEstimate | None:
        """The cohort with the most evidence for its values; ``n`` and ``total`` are those of all since."""
        if not state.starts:
            return None
        best = max(range(len(state.starts)), key=lambda number: self._weighed(state.starts[number]))
        since = state.starts[best:]
        return ChangeEstimate(since[0].at, sum(each.n for each in since), sum(each.total for each in since))

    def leading(self, state: StartsState) -> int | None:
        """Which alternative has the most evidence, by its number; None where nothing was seen."""
        sums = [
            weight * sum(start.evidence[number] for start in state.starts)
            for number, weight in enumerate(self._whole.weights)
        ]
        return sums.index(max(sums)) if max(sums) > 0 else None

    def encode_state(self, state: StartsState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> StartsState:
        return decode(
            raw,
            STATE_VERSION,
            StartsState,
            what="the state of deciles by cohort",
            fits=lambda state: all(len(each.evidence) == len(self._whole.weights) for each in state.starts),
        )

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Sequence[Known], Sequence[Known]]]:
        _, whole, _ = DecileMixture.examples()[0]
        quiet = [Known(0, int(place), ended=True) for place in whole]
        impossible = [
            Known(PARTS - 1, PARTS - 1, ended=True),
            Known(-1, 0, ended=True),
            Known(3, 2, ended=True),
            Known(4, PARTS, ended=False),
        ]
        return [(cls.from_baseline(300), quiet, impossible)]


def _beyond(masses: Sequence[float], n: int, level: float, dispersion: float) -> list[float]:
    """The last entry of tables of the parts up to some one, with all others as one: each is paid for as the table that it is
    (rule 3), so that the mean of what was told is within the bound however much of the values is known."""
    told = [1.0]
    for number in range(1, PARTS):
        shares = [*SHARES[:number], sum(SHARES[number:])]
        known = [*masses[:number], sum(masses[number:])]
        table = [mass / share for mass, share in zip(known, shares, strict=True)]
        told.append(paid_for(table, shares, n + 1, level=level, dispersion=dispersion)[-1])
    return told
