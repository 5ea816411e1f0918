"""Dispersion: 1 for independent observations, near the truth for others, and steady where there is little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sequential.dispersion import LARGEST, dispersion, poisson_dispersion


@given(groups=st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1)), max_size=60))
def test_it_is_a_number_from_one_up_whatever_comes(groups: list[tuple[int, float]]) -> None:
    weeks = [(n, round(n * part)) for n, part in groups]
    assert 1 <= dispersion(weeks) <= LARGEST
    assert 1 <= poisson_dispersion([(float(ones), n / 5) for n, ones in weeks]) <= LARGEST


def test_independent_weeks_are_hardly_widened_and_wobbling_ones_by_what_they_wobble() -> None:
    random = np.random.default_rng(1)
    for wobble, low, high in ((0.0, 1.0, 1.12), (0.04, 1.7, 2.4)):
        found = []
        for _ in range(200):
            level = np.clip(0.2 + wobble * random.normal(size=30), 0, 1)
            found.append(dispersion([(100, int(ones)) for ones in random.binomial(100, level)]))
        # 1 + (n - 1) * wobble**2 / (p q) is 1 and 1.99; shrinking takes an eighth of the excess.
        assert low <= np.mean(found) <= high


def test_events_that_come_in_threes_are_thrice_as_dispersed() -> None:
    random = np.random.default_rng(2)
    found = [poisson_dispersion([(3.0 * o, 30.0) for o in random.poisson(10, 40)]) for _ in range(100)]
    assert 2.5 < np.mean(found) < 3.0


def test_little_is_no_evidence_of_dispersion() -> None:
    assert dispersion([]) == dispersion([(10, 10), (5, 5)]) == dispersion([(10, 2), (10, 9)]) == 1
    assert poisson_dispersion([(0.0, 5.0), (0.0, 3.0)]) == 1


@pytest.mark.parametrize("groups", [[(3, 4)], [(3, -1)]])
def test_counts_that_cannot_be_are_refused(groups: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="a week needs"):
        dispersion(groups)
