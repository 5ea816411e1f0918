"""An acknowledgement is of one drift: the next one of the same segment is news again."""

from __future__ import annotations

from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import ACKNOWLEDGED, ALL, Verdict
from schemas.alerts import DriftAlert
from schemas.duration import DAY
from schemas.observations import Observation
from tests.unit.notes_world import SIGNAL, writing

FIRST, AGAIN, END = (150, 210), (330, 390), 390


def hedging(rep: str, day: float) -> float:
    return 0.5 if FIRST[0] <= day < FIRST[1] or AGAIN[0] <= day < AGAIN[1] else 0.1


def acknowledged(at: float) -> Observation:
    return Observation(
        signal=SIGNAL.name,
        measure=ACKNOWLEDGED,
        at=at,
        began=at,
        value=1.0,
        account="",
        known=at,
        segments={"segment": ALL, "by": "Ann"},
        phrases=["A new market, as a test"],
    )


def test_a_second_drift_is_not_acknowledged_with_the_first() -> None:
    stage = DriftStage([SIGNAL])
    state = stage.new_state(SIGNAL.name)

    def whole() -> Verdict:
        return next(each for each in stage.verdicts(SIGNAL.name, state) if each.segment == ALL)

    told: list[tuple[str, str]] = []
    shown: list[str] = []
    for observation in writing(hedging, days=END):
        effects = Effects()
        stage.step(SIGNAL.name, state, observation, observation.at, effects)
        for alert in effects.alerts:
            if isinstance(alert, DriftAlert) and alert.segment == ALL:
                told.append((alert.state, whole().state))
                if len(told) == 1:
                    made = acknowledged(observation.at)
                    stage.step(SIGNAL.name, state, made, made.at, Effects())
                    shown.append(whole().state)
    assert shown == ["acknowledged"]
    assert told == [("drifting", "drifting"), ("resolved", "resolved"), ("drifting", "drifting")]
    (decision,) = whole().decisions
    assert decision.reason == "A new market, as a test"
    assert whole().at > AGAIN[0] * DAY
