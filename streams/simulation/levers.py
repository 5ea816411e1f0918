"""What the plants do to a lever at a time: a factor that is 1 where nothing is planted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.simulation.calendar import DAY_S, Calendar, Floats
from streams.simulation.scenario import Lever, Plant, Segment


class Levers:
    """The plants of a scenario on a calendar. ``start`` in Unix seconds overrides where all plants start."""

    def __init__(self, plants: tuple[Plant, ...], calendar: Calendar, start: int | None = None) -> None:
        self._calendar = calendar
        self._start = start
        self.plants = plants
        self._pulled = frozenset(plant.lever for plant in plants)

    def starts(self, plant: Plant) -> int:
        return self._calendar.at_share(plant.start) if self._start is None else self._start

    def ends(self, plant: Plant) -> int | None:
        return None if plant.end is None else self._calendar.at_share(plant.end)

    def profile(self, plant: Plant, at: Floats) -> Floats:
        """The plant's own factor at the times ``at`` (Unix seconds), whatever the segment."""
        begun = at - self.starts(plant)
        ramp = plant.ramp_days * DAY_S  # times are whole seconds: less than one is a step
        share = np.where(begun < 0, 0.0, np.minimum(1.0, begun / ramp) if ramp >= 1 else 1.0)
        end = self.ends(plant)
        if end is not None:
            share = np.where(at >= end, 0.0, share)
        return 1.0 + share * (plant.factor - 1.0)

    def factors(self, lever: Lever, at: Floats, **facts: Any) -> Floats:
        """The product of all plants on ``lever`` for accounts with these facts (arrays as long as ``at``, or one
        value for all): ``source``, ``fit``, ``circle``, ``rep`` by name."""
        result = np.ones(at.shape)
        for plant in self.plants:
            if plant.lever != lever:
                continue
            result = np.where(_of(plant, at, facts), result * self.profile(plant, at), result)
        return result

    def leave(self, since: Floats, churned: Floats, **facts: Any) -> Floats:
        """When customers ``since`` then leave, who would at ``churned``, after the plants on ``leaving``: from a plant's
        start on the time that is left runs faster."""
        for plant in self.plants:
            if plant.lever != "leaving":
                continue
            begin = np.maximum(since, float(self.starts(plant)))
            hit = _of(plant, since, facts) & (churned > begin)
            churned = np.where(hit, begin + (churned - begin) / plant.factor, churned)
        return churned

    def factor(self, lever: Lever, at: float, **facts: str) -> float:
        """One account's factor at one time."""
        if lever not in self._pulled:
            return 1.0
        return float(self.factors(lever, np.array([float(at)]), **facts)[0])


def _of(plant: Plant, at: Floats, facts: dict[str, Any]) -> NDArray[np.bool_]:
    """Which of the accounts are in the plant's segment."""
    hit = np.ones(at.shape, dtype=bool)
    dimension: Segment
    for dimension, value in plant.segment.items():
        hit &= np.asarray(facts[dimension]) == value if dimension in facts else False
    return hit
