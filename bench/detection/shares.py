"""The Bernoulli e-detector on plain numbers: run lengths and delays, with the baseline known and estimated.

Vectorised over replicates; ``numbers_of`` takes the likelihood ratios from the class, and
tests/unit/test_bench_detection.py holds the recursion against the class on the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from bench.detection.tables import interval_of_mean, interval_of_quantile, poisson_interval, table
from detectors.sequential.bernoulli_mixture import HEAD_START, BernoulliMixture

Floats = NDArray[np.float64]
THRESHOLD = 1e5
SHARE, HALF = 0.2, 0.1
WARM = 1_000
"""Observations before the change, where a change in mid-stream is measured."""
BASELINE = 2_000


@dataclass
class Columns:
    """Likelihood ratios of a 0 and of a 1, by alternative and replicate, and the alternatives' weights."""

    zero: Floats
    one: Floats
    weights: Floats

    def pick(self, kept: NDArray[np.bool_]) -> Columns:
        return Columns(self.zero[:, kept], self.one[:, kept], self.weights)


def numbers_of(detectors: Sequence[BernoulliMixture]) -> Columns:
    ratios = np.array([detector.ratios for detector in detectors])
    return Columns(
        ratios[:, :, 0].T.copy(), ratios[:, :, 1].T.copy(), np.array(detectors[0].weights)[:, None]
    )


def delays(
    columns: Columns, before: float, after: float, warm: int, threshold: float, random: np.random.Generator
) -> Floats:
    """Observations from the change to the alarm, which comes after ``warm`` quiet ones. A stream that alarms before begins
    anew (its column is set back), as if somebody had acknowledged it."""
    count = columns.zero.shape[1]
    evidence = np.full(columns.zero.shape, HEAD_START)
    for _ in range(warm):
        evidence = (evidence + 1) * np.where(random.random(count) < before, columns.one, columns.zero)
        false = (columns.weights * evidence).sum(axis=0) - HEAD_START >= threshold
        evidence[:, false] = HEAD_START
    stopped = np.zeros(count)
    live = np.arange(count)
    for at in range(1, 100_000):
        evidence = (evidence + 1) * np.where(random.random(live.size) < after, columns.one, columns.zero)
        hit = (columns.weights * evidence).sum(axis=0) - HEAD_START >= threshold
        if hit.any():
            stopped[live[hit]] = at
            live, evidence, columns = live[~hit], evidence[:, ~hit], columns.pick(~hit)
            if not live.size:
                return stopped
    raise RuntimeError("a stream never alarmed")


def alarms(
    columns: Columns, share: float, steps: int, threshold: float, random: np.random.Generator
) -> Floats:
    """False alarms of each replicate in ``steps`` observations without a change; each begins anew after one."""
    count = columns.zero.shape[1]
    evidence = np.full(columns.zero.shape, HEAD_START)
    seen = np.zeros(count)
    for _ in range(steps):
        evidence += 1
        evidence *= np.where(random.random(count) < share, columns.one, columns.zero)
        false = (columns.weights * evidence).sum(axis=0) - HEAD_START >= threshold
        if false.any():
            seen += false
            evidence[:, false] = HEAD_START
    return seen


def optimum(
    share: float, after: float, warm: int, replicates: int, threshold: float, random: np.random.Generator
) -> tuple[Floats, Callable[[int], Floats]]:
    """Delays of the CUSUM that knows both rates (optimal, Moustakides 1986), with ``threshold`` for exp(CUSUM); and a
    function that counts its false alarms in so many observations."""
    zero, one = math.log((1 - after) / (1 - share)), math.log(after / share)
    height = math.log(threshold)

    def walk(rate: float, cusum: Floats) -> Floats:
        return np.maximum(cusum + np.where(random.random(cusum.size) < rate, one, zero), 0.0)

    def count(steps: int) -> Floats:
        cusum, seen = np.zeros(replicates), np.zeros(replicates)
        for _ in range(steps):
            cusum = walk(share, cusum)
            false = cusum >= height
            seen += false
            cusum[false] = 0.0
        return seen

    cusum = np.zeros(replicates)
    for _ in range(warm):
        cusum = walk(share, cusum)
        cusum[cusum >= height] = 0.0
    stopped = np.zeros(replicates)
    at = 0
    while not stopped.all():
        at += 1
        cusum = walk(after, cusum)
        stopped[(cusum >= height) & (stopped == 0)] = at
    return stopped, count


def optimal_height(
    steps: int, random: np.random.Generator, share: float, after: float
) -> tuple[float, float, float]:
    """exp(height) at which the CUSUM that knows both rates has a run length of THRESHOLD; and that run length's interval."""
    best = 3_000.0
    for _ in range(4):
        _, count = optimum(share, after, 0, 400, best, random)
        # The run length is nearly proportional to exp(height).
        best *= THRESHOLD * max(float(count(steps).sum()), 1.0) / (400 * steps)
    _, count = optimum(share, after, 0, 400, best, random)
    low, high = poisson_interval(float(count(steps).sum()), 400 * steps)
    return best, 1 / high, 1 / low


def known(seed: int, scale: float) -> str:
    """Table 1a: a baseline that is known."""
    random = np.random.default_rng(seed)
    replicates, steps = int(20_000 * scale), int(150_000 * scale)
    rows = []
    for before, after in ((SHARE, HALF), (0.10, 0.05)):
        detector = BernoulliMixture(low=before, high=before, direction="both")
        seen = alarms(numbers_of([detector] * 400), before, steps, THRESHOLD, random).sum()
        low, high = poisson_interval(float(seen), 400 * steps)
        height, shortest, longest = optimal_height(steps, random, before, after)
        for when, warm in (("at the first observation", 0), (f"after {WARM:,} quiet ones", WARM)):
            found = delays(numbers_of([detector] * replicates), before, after, warm, THRESHOLD, random)
            best, _ = optimum(before, after, warm, replicates, height, random)
            for name, shown, length in (
                ("mixture, both sides", found, f"{1 / high:,.0f}-{1 / low:,.0f}"),
                ("CUSUM that knows both rates", best, f"{shortest:,.0f}-{longest:,.0f}"),
            ):
                rows.append([f"{before:g} -> {after:g}", when, name, length, *_delay_cells(shown)])
    return table(
        ["shares", "change", "detector", "average run length (95 %)", "mean delay", "95 % within"], rows
    )


def estimated(seed: int, scale: float) -> str:
    """Table 1b: a baseline estimated from BASELINE observations, over all that chance can give; and what is lost by not
    knowing the new rate: a Shiryaev-Roberts procedure that is told it, against the same bounds."""
    random = np.random.default_rng(seed + 1)
    rows = []
    for before, after in ((SHARE, HALF), (0.10, 0.05), (SHARE, 0.3)):
        kept, worst = kept_baselines(before, random, scale)
        drawn = random.binomial(BASELINE, before, int(20_000 * scale))
        unique = {ones: _from_baseline(int(ones)) for ones in np.unique(drawn)}
        detectors = [unique[ones] for ones in drawn]
        columns, told = numbers_of(detectors), _told(after, detectors)
        for when, warm in (("at the first observation", 0), (f"after {WARM:,} quiet ones", WARM)):
            changed = f"{before:g} -> {after:g}"
            found = delays(columns, before, after, warm, THRESHOLD, random)
            rows.append([changed, when, "mixture, both sides", kept, worst, *_delay_cells(found)])
            if after < before:
                best = delays(told, before, after, warm, THRESHOLD, random)
                rows.append([changed, when, "told the new rate, one side", "", "", *_delay_cells(best)])
    return table(
        [
            "shares",
            "change",
            "detector",
            f"baselines with a run length of {THRESHOLD:,.0f} or more",
            "run length, worst 5 %",
            "mean delay",
            "95 % within",
        ],
        rows,
    )


def _told(after: float, detectors: Sequence[BernoulliMixture]) -> Columns:
    """Likelihood ratios of the one alternative ``after``, against each detector's lower bound."""
    low = np.array([detector.low for detector in detectors])
    return Columns(((1 - after) / (1 - low))[None], (after / low)[None], np.ones((1, 1)))


def kept_baselines(share: float, random: np.random.Generator, scale: float) -> tuple[str, str]:
    """How many of the baselines keep the promise, each by its own run length; and the run length of the 5 % quantile.

    The run length is measured on a grid of baselines and interpolated between: it falls with the estimate on one side and
    rises with it on the other, and is longest in the middle.
    """
    quantiles = np.array([0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.5, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.99])
    grid = np.unique(binom.ppf(quantiles, BASELINE, share))
    each, steps = 60, int(200_000 * scale)
    columns = numbers_of([_from_baseline(int(ones)) for ones in grid for _ in range(each)])
    seen = alarms(columns, share, steps, THRESHOLD, random).reshape(grid.size, each).sum(axis=1)
    # Half an alarm more than none, so that the logarithm exists: a run length that is shorter than the truth.
    length = each * steps / np.maximum(seen, 0.5)
    ones = np.arange(grid[0], grid[-1] + 1)
    fitted = np.exp(np.interp(ones, grid, np.log(length)))
    weight = binom.pmf(ones, BASELINE, share)
    # How far the simulation's error moves the answer: with all run lengths shorter or longer by the error at the edge.
    error = 1.96 / math.sqrt(max(float(seen[grid >= binom.ppf(0.85, BASELINE, share)].mean()), 1.0))
    parts = [float(weight[fitted * factor >= THRESHOLD].sum()) for factor in (1 - error, 1.0, 1 + error)]
    order = np.argsort(fitted)
    worst = fitted[order][np.searchsorted(np.cumsum(weight[order]), 0.05)]
    return f"{parts[1]:.1%} ({parts[0]:.1%}-{parts[2]:.1%})", f"{worst:,.0f}"


def _from_baseline(ones: int) -> BernoulliMixture:
    return BernoulliMixture.from_baseline(ones, BASELINE, direction="both", level=0.9)


def _delay_cells(found: Floats) -> list[str]:
    return [interval_of_mean(found), interval_of_quantile(found, 0.95)]
