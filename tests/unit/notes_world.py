"""A sales team that writes notes, as slg.hedged_language is told of them through the account stage: any share hedges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detectors.signals.slg_hedged_language import HedgedLanguage
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.sales_world import observe, team

SIGNAL = HedgedLanguage.configured(DriftSettings(max_segments=6), 24)
REPS = {name: (lambda day: 2.5) for name in ("anna", "ben", "cleo")}
HEDGES = (
    "Not exactly our typical buyer, but the champion is strong",
    "Good talk. A bit outside our usual profile, still worth a go",
    "Not our usual customer",
    "Champion is strong, although they are not a typical fit for us",
    "They are an unusual fit",
)
PLAIN = (
    "Discovery call went well, sending the proposal",
    "They said our price is not typical for the market",
    "Waiting for legal",
    "Budget is not approved before the next quarter",
    "Perfect fit, same stack as our best customers",
)
TEMPLATE = "Deal checklist: not exactly our typical buyer yes or no. "

Share = Callable[[str, float], float]


def writing(
    share: Share,
    *,
    days: int = 300,
    seed: int = 1,
    flows: Any = REPS,
    template: Callable[[float], bool] = lambda day: False,
    text: str = TEMPLATE,
) -> list[Observation]:
    def make(rep: str, day: float, random: np.random.Generator) -> Mapping[str, Any]:
        hedges = random.random() < share(rep, day)
        notes = [str(random.choice(PLAIN)), str(random.choice(HEDGES if hedges else PLAIN))]
        return {"notes": [text * template(day + n) + note for n, note in enumerate(notes)]}

    return observe(SIGNAL, team(days=days, reps=flows, make=make, seed=seed))
