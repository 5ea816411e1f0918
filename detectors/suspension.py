"""What follows for a signal while a source that it feeds on is ill: suspended, and what the illness touches left out.

Rules:
1. Which illness concerns a signal stands in detectors/health/needs.py.
2. While an illness lasts, the signal's verdicts are ``suspended``, with the reason.
3. An observation is left out whose time, from when what it measures began to when it matured, touches an illness: what was
   missed then is not how customers behave. It is counted as COUNTED_OUT, in ``all`` and in its segments.
4. When a changed shape has become the usual (``adopted``), what a baseline was made of is no more: the signal learns anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from detectors.health.data_health import Fact
from detectors.signals.contract import ALL, Verdict
from schemas.observations import Observation

COUNTED_OUT = "data_health"
MAX_SEGMENTS = 64


def touched(facts: Iterable[Fact], observation: Observation) -> bool:
    """Whether one of the illnesses lies in the observation's time."""
    for fact in facts:
        illness = fact.illness
        if illness.began <= observation.at and (illness.ended is None or observation.began <= illness.ended):
            return True
    return False


def over_until(facts: Iterable[Fact]) -> float:
    """When the last illness that is over ended (Unix seconds); 0: there was none."""
    return max((fact.illness.ended or 0.0 for fact in facts), default=0.0)


def adopted_until(facts: Iterable[Fact]) -> float:
    """When a changed shape last became the usual (Unix seconds); 0: never."""
    return max((f.illness.ended or 0.0 for f in facts if f.illness.adopted), default=0.0)


def count_out(left_out: dict[str, int], observation: Observation) -> None:
    for name in (ALL, *(f"{dimension}:{value}" for dimension, value in observation.segments.items())):
        if name in left_out or len(left_out) < MAX_SEGMENTS:
            left_out[name] = left_out.get(name, 0) + 1


def shown(verdicts: Sequence[Verdict], facts: Iterable[Fact], left_out: dict[str, int]) -> list[Verdict]:
    """The verdicts of a signal that ``facts`` concern, as they stand while its sources may be ill."""
    reasons = sorted(
        {
            f"{fact.type}: {fact.illness.symptom} {fact.illness.field}".strip()
            for fact in facts
            if fact.illness.ended is None
        }
    )
    found = []
    for verdict in verdicts:
        number = left_out.get(verdict.segment, 0)
        if number:
            verdict = replace(verdict, counted_out=verdict.counted_out | {COUNTED_OUT: number})
        if reasons:
            verdict = replace(verdict, state="suspended", suspended=", ".join(reasons), missing="")
        found.append(verdict)
    return found
