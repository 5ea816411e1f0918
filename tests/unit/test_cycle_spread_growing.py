"""slg.cycle_spread: the baseline grows while nothing changes, out of deals of which all is known, and into nothing else."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from detectors.sequential.decile_cohorts import Start, StartsState
from detectors.sequential.decile_mixture import decile_edges
from detectors.signals.monitor import Promise
from detectors.signals.slg_cycle_spread import CycleSpread
from detectors.signals.slg_cycle_spread_growth import (
    ENOUGH,
    GROWTH,
    MOST_PAST,
    QUIET_PART,
    grown_watch,
)
from detectors.signals.slg_cycle_spread_monitor import SpreadMonitor
from detectors.signals.slg_cycle_spread_state import ENDED, Band, Followed, SpreadState, SpreadWatch
from schemas.settings import DriftSettings
from tests.unit.judging import said
from tests.unit.pipeline_world import CHANGE, DAY, START, pipeline, wider

SIGNAL = CycleSpread.configured(DriftSettings(), 120)
PROMISE = Promise(false_alarms_per_year=1.0, monitors=120, min_baseline=300, min_baseline_days=28.0)
SIZE, QUIET, LIMIT = 500, 10.0, 200_000.0


def course(
    days: int, **world: Any
) -> tuple[list[tuple[float, int, bool]], list[tuple[str, str]], SpreadState]:
    """(day, baseline deals, whether it grows) of ``all`` each time that it changes; what was said of ``all``; the last state."""
    state, steps, alerts = SIGNAL.new_state(), [], []
    for each in pipeline(SIGNAL.name, days=days, seed=1, **world):
        alerts += SIGNAL.step(state, each)
        watch = state.segments["all"].monitor.stored.watch if "all" in state.segments else None
        if watch is not None and (not steps or steps[-1][1:] != (watch.n, watch.growing)):
            steps.append(((each.at - START) / DAY, watch.n, watch.growing))
    told = [each for each in said(alerts) if each[0] == "all"]
    return steps, told, state.segments["all"].monitor.stored


def test_a_quiet_baseline_grows_until_it_has_enough() -> None:
    steps, told, state = course(520)
    sizes = [n for _, n, growing in steps if growing]
    assert len(sizes) > 2
    assert all(after >= GROWTH * before for before, after in pairwise(sizes))
    assert steps[-1][1] >= ENOUGH
    assert not steps[-1][2]
    assert not any(band.past for band in state.bands.values())
    assert told == []


def test_with_a_drift_the_baseline_is_for_good() -> None:
    steps, told, state = course(480, length=wider)
    assert ("all", "drifting") in told
    day, n, growing = steps[-1]
    assert day > CHANGE
    assert not growing
    assert n == steps[-2][1]
    assert not any(band.past for band in state.bands.values())


def world(
    older: float, newer: float, n: int = 800, *, in_flight: int = 0
) -> tuple[SpreadState, SpreadWatch, float]:
    """A band watched by the first SIZE of ``n`` deals that are known, of a sigma in the ``older`` and the ``newer`` half; the
    statistic is QUIET."""
    random = np.random.default_rng(3)
    logs = np.concatenate([older * random.normal(size=n // 2), newer * random.normal(size=n - n // 2)])
    past = [Followed(START + i * DAY / 4, 20 * math.exp(log)) for i, log in enumerate(logs)]
    at = past[-1].began + 400 * DAY
    band = Band(edges=decile_edges([math.log(deal.days) for deal in past[:SIZE]]), n=SIZE, past=past)
    band.deals = [Followed(at - number * DAY, beyond=number) for number in range(in_flight)]
    found = StartsState([Start(START, [QUIET] * 5)])
    watch = SpreadWatch(SIZE, SIZE // 5, 1.0, float(SIZE), LIMIT, found, [])
    return SpreadState(bands={"one": band}, watch=watch), watch, at


def test_it_is_taken_anew_from_all_deals_and_keeps_the_evidence_and_the_threshold() -> None:
    state, watch, at = world(0.5, 0.5)
    old = state.bands["one"].edges
    grown = grown_watch(state, watch, QUIET, at, PROMISE)
    assert (grown.n, state.bands["one"].n) == (800, 800)
    assert state.bands["one"].edges != old
    assert len(state.bands["one"].past) == 800
    assert (grown.detection, grown.threshold, grown.growing) == (watch.detection, LIMIT, True)


@pytest.mark.parametrize(
    ("older", "newer", "n", "statistic"),
    [
        (0.5, 0.65, 800, QUIET),
        (0.65, 0.5, 800, QUIET),
        (0.5, 0.5, 800, QUIET_PART * LIMIT),
        (0.5, 0.5, int(GROWTH * SIZE) - 1, QUIET),
    ],
    ids=["spreads further", "spreads less", "something speaks for a change", "too few more"],
)
def test_it_stays(older: float, newer: float, n: int, statistic: float) -> None:
    state, watch, at = world(older, newer, n, in_flight=3)
    old = list(state.bands["one"].edges)
    assert grown_watch(state, watch, statistic, at, PROMISE) is watch
    assert state.bands["one"].edges == old
    assert [deal.beyond for deal in state.bands["one"].deals] == [0, 1, 2]
    assert watch.growing


def test_what_the_old_deciles_have_told_of_is_told_no_further() -> None:
    state, watch, at = world(0.5, 0.5, in_flight=3)
    assert grown_watch(state, watch, QUIET, at, PROMISE) is not watch
    assert [deal.beyond for deal in state.bands["one"].deals] == [0, ENDED, ENDED]


def test_growth_is_given_up_where_it_is_refused_for_long() -> None:
    state, watch, at = world(0.5, 0.65, MOST_PAST + 1)
    assert grown_watch(state, watch, QUIET, at, PROMISE) is watch
    assert not watch.growing
    assert state.bands["one"].past == []


def test_a_closing_that_is_told_late_reaches_the_deals_that_are_kept() -> None:
    state, _, at = world(0.5, 0.5)
    late = state.bands["one"].past[-1] = Followed(START + 250 * DAY)
    monitor = SpreadMonitor(PROMISE, state)
    closing = SIGNAL._told("lost", at, late.began, 1, value=90.0, band="one")
    monitor.take(closing, may_freeze=True)
    assert late.days == 90.0
