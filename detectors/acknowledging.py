"""What the account stage does with what a person says to a drift signal, a decision or an announcement: it hands it on to the
drift stage, as an observation.

So it goes the way that all facts go, in their order: exactly once, in a replay and in distributed mode alike.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime, time

from detectors.effects import Effects
from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ACKNOWLEDGED, ANNOUNCED, BASELINE_RETAKEN
from schemas.errors import EventRefused, Problem
from schemas.event_subjects import SIGNAL_PREFIX
from schemas.events import DriftAcknowledged, DriftAnnounced
from schemas.observations import Observation

Said = DriftAcknowledged | DriftAnnounced


def refuse_unknown_signal(event: Said, signals: Container[str]) -> None:
    """Raises EventRefused where the subject names none of ``signals``, and not data.health, which is always there but hears of
    decisions only."""
    name = event.subject.removeprefix(SIGNAL_PREFIX)
    if name == DATA_HEALTH and isinstance(event, DriftAnnounced):
        raise EventRefused(
            Problem(
                code="wrong_subject",
                what="data.health takes no announcements",
                where="$.subject",
                remedy="a source that is meant to end is acknowledged, with its baseline taken anew",
            )
        )
    if name != DATA_HEALTH and name not in signals:
        raise EventRefused(
            Problem(
                code="wrong_subject",
                what="there is no such drift signal",
                where="$.subject",
                remedy="write signal:<name> with a name that plumbline drift lists",
            )
        )


def hand_on(event: Said, at: float, effects: Effects) -> None:
    """``at``: the event's time, Unix seconds."""
    said = event.data
    if isinstance(event, DriftAnnounced):
        measure, value = ANNOUNCED, datetime.combine(event.data.on, time(), UTC).timestamp()
    else:
        measure, value = BASELINE_RETAKEN if event.data.retake_baseline else ACKNOWLEDGED, 1.0
    segments = {"by": said.by} if said.segment is None else {"segment": said.segment, "by": said.by}
    effects.positions.append(effects.position)
    effects.observations.append(
        Observation(
            signal=event.subject.removeprefix(SIGNAL_PREFIX),
            measure=measure,
            at=at,
            began=at,
            value=value,
            account="",
            known=effects.time,
            segments=segments,
            phrases=[said.reason],
        )
    )
