"""Cycle spread: power and labels of two samples of fixed size, and the decile e-detector on streams.

100 deals against a baseline of 300, logs of cycle lengths, alpha 0.01. Clusters keep the spread of the baseline each, a
distance of D of it apart (Ashman's D); ``same spread in all`` shrinks them until only the shape differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.detection.tables import interval_of_mean, interval_of_part, poisson_interval, table
from detectors.sequential.decile_mixture import DecileMixture, decile_edges, decile_of
from detectors.sequential.spread_labels import label_spread

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
BASELINE, RECENT, ALPHA = 300, 100, 0.01
STREAM_THRESHOLD = 1_000.0


def clusters(part: float, apart: float, spread: float = 1.0) -> Draw:
    def draw(random: np.random.Generator, n: int) -> Floats:
        return spread * (random.normal(size=n) + apart * (random.random(n) < part))

    return draw


def wider(factor: float) -> Draw:
    return lambda random, n: factor * random.normal(size=n)


SCENES: tuple[tuple[str, str | None, Draw], ...] = (
    ("nothing changes", None, wider(1.0)),
    ("sigma x 1.5", "wider", wider(1.5)),
    ("two clusters, D = 3, half each", "two clusters", clusters(0.5, 3)),
    ("two clusters, D = 3, 35 % slow", "two clusters", clusters(0.35, 3)),
    (
        "two clusters, D = 3, half each, same spread in all",
        "two clusters",
        clusters(0.5, 3, 1 / math.sqrt(3.25)),
    ),
    (
        "longer tail: a tenth 2.5 slower, twice the spread",
        "longer tail",
        lambda random, n: np.where(
            random.random(n) < 0.1, 2.5 + 2 * random.normal(size=n), random.normal(size=n)
        ),
    ),
)


def spread(seed: int, scale: float) -> str:
    """Table 4: two samples of fixed size, and streams."""
    runs = int(2_000 * scale)
    rows = []
    for name, label, draw in SCENES:
        random = np.random.default_rng(seed + 4)
        found = right = 0
        for _ in range(runs):
            result = label_spread(
                random.normal(size=BASELINE).tolist(), draw(random, RECENT).tolist(), alpha=ALPHA
            )
            found += result.label is not None
            right += result.label is not None and result.label == label
        labelled = interval_of_part(right, found) if label is not None and found else "-"
        rows.append([name, interval_of_part(found, runs), labelled, *_stream(draw, name, seed, scale)])
    return table(
        ["100 deals against 300", "found", "right name, of those", "e-detector, threshold 1,000"], rows
    )


def _stream(draw: Draw, name: str, seed: int, scale: float) -> list[str]:
    """The e-detector on deals one by one: mean delay, or its run length where nothing changes."""
    random = np.random.default_rng(seed + 5)
    quiet = name == SCENES[0][0]
    runs, most = int(100 * scale), 10_000 if quiet else 3_000
    stopped, alarmed = np.zeros(runs), 0
    for run in range(runs):
        edges = decile_edges(random.normal(size=BASELINE).tolist())
        detector = DecileMixture.from_baseline(BASELINE)
        state = detector.new_state()
        stopped[run] = most
        for at, value in enumerate(draw(random, most).tolist()):
            detector.update(state, decile_of(edges, value), float(at))
            if detector.statistic(state) >= STREAM_THRESHOLD:
                stopped[run], alarmed = at + 1, alarmed + 1
                break
    if quiet:
        low, high = poisson_interval(alarmed, float(stopped.sum()))
        return [f"run length {1 / high:,.0f}-{1 / low:,.0f}"]
    return [f"{interval_of_mean(stopped)} deals, {alarmed} of {runs}"]
