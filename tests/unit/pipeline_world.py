"""A pipeline of deals as the drift half is told of it: opened and closed, seeded, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from detectors.signals.opportunities import LOST, OPENED, SEEN, WON
from schemas.duration import DAY
from schemas.observations import Observation

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""a Monday"""
REPS = ("anna", "ben", "cleo", "dan")
MEDIANS = {"up to 10000 EUR": 12.0, "over 10000 EUR": 30.0}

CHANGE = 300
"""the day of creation from which on deals are otherwise"""

Length = Callable[[float, np.random.Generator], tuple[float, bool]]
"""(day of creation, random numbers) -> (days until the closing in units of the band's median, whether won)"""


def log_normal(day: float, random: np.random.Generator, sigma: float = 0.5) -> tuple[float, bool]:
    """As long as deals take in the simulation: who wins does so sooner."""
    won = random.random() < 0.35
    return (0.8 if won else 1.4) * float(np.exp(sigma * random.normal())), won


def pipeline(
    signal: str,
    *,
    days: int,
    seed: int,
    length: Length = log_normal,
    per_day: float = 3.0,
    shares: Mapping[str, Callable[[float], float]] | None = None,
    closes: Callable[[float, float, bool], float] = lambda created, closed, won: closed,
) -> list[Observation]:
    """``shares``: band -> its part of the deals, on a day; ``closes`` of (day of creation, day of closing, whether won) moves
    closings."""
    random = np.random.default_rng(seed)
    bands = shares or dict.fromkeys(MEDIANS, lambda day: 0.5)
    told = [_told(signal, SEEN, -1.0, -1.0, 1.0, 0, "", "anna")]
    number = 0
    for day in range(days):
        for _ in range(random.poisson(per_day)):
            created, number, rep = day + random.random(), number + 1, REPS[int(random.integers(4))]
            parts = [part(day) for part in bands.values()]
            band = list(bands)[int(random.random() * sum(parts) > parts[0])]
            took, won = length(created, random)
            closed = max(closes(created, created + took * MEDIANS[band], won), created)
            told.append(_told(signal, OPENED, created, created, 1.0, number, band, rep))
            told.append(
                _told(signal, WON if won else LOST, closed, created, closed - created, number, band, rep)
            )
    return sorted((each for each in told if each.at < START + days * DAY), key=lambda each: each.at)


def _told(
    signal: str, measure: str, at: float, began: float, value: float, number: int, band: str, rep: str
) -> Observation:
    return Observation(
        signal=signal,
        measure=measure,
        at=START + at * DAY,
        began=START + began * DAY,
        value=value,
        account=f"a{number}",
        segments={"rep": rep, "closer": rep},
        stratum=band,
    )


def days_of(observations: Iterable[Observation]) -> list[float]:
    return [(each.at - START) / DAY for each in observations]


def day_of(at: datetime) -> float:
    return (at.timestamp() - START) / DAY


def pause_after(told: Sequence[Observation], day: float, *, days: float) -> list[Observation]:
    """What was told up to then, and the openings of so many days later."""
    later = [
        msgspec.structs.replace(each, at=each.at + days * DAY, began=each.began + days * DAY) for each in told
    ]
    return [
        *(each for each in told if each.at <= START + day * DAY),
        *(each for each in later if each.at > START + (day + days) * DAY and each.measure == OPENED),
    ]


def lingering(*, slow: float, late_wins: float, until: float = 1e9) -> Length:
    """From CHANGE on who loses does so after ``slow`` times as long, and of those past the median so many are won."""

    def length(day: float, random: np.random.Generator) -> tuple[float, bool]:
        changed = CHANGE <= day < until
        won = random.random() < 0.35
        took = float(np.exp(0.5 * random.normal()))
        took *= 0.8 if won else 1.4 * (slow if changed else 1.0)
        rescued = took > 1 and random.random() < (late_wins if changed else 0.03)
        return took, won or rescued

    return length


def wider(day: float, random: np.random.Generator) -> tuple[float, bool]:
    return log_normal(day, random, 0.5 if day < CHANGE else 0.85)


def two_speeds(day: float, random: np.random.Generator) -> tuple[float, bool]:
    took, won = log_normal(day, random)
    return took * (1.0 if day < CHANGE else 5**0.6 if random.random() < 0.4 else 5**-0.4), won
