"""River's detectors through the adapter: they say what river says, and a stored state goes on as river would."""

from __future__ import annotations

import random
import subprocess
import sys

import msgspec
import pytest
from river.drift import ADWIN, PageHinkley
from river.drift.binary import HDDMA

from detectors.sequential.river_detector import RiverDetector
from schemas.errors import StateRefused
from schemas.settings import RiverDetectorName


def stream(seed: int) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < (0.2 if at % 1_500 < 750 else 0.7)) for at in range(3_000)]


@pytest.mark.parametrize(
    ("name", "kind"), [("adwin", ADWIN), ("page_hinkley", PageHinkley), ("hddm_a", HDDMA)]
)
def test_it_says_what_river_says_through_any_storing(name: RiverDetectorName, kind: type) -> None:
    river, detector = kind(), RiverDetector(name)
    state = detector.new_state()
    alarms = 0
    for at, value in enumerate(stream(1)):
        river.update(value)
        detector.update(state, value, float(at))
        assert detector.statistic(state) == float(river.drift_detected)
        alarms += river.drift_detected
        if at % 37 == 0 or river.drift_detected:
            state = detector.decode_state(detector.encode_state(state))
    assert alarms > 0


def test_kswin_gives_the_same_with_and_without_storing() -> None:
    detector = RiverDetector("kswin", seed=3)
    kept, stored = detector.new_state(), detector.new_state()
    rng = random.Random(2)
    found = 0
    for at in range(500):
        value = rng.gauss(0 if at < 250 else 3, 1)
        detector.update(kept, value, float(at))
        detector.update(stored, value, float(at))
        stored = detector.decode_state(detector.encode_state(stored))
        assert detector.encode_state(kept) == detector.encode_state(stored)
        found += detector.statistic(kept) == 1
        assert (detector.change(kept) is not None) == (detector.statistic(kept) == 1)
    assert found > 0


def test_states_of_another_river_another_detector_or_other_parameters_are_refused() -> None:
    adwin = RiverDetector("adwin")
    state = adwin.new_state()
    for at, value in enumerate(stream(3)[:500]):
        adwin.update(state, value, float(at))
    raw = adwin.encode_state(state)
    version, body = msgspec.msgpack.decode(raw)
    assert body[0] == adwin.version

    def with_field(number: int, value: object) -> bytes:
        return msgspec.msgpack.encode(
            [version, [value if i == number else each for i, each in enumerate(body)]]
        )

    for foreign in (
        with_field(0, "0.1.0"),
        with_field(1, "kswin"),
        with_field(9, body[9][:-1]),
        with_field(9, b""),
    ):
        with pytest.raises(StateRefused):
            adwin.decode_state(foreign)
    with pytest.raises(StateRefused, match="other parameters"):
        RiverDetector("adwin", delta=0.05).decode_state(raw)
    with pytest.raises(StateRefused):
        RiverDetector("page_hinkley").decode_state(raw)


def test_names_and_parameters_that_river_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="adwin, page_hinkley"):
        RiverDetector("eddm")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        RiverDetector("adwin", depth=3)


def test_river_is_not_imported_before_a_detector_is_made() -> None:
    code = "import sys, detectors.catalogue; print('river' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert shown.stdout.strip() == "False"
