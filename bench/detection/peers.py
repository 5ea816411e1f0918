"""River's detectors on the same change, and what one update costs.

River's do not know a baseline: they see BASELINE quiet observations first. Their parameters are river's defaults, and for
ADWIN the delta too that alarms about as often as the e-detector.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.detection.shares import BASELINE, HALF, SHARE
from bench.detection.tables import interval_of_mean, interval_of_quantile, poisson_interval, table
from detectors.sequential.bernoulli_mixture import BernoulliMixture
from detectors.sequential.contract import Detector
from detectors.sequential.river_detector import RiverDetector
from schemas.settings import RiverDetectorName

Floats = NDArray[np.float64]
PEERS: tuple[tuple[RiverDetectorName, dict[str, Any], float], ...] = (
    ("adwin", {}, 1.0),
    ("adwin", {"delta": 0.05}, 1.0),
    ("page_hinkley", {}, 1.0),
    ("hddm_a", {"two_sided_test": True}, 1.0),
    ("kswin", {}, 0.01),
)
"""name, parameters, part of the observations that it is given (KSWIN takes a thousand times as long as the others)"""
MOST = 5_000


def peers(seed: int, scale: float) -> str:
    """Table 5a."""
    rows = []
    for name, parameters, part in PEERS:
        random = np.random.default_rng(seed + 6)
        detector = RiverDetector(name, **parameters)
        steps = int(2_000_000 * scale * part)
        state = detector.new_state()
        alarms = 0
        for at, value in enumerate((random.random(steps) < SHARE).tolist()):
            detector.update(state, float(value), float(at))
            alarms += detector.statistic(state) >= 1
        low, high = poisson_interval(alarms, steps)
        runs = max(int(400 * scale * max(part, 0.1)), 5)
        delays = np.array([_delay(detector, random) for _ in range(runs)])
        shown = ", ".join(f"{key} {value}" for key, value in parameters.items()) or "defaults"
        length = f"{1 / high:,.0f}-{1 / low:,.0f}" if alarms else f"over {1 / high:,.0f}"
        missed = (
            f" (not within {MOST:,}: {int((delays >= MOST).sum())} of {runs})"
            if (delays >= MOST).any()
            else ""
        )
        rows.append(
            [
                f"{name}, {shown}",
                length,
                interval_of_mean(delays) + missed,
                interval_of_quantile(delays, 0.95),
            ]
        )
    return table(["river's", "average run length (95 %)", "mean delay of 0.2 -> 0.1", "95 % within"], rows)


def _delay(detector: RiverDetector, random: np.random.Generator) -> float:
    """After BASELINE quiet observations. A false alarm in them makes it forget, as it is meant to."""
    state = detector.new_state()
    for at, value in enumerate((random.random(BASELINE) < SHARE).tolist()):
        detector.update(state, float(value), float(at))
    for at, value in enumerate((random.random(MOST) < HALF).tolist(), start=1):
        detector.update(state, float(value), float(at))
        if detector.statistic(state) >= 1:
            return float(at)
    return float(MOST)


def cost(seed: int, scale: float) -> str:
    """Table 5b: processor time of one update, against river's ADWIN on the same stream, in turns."""
    from river.drift import ADWIN

    stream = (np.random.default_rng(seed + 7).random(50_000) < SHARE).astype(float).tolist()
    rounds = max(int(40 * scale), 8)
    both = BernoulliMixture(low=0.18, high=0.22, direction="both")
    fall = BernoulliMixture(low=0.18, high=0.22, direction="fall")
    spent: dict[str, list[float]] = {"adwin": [], "both": [], "fall": [], "both, with its statistic": []}
    for _ in range(rounds):
        spent["adwin"].append(_plain(ADWIN(), stream))
        spent["both"].append(_updates(both, stream, ask=False))
        spent["fall"].append(_updates(fall, stream, ask=False))
        spent["both, with its statistic"].append(_updates(both, stream, ask=True))
    rows = []
    for name in ("fall", "both", "both, with its statistic"):
        ratios = np.array(spent[name]) / np.array(spent["adwin"])
        low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
        rows.append([f"Bernoulli e-detector, {name}", f"{middle:.1f} ({low:.1f}-{high:.1f})"])
    return table(
        ["one update", f"times ADWIN's: median of {rounds} rounds (a tenth each side left out)"], rows
    )


def _plain(adwin: Any, stream: list[float]) -> float:
    update = adwin.update
    started = time.process_time()
    for value in stream:
        update(value)
    return time.process_time() - started


def _updates(detector: Detector, stream: list[float], *, ask: bool) -> float:
    state = detector.new_state()
    update, statistic = detector.update, detector.statistic
    started = time.process_time()
    if ask:
        for value in stream:
            update(state, value, 1.0)
            statistic(state)
    else:
        for value in stream:
            update(state, value, 1.0)
    return time.process_time() - started
