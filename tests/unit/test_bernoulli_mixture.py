"""The Bernoulli mixture e-detector: its recursion, its null, its dates, its promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.detection import detect
from detectors.sequential.bernoulli_mixture import CEILING, BernoulliMixture, Direction
from detectors.sequential.binomial_interval import interval, lower_bound, upper_bound

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


@given(values=st.lists(st.integers(0, 1), max_size=60), low=shares)
def test_the_recursion_is_the_sum_over_all_starts(values: list[int], low: float) -> None:
    detector = BernoulliMixture(low=low, high=low)
    wanted = sum(
        weight * sum(math.prod(ratios[x] for x in values[start:]) for start in range(len(values)))
        for weight, ratios in zip(detector.weights, detector.ratios, strict=True)
    )
    found = feed(detector, values)[-1] if values else 0.0
    assert found == pytest.approx(min(wanted, CEILING), rel=1e-9)


@given(values=st.lists(st.integers(0, 1), max_size=200), low=shares)
def test_the_restart_maximises_the_likelihood_over_alternatives_and_starts(
    values: list[int], low: float
) -> None:
    detector = BernoulliMixture(low=low, high=low)
    state = detector.new_state()
    for at, value in enumerate(values):
        detector.update(state, value, float(at))
    best = max(
        (
            sum(math.log(ratios[x]) for x in values[start:])
            for ratios in detector.ratios
            for start in range(len(values))
        ),
        default=0.0,
    )
    change = detector.change(state)
    if change is None:
        assert best <= 1e-9
        return
    start = int(change.since)
    assert (change.n, change.total) == (len(values) - start, sum(values[start:]))
    reached = max(sum(math.log(ratios[x]) for x in values[start:]) for ratios in detector.ratios)
    assert reached == pytest.approx(best, abs=1e-9)


def test_a_fall_detector_is_deaf_to_rises_and_the_other_way_round() -> None:
    ones, zeros = [1] * 200, [0] * 200
    assert max(feed(BernoulliMixture(low=0.2, high=0.2, direction="fall"), ones)) < 2
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
    detector = BernoulliMixture(low=0.17, high=0.2)
    share = np.concatenate([np.full(300, 0.2), np.full(2000, 0.05)])
    runs = detect(detector, share, 1e4, 1, np.random.default_rng(5))
    values = [int(u < s) for u, s in zip(_uniforms(5, len(share)), share, strict=True)]
    state = detector.new_state()
    for at, value in enumerate(values):
        detector.update(state, value, float(at))
        if detector.statistic(state) >= 1e4:
            break
    change = detector.change(state)
    assert change is not None
    assert runs.stopped[0] == at + 1
    assert (runs.since[0], runs.n[0], runs.ones[0]) == (change.since, change.n, change.total)


def _uniforms(seed: int, count: int) -> list[float]:
    random = np.random.default_rng(seed)
    return [float(random.random(1)[0]) for _ in range(count)]


def test_run_length_and_delay_are_near_what_was_promised() -> None:
    """0.2 -> 0.1 at threshold 1,000, so that it is quick: run length at least 1,000; bench/detection.py does 100,000."""
    detector = BernoulliMixture(low=0.2, high=1.0)
    healthy = detect(detector, np.full(20_000, 0.2), 1e3, 300, np.random.default_rng(1))
    run_length = healthy.stopped.sum() / healthy.alarmed.sum()
    fallen = detect(detector, np.full(3000, 0.1), 1e3, 500, np.random.default_rng(2))
    assert run_length > 1000 * 0.85
    assert fallen.alarmed.all()
    assert 80 < fallen.stopped.mean() < 130


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
