"""The Bernoulli mixture e-detector: its recursion, its null, its dates, its promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.detection.shares import alarms, delays, numbers_of
from detectors.sequential.bernoulli_mixture import DATING_STRENGTH, HEAD_START, BernoulliMixture
from detectors.sequential.binomial_interval import interval, lower_bound, upper_bound
from detectors.sequential.contract import CEILING, Direction

shares = st.floats(0.01, 0.99)


def feed(detector: BernoulliMixture, values: list[int]) -> list[float]:
    state = detector.new_state()
    statistics = []
    for at, value in enumerate(values):
        detector.update(state, value, float(at))
        statistics.append(detector.statistic(state))
    return statistics


@given(bound=shares, true=shares, direction=st.sampled_from(["fall", "rise"]))
def test_no_alternative_gains_on_average_anywhere_in_the_null(
    bound: float, true: float, direction: Direction
) -> None:
    in_null = true >= bound if direction == "fall" else true <= bound
    detector = BernoulliMixture(low=bound, high=bound, direction=direction)
    for zero, one in detector.ratios:
        mean = (1 - true) * zero + true * one
        assert mean <= 1 + 1e-9 if in_null else True
        if true == bound:
            assert mean == pytest.approx(1)


@given(values=st.lists(st.integers(0, 1), max_size=60), low=shares, dispersion=st.floats(1, 4))
def test_the_recursion_is_the_sum_over_all_starts(values: list[int], low: float, dispersion: float) -> None:
    detector = BernoulliMixture(low=low, high=low, dispersion=dispersion)
    wanted = -HEAD_START
    for weight, ratios in zip(detector.weights, detector.ratios, strict=True):
        starts = [math.prod(ratios[x] for x in values[start:]) for start in range(len(values))]
        wanted += weight * (sum(starts) + HEAD_START * math.prod(ratios[x] for x in values))
    found = feed(detector, values)[-1] if values else 0.0
    assert found == pytest.approx(min(max(wanted, 0.0), CEILING), rel=1e-9, abs=1e-9)


@given(values=st.lists(st.integers(0, 1), max_size=200), low=shares, fall=st.booleans())
def test_the_restart_maximises_the_likelihood_of_a_halving_over_starts(
    values: list[int], low: float, fall: bool
) -> None:
    detector = BernoulliMixture(low=low, high=low, direction="fall" if fall else "rise")
    ratio = DATING_STRENGTH if fall else 1 / DATING_STRENGTH
    odds = ratio * low / (1 - low)
    logs = (math.log((1 / (1 + odds)) / (1 - low)), math.log(odds / (1 + odds) / low))
    state = detector.new_state()
    for at, value in enumerate(values):
        detector.update(state, value, float(at))
    sums = [sum(logs[x] for x in values[start:]) for start in range(len(values))]
    change = detector.change(state)
    if change is None:
        assert max(sums, default=0.0) <= 1e-9
        return
    start = int(change.since)
    assert (change.n, change.total) == (len(values) - start, sum(values[start:]))
    assert sums[start] == pytest.approx(max(sums), abs=1e-9)


@settings(max_examples=50)
@given(ones=st.integers(1, 400), dispersion=st.floats(1, 3))
def test_a_baseline_is_paid_for_and_more_so_where_it_is_dispersed(ones: int, dispersion: float) -> None:
    plain = BernoulliMixture.from_baseline(ones, 1_000)
    wide = BernoulliMixture.from_baseline(ones, 1_000, dispersion=dispersion)
    both = BernoulliMixture.from_baseline(ones, 1_000, direction="both")
    assert plain.low == lower_bound(ones, 1_000, 0.9)
    assert wide.low <= plain.low + 1e-9 < ones / 1_000 < plain.high <= wide.high + 1e-9
    # Both sides share what may fail.
    assert both.low < ones / 1_000 < both.high
    for zero, one in wide.ratios:
        assert (1 - wide.low) * zero + wide.low * one <= 1 + 1e-9


def test_a_fall_detector_is_deaf_to_rises_and_the_other_way_round() -> None:
    ones, zeros = [1] * 200, [0] * 200
    assert max(feed(BernoulliMixture(low=0.2, high=0.2, direction="fall"), ones)) == 0
    assert max(feed(BernoulliMixture(low=0.2, high=0.2, direction="rise"), zeros)) < 10
    for values in (ones, zeros):
        assert feed(BernoulliMixture(low=0.2, high=0.2, direction="both"), values)[-1] > 1e6


def test_the_statistic_stays_below_its_ceiling_and_comes_down_again() -> None:
    detector = BernoulliMixture(low=0.5, high=0.5)
    statistics = feed(detector, [0] * 2_000 + [1] * 600)
    assert max(statistics) == pytest.approx(CEILING)
    assert statistics[-1] < 10


@pytest.mark.parametrize("low", [0.0, 1.0])
def test_bounds_at_the_edge_are_no_accident(low: float) -> None:
    statistics = feed(BernoulliMixture(low=low, high=1.0), [0, 1] * 50)
    assert all(math.isfinite(statistic) for statistic in statistics)


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0.3, "high": 0.2},
        {"low": -0.1, "high": 0.2},
        {"low": math.nan, "high": 0.2},
        {"low": 0.1, "high": 0.2, "direction": "sideways"},
        {"low": 0.1, "high": 0.2, "strengths": ()},
        {"low": 0.1, "high": 0.2, "strengths": ((1.5, 1.0),)},
        {"low": 0.1, "high": 0.2, "strengths": ((0.5, 0.0),)},
    ],
)
def test_parameters_without_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"null|direction|strength"):
        BernoulliMixture(**wrong)  # type: ignore[arg-type]


def test_the_vectorised_recursion_of_the_bench_is_this_one() -> None:
    detector = BernoulliMixture(low=0.17, high=0.2, direction="both")
    stopped = delays(numbers_of([detector]), 0.2, 0.05, 300, 1e4, np.random.default_rng(5))
    random = np.random.default_rng(5)
    state = detector.new_state()
    for at in range(1, 2_000):
        value = float(random.random(1)[0] < (0.2 if at <= 300 else 0.05))
        detector.update(state, value, float(at))
        if detector.statistic(state) >= 1e4:
            break
    assert stopped[0] == at - 300


def test_run_length_and_delay_are_near_what_was_promised() -> None:
    """0.2 -> 0.1 at threshold 1,000, so that it is quick; bench/detection does 100,000."""
    columns = numbers_of([BernoulliMixture(low=0.2, high=0.2, direction="both")] * 300)
    seen = alarms(columns, 0.2, 10_000, 1e3, np.random.default_rng(1)).sum()
    assert 1_000 * 0.9 < 300 * 10_000 / seen < 1_000 * 1.5
    found = delays(columns, 0.2, 0.1, 0, 1e3, np.random.default_rng(2))
    assert 50 < found.mean() < 110


@settings(max_examples=200)
@given(n=st.integers(1, 5000), part=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_exact_bounds_hold_their_estimate(n: int, part: float, level: float) -> None:
    ones = round(part * n)
    assert 0 <= lower_bound(ones, n, level) <= ones / n <= upper_bound(ones, n, level) <= 1
    # Swapping ones and zeros swaps the bounds.
    assert lower_bound(ones, n, level) == pytest.approx(1 - upper_bound(n - ones, n, level), abs=1e-9)


def test_exact_bounds_are_those_of_the_tables() -> None:
    found = interval(10, 100)
    assert (found.low, found.high) == pytest.approx((0.0490, 0.1762), abs=1e-4)
    assert lower_bound(0, 10, 0.95) == 0
    assert upper_bound(0, 10, 0.95) == pytest.approx(1 - 0.05 ** (1 / 10))
    with pytest.raises(ValueError, match="0 <= ones"):
        lower_bound(3, 2, 0.9)
