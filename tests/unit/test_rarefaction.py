"""Breadth and depth by rarefaction: exact, and blind to the amount of use."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rarefaction import breadth, depth

few_uses = st.lists(st.integers(1, 4), min_size=1, max_size=4).filter(lambda counts: sum(counts) >= 3)
any_uses = st.lists(st.integers(0, 500), min_size=1, max_size=40).filter(lambda counts: sum(counts) >= 10)


def every_draw(counts: list[int], draws: int) -> tuple[float, float]:
    """Breadth and depth by looking at every way to draw."""
    uses = [feature for feature, count in enumerate(counts) for _ in range(count)]
    drawn = [Counter(each).most_common() for each in combinations(uses, draws)]
    distinct = sum(len(each) for each in drawn) / len(drawn)
    top_two = sum(sum(count for _, count in each[:2]) for each in drawn) / len(drawn) / draws
    return distinct, top_two


@given(few_uses)
def test_they_are_the_averages_over_every_draw(counts: list[int]) -> None:
    assert (breadth(counts, 3), depth(counts, 3)) == pytest.approx(every_draw(counts, 3))


@given(any_uses)
def test_they_stay_within_their_bounds(counts: list[int]) -> None:
    assert 1 - 1e-9 <= breadth(counts) <= min(10, sum(count > 0 for count in counts)) + 1e-9
    assert 0.2 - 1e-9 <= depth(counts) <= 1 + 1e-9


@given(any_uses, st.randoms(use_true_random=False))
def test_the_order_of_the_features_and_those_never_used_change_nothing(
    counts: list[int], order: random.Random
) -> None:
    shuffled = [*counts, 0, 0]
    order.shuffle(shuffled)
    assert breadth(shuffled) == pytest.approx(breadth(counts))
    assert depth(shuffled) == pytest.approx(depth(counts))


def test_one_feature_is_all_depth() -> None:
    assert breadth([12]) == 1
    assert depth([12]) == 1
    assert depth([6, 6]) == pytest.approx(1)


@settings(max_examples=20)
@given(st.lists(st.integers(5, 50), min_size=2, max_size=8))
def test_ten_times_the_activity_hardly_moves_them(counts: list[int]) -> None:
    """The plain number of features and the plain share of the two commonest would move with it."""
    more = [10 * count for count in counts]
    assert breadth(more) == pytest.approx(breadth(counts), rel=0.1)
    assert depth(more) == pytest.approx(depth(counts), rel=0.1)


@pytest.mark.parametrize("counts", [[], [0, 0], [9], [3, 6]])
def test_too_few_uses_are_refused(counts: list[int]) -> None:
    for measure in (breadth, depth):
        with pytest.raises(ValueError, match="can't be drawn"):
            measure(counts)
