"""Both of two: silent while one is, and dated by the later."""

from __future__ import annotations

import pytest

from detectors.sequential.bernoulli_mixture import BernoulliMixture
from detectors.sequential.conjunction import Conjunction, Of
from schemas.errors import StateRefused

FALL, RISE = BernoulliMixture(low=0.2, high=0.2), BernoulliMixture(low=0.2, high=0.2, direction="rise")


def test_one_alone_is_never_enough() -> None:
    both = Conjunction(FALL, RISE)
    state = both.new_state()
    for at in range(200):
        both.update(state, Of(0, 0.0), float(at))
        both.update(state, Of(1, float(at % 5 == 0)), float(at))
    assert FALL.statistic(state.first) > 1e5
    assert both.statistic(state) < 200


def test_both_together_are_dated_by_the_later_one() -> None:
    both = Conjunction(FALL, RISE, scales=(2.0, 0.5))
    state = both.new_state()
    for at in range(300):
        both.update(state, Of(0, 0.0 if at >= 100 else float(at % 5 == 0)), float(at))
        both.update(state, Of(1, 1.0 if at >= 200 else float(at % 5 == 0)), float(at))
    assert both.statistic(state) == min(2 * FALL.statistic(state.first), 0.5 * RISE.statistic(state.second))
    assert both.statistic(state) > 1e4
    change = both.change(state)
    assert change is not None
    assert 190 <= change.since <= 201


def test_a_state_of_which_one_half_is_foreign_is_refused() -> None:
    both, other = (
        Conjunction(FALL, RISE),
        Conjunction(FALL, BernoulliMixture(low=0.2, high=0.2, direction="both")),
    )
    with pytest.raises(StateRefused):
        other.decode_state(both.encode_state(both.new_state()))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scales_without_sense_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scales"):
        Conjunction(FALL, RISE, scales=(1.0, scale))
