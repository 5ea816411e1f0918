"""The decile e-detector by cohorts: bit by bit is as much as at once, and a start hears only of what began since."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sequential.decile_cohorts import MOST_STARTS, DecileCohorts, Known, StartsState
from detectors.sequential.decile_mixture import CUTS, PARTS, SHARES, DecileMixture

LAST = PARTS - 1


def tell(detector: DecileCohorts, state: StartsState, cohort: float, place: int, looks: list[int]) -> None:
    """A value that ends in part ``place``, as it becomes known after so many parts each."""
    beyond = 0
    for look in [*sorted(looks), LAST]:
        if look <= beyond:
            continue
        ended = place < look or place == look == LAST
        detector.update(state, Known(beyond, place if ended else look, ended), cohort)
        beyond = look
        if ended:
            return


@given(
    places=st.lists(st.integers(0, LAST), min_size=1, max_size=60),
    looks=st.lists(st.integers(1, LAST), max_size=6),
)
def test_bit_by_bit_says_what_the_whole_says(places: list[int], looks: list[int]) -> None:
    whole, by_cohort = DecileMixture.from_baseline(300), DecileCohorts.from_baseline(300)
    at_once, state = whole.new_state(), by_cohort.new_state()
    for at, place in enumerate(places):
        whole.update(at_once, place, at)
        tell(by_cohort, state, at, place, looks)
    assert by_cohort.statistic(state) == pytest.approx(whole.statistic(at_once), rel=1e-9)
    assert by_cohort.leading(state) == whole.leading(at_once)
    assert len(state.starts) == min(len(places), MOST_STARTS)


def test_what_began_before_says_nothing_of_a_later_start() -> None:
    detector = DecileCohorts.from_baseline(300)
    alone, among = detector.new_state(), detector.new_state()
    for _ in range(30):
        detector.update(among, Known(0, 3, ended=False), 0.0)
    for place in (0, 0, LAST, 0, LAST, 1, LAST, 0):
        tell(detector, alone, 7.0, place, [])
        tell(detector, among, 7.0, place, [])
    for _ in range(30):
        detector.update(among, Known(3, 6, ended=True), 0.0)
    (start,) = alone.starts
    assert among.starts[-1].evidence == start.evidence
    found = detector.change(among)
    assert found is not None
    assert (found.since, found.n) == (7.0, 8)


def test_what_opens_no_cohort_waits_for_none() -> None:
    """Of a value that was first told before the detector began, nothing is left that it could speak for."""
    detector = DecileCohorts.from_baseline(300)
    state = detector.new_state()
    detector.update(state, Known(2, 5, ended=True), 3.0)
    assert (state.starts, detector.change(state), detector.leading(state)) == ([], None, None)


def test_old_cohorts_become_one() -> None:
    detector = DecileCohorts.from_baseline(300)
    state = detector.new_state()
    for cohort in range(3 * MOST_STARTS):
        detector.update(state, Known(0, 4, ended=True), float(cohort))
    assert [start.at for start in state.starts] == [
        0.0,
        *map(float, range(2 * MOST_STARTS + 1, 3 * MOST_STARTS)),
    ]
    assert sum(start.n for start in state.starts) == 3 * MOST_STARTS


@pytest.mark.parametrize("known", DecileCohorts.examples()[0][2])
def test_what_is_known_only_grows(known: Known) -> None:
    detector = DecileCohorts.from_baseline(300)
    with pytest.raises(ValueError, match="only grows"):
        detector.update(detector.new_state(), known, 0.0)


def test_the_promise_is_kept_while_values_end_out_of_order() -> None:
    """Ten values a cohort; a part of a value is over after as many cohorts as it has number."""
    random, wanted = np.random.default_rng(4), 60.0
    detector = DecileCohorts.from_baseline(10**9)
    alarms = told = 0
    for _ in range(60):
        state, values = detector.new_state(), np.zeros((0, 2), dtype=int)
        for cohort in range(40):
            born = np.column_stack([np.full(10, cohort), random.choice(PARTS, size=10, p=SHARES)])
            values = np.concatenate([values, born])
            for began, place in values.tolist():
                over = cohort - began
                if over < LAST and place >= over:
                    detector.update(
                        state, Known(over, place if place == over else over + 1, place == over), began
                    )
            told += 10
            if detector.statistic(state) >= wanted:
                alarms += 1
                break
    assert told / max(alarms, 1) >= wanted
    assert alarms


def test_what_is_told_is_paid_for_however_much_that_is() -> None:
    """Shares that a baseline of 500 may hide: the mean of what was told of a value that has passed so many parts is at most 1
    for nine in ten of them, as the whole value's is."""
    whole, detector = DecileMixture.from_baseline(500), DecileCohorts.from_baseline(500)
    hidden = np.random.default_rng(2).dirichlet(501 * np.array(SHARES), size=4000)
    for number in range(1, PARTS):
        state = detector.new_state()
        detector.update(state, Known(0, number, ended=number == LAST), 0.0)
        for beyond, table in zip(state.starts[0].evidence, whole.tables, strict=True):
            told = np.array([*table[:number], *[beyond] * (PARTS - number)])
            assert np.mean(hidden @ told <= 1) >= 0.88
            # It costs less than the whole.
            assert beyond >= np.dot(SHARES[number:], table[number:]) / sum(SHARES[number:]) * (1 - 1e-12)


def test_the_cuts_are_those_of_the_shares() -> None:
    assert list(accumulate(SHARES))[:-1] == pytest.approx(CUTS)
