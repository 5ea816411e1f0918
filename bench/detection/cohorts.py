"""The cohort-start hazard detector on simulated sign-ups: delays, and false alarms a year, flat and under growth.

30 sign-ups a day convert with 10 %, after a log-normal lag with a median of 14 days; from a cohort on, with 5 %. The hazard
is learned from a mature year. Vectorised over replicates; tests/unit/test_bench_detection.py holds it against the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import lognorm

from bench.detection.tables import interval_of_mean, interval_of_quantile, poisson_interval, table
from detectors.sequential.cohort_hazard import CohortHazard
from detectors.sequential.contract import YEAR_DAYS, threshold

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
PER_DAY, RATE, AFTER = 30.0, 0.10, 0.05
MEDIAN, SIGMAS = 14.0, (0.5, 1.0)
"""Days; the spread of the lag is not given, so two are run"""
HORIZON, LEARN, QUIET, AFTERWARDS = 90, 365, 120, 160
FALSE_ALARMS_PER_YEAR = 0.05


@dataclass
class World:
    """By replicate: accounts entered by cohort day, and converted by cohort day and days since then."""

    entered: Counts
    converted: Counts


def lag_by_day(sigma: float) -> Floats:
    """Part of the conversions that come on each day since the start; starts are even over the day."""
    within = (np.arange(200) + 0.5) / 200
    reached = [lognorm.cdf(day + 1 - within, s=sigma, scale=MEDIAN).mean() for day in range(HORIZON)]
    return np.diff(np.concatenate([[0.0], reached]))


def simulate(rate: Floats, flow: Floats, sigma: float, replicates: int, random: np.random.Generator) -> World:
    entered = random.poisson(flow, (replicates, flow.size))
    lag = lag_by_day(sigma)
    parts = np.append(rate[:, None] * lag, (1 - rate * lag.sum())[:, None], axis=1)
    return World(entered, random.multinomial(entered, parts)[:, :, :HORIZON])


def learned(sigma: float, random: np.random.Generator) -> CohortHazard:
    world = simulate(np.full(LEARN, RATE), np.full(LEARN, PER_DAY), sigma, 1, random)
    came = world.converted[0].sum(axis=0)
    at_risk = world.entered.sum() - np.concatenate([[0], np.cumsum(came)[:-1]])
    return CohortHazard.from_baseline(came.tolist(), at_risk.tolist())


def true_hazard(sigma: float) -> list[float]:
    reached = RATE * np.cumsum(lag_by_day(sigma))
    return list(np.diff(np.concatenate([[0.0], reached])) / (1 - np.concatenate([[0.0], reached[:-1]])))


def first_alarm(world: World, detectors: list[CohortHazard], wanted: float, *, cusum: bool = False) -> Floats:
    """Days (from the first) after which the statistic is at ``wanted``; infinite where it never is."""
    replicates, days = world.entered.shape
    hazard = np.array([detector.hazard for detector in detectors])
    came = np.cumsum(world.converted, axis=2)
    at_risk = world.entered[:, :, None] - came + world.converted
    expected = np.cumsum(at_risk * hazard[:, None, :], axis=2)
    by_event = np.array([[line[0] for line in detector._lines] for detector in detectors])[:, :, None]
    by_exposure = np.array([[line[1] for line in detector._lines] for detector in detectors])
    weights = np.array(detectors[0].weights)
    closed = np.zeros((replicates, weights.size))
    stopped = np.full(replicates, np.inf)
    for day in range(days):
        cohorts = np.arange(max(0, day - HORIZON + 1), day + 1)
        o, e = came[:, cohorts, day - cohorts], expected[:, cohorts, day - cohorts]
        steps = o[:, None, :] * by_event + e[:, None, :] * by_exposure[:, :, day - cohorts]
        sums = np.cumsum(steps[:, :, ::-1], axis=2)
        if cusum:
            each = np.exp(np.maximum(sums.max(axis=2), np.log(closed + 1e-300) + sums[:, :, -1]))
        else:
            each = np.exp(sums).sum(axis=2) + closed * np.exp(sums[:, :, -1])
        hit = (each @ weights >= wanted) & np.isinf(stopped)
        stopped[hit] = day + 1
        if cohorts.size == HORIZON:
            closed = (np.maximum(closed, 1) if cusum else closed + 1) * np.exp(steps[:, :, 0])
        if not np.isinf(stopped).any():
            break
    return stopped


def cohorts(seed: int, scale: float) -> str:
    """Table 2."""
    random = np.random.default_rng(seed + 2)
    wanted = threshold(units_per_day=1, false_alarms_per_year=FALSE_ALARMS_PER_YEAR)
    runs = max(int(400 * scale), 10)
    fallen = np.where(np.arange(QUIET + AFTERWARDS) < QUIET, RATE, AFTER)
    year = QUIET + round(YEAR_DAYS)
    rows = []
    for sigma in SIGMAS:
        knowing = CohortHazard(hazard=true_hazard(sigma), strengths=((AFTER / RATE, 1.0),))
        for name, detectors, cusum in (
            ("hazard learned", [learned(sigma, random) for _ in range(runs)], False),
            ("hazard and new rate known", [knowing] * runs, False),
            ("CUSUM, both known", [knowing] * runs, True),
        ):
            height = wanted if not cusum else _height(sigma, knowing, random, runs)
            world = simulate(fallen, np.full(fallen.size, PER_DAY), sigma, runs, random)
            found = first_alarm(world, detectors, height, cusum=cusum) - QUIET
            found = np.minimum(found[found > 0], AFTERWARDS)
            cells = [interval_of_mean(found), interval_of_quantile(found, 0.95)]
            for growth in (0.0, 0.02):
                cells.append(_false_alarms(sigma, growth, detectors, height, cusum, year, random))
            rows.append([f"{sigma:g}", name, *cells])
    return table(
        [
            "sigma of the lag",
            "detector",
            "mean delay, days",
            "95 % within",
            "false alarms a year",
            "under growth of 2 % a day",
        ],
        rows,
    )


def _false_alarms(
    sigma: float,
    growth: float,
    detectors: list[CohortHazard],
    height: float,
    cusum: bool,
    days: int,
    random: np.random.Generator,
) -> str:
    # Growth of 2 % a day for a year is a factor of 1,400: it ends at the hundredfold, and the flow stays there.
    flow = np.minimum(PER_DAY * (1 + growth) ** np.arange(days), 100 * PER_DAY)
    alarms, exposure = 0, 0.0
    for start in range(0, len(detectors), 50):
        some = detectors[start : start + 50]
        world = simulate(np.full(days, RATE), flow, sigma, len(some), random)
        stopped = first_alarm(world, some, height, cusum=cusum)
        alarms += int(np.isfinite(stopped).sum())
        exposure += float(np.minimum(stopped, days).sum()) / YEAR_DAYS
    low, high = poisson_interval(alarms, exposure)
    return f"{alarms / exposure:.3f} ({low:.3f}-{high:.3f})"


def _height(sigma: float, detector: CohortHazard, random: np.random.Generator, runs: int) -> float:
    """exp(height) of the CUSUM with as many false alarms a year."""
    days = 3 * round(YEAR_DAYS)
    heights = np.array([400.0, 800.0, 1600.0, 3200.0])
    rates = []
    for height in heights:
        world = simulate(np.full(days, RATE), np.full(days, PER_DAY), sigma, max(runs // 4, 10), random)
        stopped = first_alarm(world, [detector] * len(world.entered), height, cusum=True)
        years = np.minimum(stopped, days).sum() / YEAR_DAYS
        rates.append(max(float(np.isfinite(stopped).sum()), 0.5) / years)
    slope, start = np.polyfit(np.log(heights), np.log(rates), 1)
    return float(np.exp((np.log(FALSE_ALARMS_PER_YEAR) - start) / slope))
