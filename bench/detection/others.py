"""The promise and the delay of the other detectors, with their real classes, at a threshold of 1,000 of their unit.

Each is run without a change until it alarms, and with the change that its signal is for; baselines are drawn anew in each
run, so what is shown is the promise on average over the baselines that chance can give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.detection.tables import interval_of_mean, interval_of_quantile, poisson_interval, table
from detectors.sequential.conjunction import Conjunction, Of
from detectors.sequential.contract import Detector
from detectors.sequential.expected_events import Counted, ExpectedEvents
from detectors.sequential.exposure_mixture import Exposed, ExposureMixture, Stratum
from detectors.sequential.taxonomy_mixture import TaxonomyMixture
from detectors.sequential.trend_mixture import TrendMixture

THRESHOLD = 1_000.0
Random = np.random.Generator
Stream = Iterator[tuple[Any, float]]
"""observations, each with its size in the detector's unit"""


@dataclass
class Case:
    name: str
    detector: Callable[[Random], Detector]
    stream: Callable[[Random, bool], Stream]
    change: str


def _null_share(ratio: float, share: float) -> float:
    return ratio * share / (ratio * share + 1 - share)


def _exposure(random: Random) -> Detector:
    strata = [
        Stratum(share, 150, int(random.binomial(150, _null_share(0.8, share))))
        for share in (0.2, 0.25, 0.3, 0.35)
    ]
    return ExposureMixture.from_baseline(strata)


def _tickets(random: Random, changed: bool) -> Stream:
    while True:
        share = 0.2 + 0.2 * random.random()
        yield Exposed(int(random.random() < _null_share(0.4 if changed else 0.8, share)), share), 1.0


TAXONOMY = np.array([0.25, 0.2, 0.15, 0.15, 0.1, 0.1, 0.05])
CHANGED = np.array([0.45, 0.12, 0.1, 0.13, 0.08, 0.08, 0.04])


def _taxonomy(random: Random) -> Detector:
    return TaxonomyMixture.from_baseline(random.multinomial(1_000, TAXONOMY).tolist())


def _kinds(random: Random, changed: bool) -> Stream:
    while True:
        yield from ((int(kind), 1.0) for kind in random.choice(7, 200, p=CHANGED if changed else TAXONOMY))


def _events(random: Random) -> Detector:
    return ExpectedEvents.from_baseline(float(max(random.poisson(150), 1)), 150.0, direction="rise")


def _months(random: Random, changed: bool) -> Stream:
    while True:
        expected = float(random.uniform(0.01, 0.5))
        yield Counted(float(random.poisson(expected * (2 if changed else 1))), expected), expected


def _trend(random: Random) -> Detector:
    return TrendMixture.from_baseline(random.normal(size=100).tolist())


def _values(random: Random, changed: bool) -> Stream:
    while True:
        yield float(random.normal() + (0.8 if changed else 0.0)), 1.0


def _conjunction(random: Random) -> Detector:
    return Conjunction(_trend(random), _trend(random))


def _pairs(random: Random, changed: bool) -> Stream:
    """Both change, or only the second: the first, whose promise it is, does not."""
    while True:
        yield Of(0, float(random.normal() + (0.8 if changed else 0.0))), 1.0
        yield Of(1, float(random.normal() + 0.8)), 0.0


CASES = (
    Case("exposure_mixture: baseline of 600 tickets", _exposure, _tickets, "rate ratio 0.8 -> 0.4"),
    Case("taxonomy_mixture: baseline of 1,000, 7 kinds", _taxonomy, _kinds, "largest kind 25 % -> 45 %"),
    Case("expected_events: baseline of 150 events", _events, _months, "hazard doubles"),
    Case("trend_mixture: baseline of 100", _trend, _values, "up by 0.8 sd"),
    Case(
        "conjunction of two trends (one of them up all the time)", _conjunction, _pairs, "both up by 0.8 sd"
    ),
)


def others(seed: int, scale: float) -> str:
    """Table 6."""
    rows = []
    for case in CASES:
        random = np.random.default_rng(seed + 8)
        runs, most = max(int(60 * scale), 4), 3 * THRESHOLD
        units, alarms = 0.0, 0
        for _ in range(runs):
            stopped, alarmed = run(case.detector(random), case.stream(random, False), most)
            units, alarms = units + stopped, alarms + alarmed
        low, high = poisson_interval(alarms, units)
        length = f"{1 / high:,.0f}-{1 / low:,.0f}" if alarms else f"over {1 / high:,.0f}"
        found = np.array(
            [run(case.detector(random), case.stream(random, True), most)[0] for _ in range(2 * runs)]
        )
        unit = case.detector(random).unit or ""
        rows.append(
            [case.name, unit, length, case.change, interval_of_mean(found), interval_of_quantile(found, 0.95)]
        )
    return table(
        ["detector", "unit", f"run length at {THRESHOLD:,.0f} (95 %)", "change", "mean delay", "95 % within"],
        rows,
    )


def run(detector: Detector, stream: Stream, most: float, wanted: float = THRESHOLD) -> tuple[float, bool]:
    """Units until the alarm, or ``most``; and whether there was one."""
    state = detector.new_state()
    units = 0.0
    for at, (value, size) in enumerate(stream):
        detector.update(state, value, float(at))
        units += size
        if detector.statistic(state) >= wanted:
            return units, True
        if units >= most:
            break
    return units, False
