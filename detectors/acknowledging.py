"""What the account stage does with a person's decision about a drift: it hands it on to the drift stage, as an observation.

So it goes the way that all facts go, in their order: exactly once, in a replay and in distributed mode alike.
"""

from __future__ import annotations

from collections.abc import Container

from detectors.effects import Effects
from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ACKNOWLEDGED, BASELINE_RETAKEN
from schemas.errors import EventRefused, Problem
from schemas.event_subjects import SIGNAL_PREFIX
from schemas.events import DriftAcknowledged
from schemas.observations import Observation


def refuse_unknown_signal(event: DriftAcknowledged, signals: Container[str]) -> None:
    """Raises EventRefused where the subject names none of ``signals``, and not data.health, which is always there."""
    name = event.subject.removeprefix(SIGNAL_PREFIX)
    if name != DATA_HEALTH and name not in signals:
        raise EventRefused(
            Problem(
                code="wrong_subject",
                what="there is no such drift signal",
                where="$.subject",
                remedy="write signal:<name> with a name that plumbline drift lists",
            )
        )


def hand_on(event: DriftAcknowledged, at: float, effects: Effects) -> None:
    """``at``: the event's time, Unix seconds."""
    decision = event.data
    effects.positions.append(effects.position)
    effects.observations.append(
        Observation(
            signal=event.subject.removeprefix(SIGNAL_PREFIX),
            measure=BASELINE_RETAKEN if decision.retake_baseline else ACKNOWLEDGED,
            at=at,
            began=at,
            value=1.0,
            account="",
            known=effects.time,
            segments={"segment": decision.segment, "by": decision.by},
            phrases=[decision.reason],
        )
    )
