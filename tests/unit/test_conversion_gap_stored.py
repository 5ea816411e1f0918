"""plg.conversion_gap: what was stored while a source's segment was named by the source alone is read by today's names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import ACKNOWLEDGED, ALL, ANNOUNCED
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.duration import DAY
from schemas.observations import Observation
from tests.unit.conversion_gap_world import company, drift_alerts, observe, run

SIGNAL = ConversionGap(max_segments=3)
RATE = {"content": 0.16, "direct": 0.2, "referral": 0.25}
BARE = {"source:content": "content", "source:other": "other"}


@pytest.fixture(scope="module")
def own() -> bytes:
    """``source:content`` drifts; the other sources have become ``source:other``."""
    accounts = company(
        days=300,
        per_day=lambda source, day: 17.0 if source == "content" else 12.0,
        sources=RATE,
        activates=lambda source, day: 0.5,
        converts=lambda source, day: RATE[source] * (0.5 if day >= 200 and source == "content" else 1),
        seed=6,
    )
    state, alerts = run(SIGNAL, observe(SIGNAL, accounts))
    assert [alert.segment for alert in drift_alerts(alerts)] == ["source:content"]
    assert state.segments.keys() == {ALL, *BARE}
    return SIGNAL.encode_state(state)


def renamed(by_name: dict[str, Any]) -> dict[str, Any]:
    assert by_name.keys() & BARE.keys()
    return {BARE.get(name, name): each for name, each in by_name.items()}


def as_version_6(raw: bytes) -> bytes:
    """What the version before stored, to the byte."""
    version, body = msgspec.msgpack.decode(raw)
    assert version == 7
    body["segments"], body["composition"] = renamed(body["segments"]), renamed(body["composition"])
    return msgspec.msgpack.encode((6, body))


def test_a_state_of_the_version_before_is_the_same_under_new_names(own: bytes) -> None:
    assert SIGNAL.encode_state(SIGNAL.decode_state(as_version_6(own))) == own


def test_what_people_said_of_a_segment_stays_with_it(own: bytes) -> None:
    def said(measure: str, segments: dict[str, str]) -> Observation:
        return Observation(
            signal=SIGNAL.name,
            measure=measure,
            at=400 * DAY,
            began=400 * DAY,
            value=390 * DAY,
            account="",
            segments={"by": "Ann", **segments},
            phrases=["A promotion"],
        )

    stage = DriftStage([SIGNAL])
    state = stage.decode_state(SIGNAL.name, own)
    for each in (
        said(ACKNOWLEDGED, {"segment": "source:content"}),
        said(ACKNOWLEDGED, {"segment": ALL}),
        said(ANNOUNCED, {"segment": "source:other"}),
        said(ANNOUNCED, {"segment": ALL}),
        said(ANNOUNCED, {}),
    ):
        assert stage.step(SIGNAL.name, state, each, each.at, Effects())
    raw = stage.encode_state(SIGNAL.name, state)
    stored = msgspec.msgpack.decode(raw)
    stored["own"], stored["decided"] = as_version_6(stored["own"]), renamed(stored["decided"])
    stored["announced"] = [
        [*said_so, BARE.get(segment, segment)] for *said_so, segment in stored["announced"]
    ]
    before = msgspec.msgpack.encode(stored)
    read = stage.decode_state(SIGNAL.name, before)
    assert stage.encode_state(SIGNAL.name, read) == raw
    shown = {verdict.segment: verdict for verdict in stage.verdicts(SIGNAL.name, read)}
    assert shown["source:content"].state == "acknowledged"
    assert len(shown["source:other"].announcements) == 2
