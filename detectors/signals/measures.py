"""What an observation of a signal can be; what can't be is refused before it touches the state."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

from msgspec import Struct

from detectors.signals.contract import BASELINE_RETAKEN
from schemas.errors import EventRefused, Problem
from schemas.observations import Observation

_EARLIEST, _LATEST = 0.0, 7_258_118_400.0
LARGEST_VALUE = 1e12


class Values(Struct, frozen=True):
    """What a measure's value can be."""

    low: float
    high: float
    whole: bool = False

    def hold(self, value: float) -> bool:
        return self.low <= value <= self.high and not (self.whole and value != int(value))


SHARE = Values(0, 1, whole=True)
NUMBER = Values(-LARGEST_VALUE, LARGEST_VALUE)
COUNT = Values(0, LARGEST_VALUE, whole=True)


def refuse_what_cannot_be(
    signal: str, measures: Mapping[str, Values], segments: Container[str], observation: Observation
) -> None:
    """Raises EventRefused where ``observation`` can't be one of ``signal``, which has these measures and segments."""
    values = measures.get(observation.measure)
    if (
        values is not None
        and observation.signal == signal
        and _EARLIEST <= observation.began <= observation.at <= _LATEST
        and values.hold(observation.value)
        and 0 <= observation.exposure <= LARGEST_VALUE
    ):
        return  # nearly all: what is wrong with another is looked for one by one
    problem = _problem(signal, measures, segments, observation)
    if problem is not None:
        raise EventRefused(problem)


def _problem(
    signal: str, measures: Mapping[str, Values], segments: Container[str], observation: Observation
) -> Problem | None:
    measure = observation.measure
    if observation.signal != signal:
        return Problem(code="bad_value", what="an observation of another signal", where="$.signal")
    if not (math.isfinite(observation.at) and math.isfinite(observation.began)):
        return Problem(code="bad_time", what="a time that is not finite", where="$.at")
    if not _EARLIEST <= observation.began <= observation.at <= _LATEST:
        return Problem(
            code="bad_time", what="a time that can't be: began <= at, 1970 to 2200", where="$.began"
        )
    if measure == BASELINE_RETAKEN:
        if observation.segments.get("segment") in segments:
            return None
        return Problem(
            code="bad_value",
            what="there is no such segment",
            where="$.segments.segment",
            remedy="name one that plumbline drift lists",
        )
    values = measures.get(measure)
    if values is None:
        return Problem(code="bad_value", what="not a measure of this signal", where="$.measure")
    if not values.hold(observation.value):
        kind = "a whole number " if values.whole else ""
        return Problem(
            code="bad_value",
            what=f"a value of {measure} is {kind}from {values.low:g} to {values.high:g}",
            where="$.value",
        )
    if not 0 <= observation.exposure <= LARGEST_VALUE:
        return Problem(code="bad_value", what="an exposure is 0 or more and finite", where="$.exposure")
    return None
