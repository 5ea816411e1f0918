"""A company whose accounts use features by habit, as plg.adoption_breadth is told of them: seeded, any habit planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from detectors import rarefaction
from detectors.signals.plg_adoption_breadth import BREADTH, DEPTH, SETTLING, WINDOW, AdoptionBreadth
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, T0

SIGNAL = AdoptionBreadth.configured(DriftSettings(max_segments=4), 16)


Habit = Callable[[float, str], Sequence[float]]
"""(day, stratum) -> how likely each feature is"""


def habits(spread: float, features: int = 12) -> list[float]:
    raw = [math.exp(-i / spread) for i in range(features)]
    return [each / sum(raw) for each in raw]


def company(
    habit: Habit, *, days: int = 300, per_day: float = 8, seed: int = 1, **more: Any
) -> list[Observation]:
    """Each account has habits of its own around the company's; newcomers (half of those told) try more things."""
    random = np.random.default_rng(seed)
    uses_of: Callable[[float], float] = more.get("uses", lambda _: 40)
    newcomers: Callable[[float], float] = more.get("newcomers", lambda _: 0.5)
    found = []
    for day in range(days):
        for _ in range(random.poisson(per_day)):
            began = T0 + (day + random.random()) * DAY
            stratum = "0-30" if random.random() < newcomers(day) else "91-365"
            own = random.dirichlet([20 * each for each in habit(day, stratum)])
            counts = random.multinomial(max(10, random.poisson(uses_of(day))), own)
            for measure, value in (
                (BREADTH, rarefaction.breadth(counts)),
                (DEPTH, rarefaction.depth(counts)),
            ):
                found.append(
                    Observation(
                        signal=SIGNAL.name,
                        measure=measure,
                        at=began + WINDOW + SETTLING,
                        began=began,
                        value=float(value),
                        account=f"account-{len(found)}",
                        segments={"source": "content" if random.random() < 0.6 else "direct"},
                        stratum=stratum,
                    )
                )
    return sorted(found, key=lambda each: (each.at, each.account))


def steady(_: float, stratum: str) -> Sequence[float]:
    return habits(2.4 if stratum == "0-30" else 2.0)
