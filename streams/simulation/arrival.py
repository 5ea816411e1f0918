"""From happening to arriving: usual delays, late events, repeats. Lines that arrive after the history's end are cut.

A line is late, far too late or repeated, never two of these; so the counts of the truth are what a reader must find.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from schemas.events import EVENT_CLASSES
from streams.simulation.calendar import DAY_S, Calendar
from streams.simulation.ordering import ArrivalOrder
from streams.simulation.scenario import Noise
from streams.simulation.wire import Lines

LATE_AT_MOST_S = 25 * DAY_S
# The first eleven characters of the type tell the types apart.
_BEGINNING = itemgetter(slice(len('{"type":"'), len('{"type":"') + 11))
_TYPES = {(name + '","data')[:11]: name for name in EVENT_CLASSES}


class Sent(Struct):
    """What is in the file: lines by type, repeats included, and those that are not as they should be."""

    by_type: Counter[str]
    late: int = 0
    too_late: int = 0
    repeated: int = 0

    def tally(self, texts: list[str]) -> None:
        for beginning, count in Counter(map(_BEGINNING, texts)).items():
            self.by_type[_TYPES[beginning]] += count


def arrive(
    lines: Lines,
    mean_delay_s: float,
    noise: Noise,
    calendar: Calendar,
    draw: Generator,
    order: ArrivalOrder,
    sent: Sent,
) -> None:
    """Puts ``lines`` into ``order``, each at its second of arrival."""
    n = len(lines.texts)
    if not n:
        return
    delay = draw.standard_exponential(n) * mean_delay_s
    fate = draw.random(n)
    late_below = noise.late
    too_late_below = late_below + noise.too_late
    repeated_below = too_late_below + noise.repeated
    special = bool((fate < repeated_below).any())
    if special:
        some_days = np.minimum(2 * DAY_S * np.exp(0.9 * draw.standard_normal(n)), LATE_AT_MOST_S)
        delay = np.where(fate < late_below, some_days, delay)
        far_too_late = (31 + 29 * draw.random(n)) * DAY_S
        delay = np.where((fate >= late_below) & (fate < too_late_below), far_too_late, delay)
    arrival = np.array(lines.times, dtype=np.int64) + delay.astype(np.int64)
    texts = lines.texts
    in_time = arrival < calendar.end
    if not in_time.all():
        texts = [texts[each] for each in np.flatnonzero(in_time).tolist()]
        arrival, fate = arrival[in_time], fate[in_time]
    order.add(arrival.tolist(), texts)
    sent.tally(texts)
    if special:
        sent.late += int(np.count_nonzero(fate < late_below))
        sent.too_late += int(np.count_nonzero((fate >= late_below) & (fate < too_late_below)))
        again = arrival + 1 + (draw.standard_exponential(len(arrival)) * 3600.0).astype(np.int64)
        repeated = (fate >= too_late_below) & (fate < repeated_below) & (again < calendar.end)
        chosen = np.flatnonzero(repeated).tolist()
        copies = [texts[each] for each in chosen]
        order.add(again[chosen].tolist(), copies)
        sent.tally(copies)
        sent.repeated += len(chosen)
