"""The Bernoulli e-detector on a disturbed stream: bursts, a wobble from week to week, quiet weekends.

An account's events come in bursts of one label, geometric with a mean of 2 or 3; the first of a burst is the observation
(the burst window of the signals). The share wobbles by 10 % of itself from week to week, and weekends have 40 % less. The
dispersion is measured in a baseline of 40 weeks, as a signal would, and the detector takes it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.detection.shares import Columns, numbers_of
from bench.detection.tables import interval_of_mean, poisson_interval, table
from detectors.sequential.bernoulli_mixture import HEAD_START, BernoulliMixture
from detectors.sequential.dispersion import dispersion

Floats = NDArray[np.float64]
SHARE, HALF, THRESHOLD = 0.2, 0.1, 10_000.0
EVENTS_A_DAY, BASELINE_WEEKS = 30.0, 40
WOBBLE, WEEKEND = 0.10, 0.60


def week_of(
    share: float, wobble: float, weekend: float, burst: float, columns: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Bursts that began in one week, and the share of that week, by column. Bursts are one observation, whatever they hold:
    so their size only makes observations fewer at the same number of events."""
    days = EVENTS_A_DAY / burst * (5 + 2 * weekend)
    level = share * (1 + wobble * random.normal(size=columns))
    return random.poisson(days, columns), np.clip(level, 0.0, 1.0)


def disturbed(seed: int, scale: float) -> str:
    """Table 3."""
    rows = []
    for name, burst, wobble, weekend in (
        ("undisturbed", 1.0, 0.0, 1.0),
        ("wobble and weekends", 1.0, WOBBLE, WEEKEND),
        ("bursts of 2, wobble and weekends", 2.0, WOBBLE, WEEKEND),
        ("bursts of 3, wobble and weekends", 3.0, WOBBLE, WEEKEND),
        ("bursts of 2, not widened", 2.0, WOBBLE, WEEKEND),
    ):
        random = np.random.default_rng(seed + 3)
        detectors = []
        for _ in range(int(400 * scale)):
            weeks = [week_of(SHARE, wobble, weekend, burst, 1, random) for _ in range(BASELINE_WEEKS)]
            groups = [(int(n[0]), int(random.binomial(n[0], share[0]))) for n, share in weeks]
            measured = 1.0 if "not widened" in name or name == "undisturbed" else dispersion(groups)
            detectors.append(BernoulliMixture(low=SHARE, high=SHARE, direction="both", dispersion=measured))
        widened = np.array([detector.dispersion for detector in detectors])
        columns = numbers_of(detectors)
        seen, counted = _weeks(columns, SHARE, wobble, weekend, burst, int(60_000 * scale), random, False)
        low, high = poisson_interval(float(seen.sum()), float(counted.sum()))
        _, found = _weeks(columns, HALF, wobble, weekend, burst, 100_000, random, True)
        rows.append(
            [
                name,
                f"{widened.mean():.2f}",
                f"{float(counted.sum()) / max(float(seen.sum()), 1) / THRESHOLD:.2f} "
                f"({1 / high / THRESHOLD:.2f}-{1 / low / THRESHOLD:.2f})",
                interval_of_mean(found),
            ]
        )
    return table(["stream", "dispersion measured", "run length, over that promised", "delay, bursts"], rows)


def _weeks(
    columns: Columns,
    share: float,
    wobble: float,
    weekend: float,
    burst: float,
    most: int,
    random: np.random.Generator,
    once: bool,
) -> tuple[Floats, Floats]:
    """Alarms and observations by column until ``most`` observations; with ``once`` until each column's first alarm."""
    count = columns.zero.shape[1]
    evidence = np.full(columns.zero.shape, HEAD_START)
    seen, counted = np.zeros(count), np.zeros(count)
    going = np.ones(count, bool)
    while going.any() and counted[going].mean() < most:
        n, level = week_of(share, wobble, weekend, burst, count, random)
        for number in range(int(n.max())):
            here = going & (number < n)
            ratio = np.where(random.random(count) < level, columns.one, columns.zero)
            evidence = np.where(here, (evidence + 1) * ratio, evidence)
            counted += here
            hit = here & ((columns.weights * evidence).sum(axis=0) - HEAD_START >= THRESHOLD)
            seen += hit
            evidence[:, hit] = HEAD_START
            if once:
                going &= ~hit
    return seen, counted
