"""What people decided about the drifts of a signal: kept beside the signal's own state, alike for all signals.

Rules:
1. A decision is an event in the log (drift.acknowledged), told to the drift stage as an observation: a replay repeats it.
2. An acknowledged drift is shown as ``acknowledged`` until the signal says that it is over, or that another one begins.
   Nothing else changes: the signal goes on watching, and its alert at the end comes. So is the illness of a source.
3. A segment that does not exist is refused (EventRefused); one where nothing drifts keeps the decision in its history, for
   a drift may end while a person writes.
4. A drift that was announced is known from its beginning on (detectors/announcements.py): that is a decision, too.
5. At most MAX_DECISIONS of a segment are kept, the newest; those of segments that went into ``other`` go.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct

from detectors.signals.contract import ACKNOWLEDGED, BASELINE_RETAKEN, Decision, Verdict
from schemas.alerts import DriftAlert, Notice
from schemas.errors import EventRefused, Problem
from schemas.observations import Observation

MAX_DECISIONS = 20
DECISIONS = frozenset({ACKNOWLEDGED, BASELINE_RETAKEN})
"""measures of observations that tell a decision about a segment"""
_GOING_ON = ("drifting", "ill")


class Decided(Struct, array_like=True):
    """Of one segment; ``known``: the drift (or illness) that is on is acknowledged. The newest decision comes last."""

    known: bool = False
    decisions: list[Decision] = []


def standing(observation: Observation, verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that a decision is about. Raises EventRefused where there is no such segment."""
    segment = observation.segments.get("segment")
    for verdict in verdicts:
        if verdict.segment == segment:
            return verdict
    raise no_such_segment()


def no_such_segment() -> EventRefused:
    return EventRefused(
        Problem(
            code="bad_value",
            what="there is no such segment",
            where="$.segments.segment",
            remedy="name one that plumbline drift lists",
        )
    )


def decide(
    kept: dict[str, Decided], observation: Observation, stood: Verdict, segments: Collection[str]
) -> None:
    """Takes a decision into ``kept`` (segment -> what was decided). ``stood``: the verdict before it; ``segments``: those
    that there are."""
    for gone in kept.keys() - segments:
        del kept[gone]
    going_on = stood.state in _GOING_ON
    of_segment = kept.setdefault(stood.segment, Decided())
    of_segment.decisions.append(
        Decision(
            at=observation.at,
            kind=_KINDS[observation.measure],
            by=observation.segments.get("by", ""),
            reason=observation.phrases[0] if observation.phrases else "",
            state="acknowledged" if going_on and of_segment.known else stood.state,
            since=stood.since if going_on else None,
        )
    )
    del of_segment.decisions[:-MAX_DECISIONS]
    of_segment.known = going_on and observation.measure == ACKNOWLEDGED


def know(kept: dict[str, Decided], segment: str, decision: Decision) -> None:
    """From this ``decision`` on the drift of ``segment`` that is on is known."""
    of_segment = kept.setdefault(segment, Decided())
    of_segment.decisions.append(decision)
    del of_segment.decisions[:-MAX_DECISIONS]
    of_segment.known = True


def forget_what_ended(kept: dict[str, Decided], alerts: Sequence[DriftAlert | Notice]) -> None:
    """An acknowledgement is of one drift: with its end, or the next one's beginning, it is over."""
    for alert in alerts:
        if isinstance(alert, DriftAlert) and alert.segment in kept:
            kept[alert.segment].known = False


def show(kept: dict[str, Decided], verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """``verdicts``, changed in place, with what was decided about them."""
    for verdict in verdicts:
        found = kept.get(verdict.segment)
        if found is not None:
            verdict.decisions = found.decisions[::-1]
            if found.known and verdict.state in _GOING_ON:
                verdict.state = "acknowledged"
    return verdicts


_KINDS: dict[str, Literal["acknowledged", "baseline_retaken"]] = {
    ACKNOWLEDGED: "acknowledged",
    BASELINE_RETAKEN: "baseline_retaken",
}
