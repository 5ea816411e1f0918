"""A firm that releases, and its newcomers, as clg.roadmap_onboarding is told of them: seeded, any change planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.signals.clg_roadmap_onboarding import COMPLEXITY, ONBOARDING, SEEN, RoadmapOnboarding
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, T0

SIGNAL = RoadmapOnboarding.configured(DriftSettings(max_segments=1), 10)
HORIZON = 60 * DAY


Level = Callable[[float], float]


def firm(
    *,
    complexity: Level = lambda _: 3.0,
    slower: Level = lambda _: 1.0,
    large: Level = lambda _: 0.3,
    days: int = 500,
    seed: int = 1,
) -> list[Observation]:
    """Six sign-ups a day, half of which are onboarded within about a week, large ones in three times that; two releases a
    week. ``slower``: factor of the time to onboard; ``large``: share of large accounts."""
    random = np.random.default_rng(seed)
    found = [_made(SEEN, T0, T0, 1.0, "", 0)]
    for day in range(days):
        for _ in range(random.poisson(6)):
            began = T0 + (day + random.random()) * DAY
            is_large = random.random() < large(day)
            took = min(random.lognormal(2.0, 0.6) * (3 if is_large else 1) * slower(day), 60.0)
            stratum = "over 1000" if is_large else "up to 100"
            found.append(_made(ONBOARDING, began + HORIZON, began, took, stratum, len(found)))
        if day % 7 in (1, 4):
            at = T0 + (day + random.random()) * DAY
            scale = float(np.clip(round(random.normal(complexity(day), 1.2)), 1, 10))
            found.append(_made(COMPLEXITY, at, at, scale, "", len(found)))
    return sorted(found, key=lambda each: each.at)


def _made(measure: str, at: float, began: float, value: float, stratum: str, number: int) -> Observation:
    return Observation(
        signal=SIGNAL.name,
        measure=measure,
        at=at,
        began=began,
        value=value,
        account=f"account-{number}",
        stratum=stratum,
    )


def more_complex(day: float) -> float:
    return 3.0 if day < 250 else 7.0


def slow(day: float) -> float:
    return 1.0 if day < 250 else 2.5
