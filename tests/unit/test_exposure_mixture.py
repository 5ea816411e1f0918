"""The exposure e-detector: its null at any share, its bounds, and that a moving share is no change."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sequential.binomial_interval import lower_bound, upper_bound
from detectors.sequential.exposure_mixture import Exposed, ExposureMixture, Stratum, rate_ratio_bound

shares = st.floats(0.02, 0.98)


@given(share=shares, low=st.floats(0.1, 3), more=st.floats(1, 3))
def test_no_alternative_gains_on_average_where_the_ratio_is_at_least_low(
    share: float, low: float, more: float
) -> None:
    detector = ExposureMixture(low=low, high=low)
    true = low * more * share / (low * more * share + 1 - share)
    means = [0.0] * len(detector.weights)
    for one, probability in ((0, 1 - true), (1, true)):
        state = detector.new_state()
        detector.update(state, Exposed(one, share), 0.0)
        # The first update leaves (0 + 1) * L.
        means = [m + probability * c.evidence for m, c in zip(means, state.components, strict=True)]
    assert all(mean <= 1 + 1e-9 for mean in means)


def test_elites_that_leave_are_no_change_but_elites_that_ask_less_are() -> None:
    rng = random.Random(1)
    detector = ExposureMixture(low=0.65, high=1.0)
    left, asked_less = detector.new_state(), detector.new_state()
    for at in range(600):
        share = 0.4 if at < 300 else 0.1
        null = 0.8 * share / (0.8 * share + 1 - share)
        detector.update(left, Exposed(int(rng.random() < null), share), float(at))
        ratio = 0.8 if at < 300 else 0.25
        null = ratio * 0.4 / (ratio * 0.4 + 0.6)
        detector.update(asked_less, Exposed(int(rng.random() < null), 0.4), float(at))
    assert detector.statistic(left) < 600
    assert detector.statistic(asked_less) > 10_000
    change = detector.change(asked_less)
    assert change is not None
    assert 250 < change.since < 350


@given(share=shares, n=st.integers(50, 2_000), part=st.floats(0.1, 0.9))
def test_with_one_stratum_the_bounds_are_those_of_a_share(share: float, n: int, part: float) -> None:
    ones = round(part * n)
    strata = [Stratum(share, n, ones)]

    def share_at(ratio: float) -> float:
        return ratio * share / (ratio * share + 1 - share)

    assert share_at(rate_ratio_bound(strata, 0)) == pytest.approx(ones / n, abs=1e-6)
    # The score test against the exact one.
    assert share_at(rate_ratio_bound(strata, -0.9)) == pytest.approx(lower_bound(ones, n, 0.9), abs=0.012)
    assert share_at(rate_ratio_bound(strata, 0.9)) == pytest.approx(upper_bound(ones, n, 0.9), abs=0.012)


def test_strata_without_sense_are_refused_and_empty_cells_are_not() -> None:
    with pytest.raises(ValueError, match="needs observations"):
        rate_ratio_bound([], 0.9)
    with pytest.raises(ValueError, match="stratum"):
        rate_ratio_bound([Stratum(1.0, 10, 5)], 0.9)
    with pytest.raises(ValueError, match="stratum"):
        rate_ratio_bound([Stratum(0.5, 10, 11)], 0.9)
    assert rate_ratio_bound([Stratum(0.5, 10, 0)], -0.9) == pytest.approx(1e-6)
    assert rate_ratio_bound([Stratum(0.5, 10, 10)], 0.9) == pytest.approx(1e6)
