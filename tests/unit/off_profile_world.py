"""A sales team whose accounts fit the profile or don't, as slg.off_profile_pipeline is told of them: any share planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.signals.slg_off_profile_pipeline import OffProfilePipeline
from schemas.settings import DriftSettings
from tests.unit.account_world import GOOD, VARIANT
from tests.unit.sales_world import BAD, team

SIGNAL = OffProfilePipeline.configured(DriftSettings(max_segments=6), 24)
REPS = {name: (lambda day: 2.5) for name in ("anna", "ben", "cleo")}
STRICT = VARIANT.replace("weight: 60", "weight: 50")
"""60 points were enough before: now nobody without 20 reps fits."""
SOME = {"technologies": ["snowflake"]}


def selling(share: Any, *, days: int = 300, seed: int = 1, flows: Any = REPS) -> list[Any]:
    def make(rep: str, day: float, random: np.random.Generator) -> Mapping[str, Any]:
        off = random.random() < share(rep, day)
        return {"attributes": BAD if off else SOME if random.random() < 0.3 else GOOD}

    return team(days=days, reps=flows, make=make, seed=seed)
