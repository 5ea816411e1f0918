"""The early watch of plg.conversion_gap on simulated sign-ups: what it costs to hold an alarm until the lag's shape says fewer.

The company is that of cohorts.py, with the signal's own horizon; the watch is that of one segment among MONITORS that share
one false alarm a year. Fewer: the rate halves. Slower: all pay, after twice the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import lognorm

from bench.detection.cohorts import AFTER, MEDIAN, PER_DAY, RATE
from bench.detection.tables import interval_of_mean, interval_of_part, interval_of_quantile, table
from detectors.signals.plg_conversion_gap_cohorts import Cohort
from detectors.signals.plg_conversion_gap_early import EarlyWatch
from detectors.signals.share_monitor import Promise
from schemas.duration import DAY

Floats = NDArray[np.float64]
MONITORS, HORIZON, QUIET, AFTERWARDS = 120, 60, 61, 110
LEARNED = (90, 365)
"""Days of sign-ups that the baseline is learned from: as soon as the signal has one, and a year"""
CHANGES = (("fewer", AFTER, 1.0), ("slower", RATE, 2.0))


def held(seed: int, scale: float) -> str:
    """Table 'early'."""
    runs = max(int(100 * scale), 10)
    rows = []
    for sigma in (0.5, 1.0):
        for learned in LEARNED:
            for name, after, stretch in CHANGES:
                random = np.random.default_rng(seed + 7)
                found = [_run(sigma, learned, after, stretch, random) for _ in range(runs)]
                alarms = [first for first, _, _ in found if first is not None and first > 0]
                fewer = [day for _, day, _ in found if day is not None and day > 0]
                slower = sum(told for _, _, told in found)
                rows.append(
                    [
                        f"{sigma:g}",
                        str(learned),
                        name,
                        _days(alarms),
                        interval_of_part(len(fewer), runs),
                        _days(fewer),
                        interval_of_part(slower, runs),
                    ]
                )
    return table(
        [
            "sigma of the lag",
            "learned from, days",
            "change",
            "hazard over its threshold, days: mean, 95 % within",
            f"told as drift within {AFTERWARDS} days",
            "days: mean, 95 % within",
            "told as slower",
        ],
        rows,
    )


def _days(delays: list[int]) -> str:
    if len(delays) < 10:
        return "-"
    numbers = np.array(delays, dtype=np.float64)
    return f"{interval_of_mean(numbers)}, {interval_of_quantile(numbers, 0.95)}"


def _lag(sigma: float, stretch: float) -> Floats:
    """Part of the conversions on each day since the start, which is at noon."""
    reached = lognorm.cdf(np.arange(HORIZON) + 0.5, s=sigma, scale=MEDIAN * stretch)
    return np.diff(np.concatenate([[0.0], reached]))


def _chances(rate: float, sigma: float, stretch: float) -> Floats:
    parts = rate * _lag(sigma, stretch)
    return np.append(parts, 1 - parts.sum())


def _watch(sigma: float, learned: int, random: np.random.Generator) -> EarlyWatch:
    """One whose baseline is learned, at the end of day 0."""
    promise = Promise(false_alarms_per_year=1, monitors=MONITORS, min_baseline=300, min_baseline_days=28)
    watch = EarlyWatch(promise, HORIZON)
    state = watch.cohorts.state
    # The young cohorts of the baseline are at risk on their first days only.
    for followed in range(1, learned + 1):
        ages = min(followed, HORIZON)
        entered = int(random.poisson(PER_DAY))
        came = random.multinomial(entered, _chances(RATE, sigma, 1.0))[:ages]
        for age, converted in enumerate(came.tolist()):
            state.came[age] += converted
            state.risked[age] += entered
            entered -= converted
    state.baseline_came, state.baseline_risked = list(state.came), list(state.risked)
    state.day, state.first, state.cohorts = 0, 0, [Cohort()]
    watch.restart()
    return watch


def _run(
    sigma: float, learned: int, after: float, stretch: float, random: np.random.Generator
) -> tuple[int | None, int | None, bool]:
    """Days from the change until the hazard is over its threshold, until drift is told; whether slower is told."""
    watch = _watch(sigma, learned, random)
    due: dict[int, list[int]] = {}
    chances = _chances(RATE, sigma, 1.0), _chances(after, sigma, stretch)
    first, slower = None, False
    for day in range(1, QUIET + AFTERWARDS):
        at = day * DAY
        told = watch.pass_to(at, dispersion=1.0)
        if first is None and watch.statistic >= watch.threshold:
            first = day - QUIET
        slower = slower or told == "slower"
        if told == "fewer":
            return first, day - QUIET, slower
        entered = int(random.poisson(PER_DAY))
        for _ in range(entered):
            watch.enter(at, at, "")
        converted = random.multinomial(entered, chances[day >= QUIET])[:HORIZON]
        for age in np.nonzero(converted)[0].tolist():
            due.setdefault(day + age, []).extend([day] * int(converted[age]))
        for began in due.pop(day, []):
            watch.convert(began * DAY, at, "")
    return first, None, slower
