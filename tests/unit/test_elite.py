"""Who is elite: standings by use and seats, and the bar of the top tenth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.signals.elite import (
    BOARD,
    BOARD_ALONE,
    FEWEST_CUSTOMERS,
    HIGHEST,
    MONTH,
    TOP_SHARE,
    UNKNOWN,
    Counts,
    MonthlyBar,
    begin_month,
    seats_of,
    standing_of,
)


def test_use_is_that_of_three_months_and_scaled_before() -> None:
    marks: list[int] = []
    assert [begin_month(marks, used) for used in (100, 110, 130, 160, 200, 200)] == [
        *(None, 30.0, 45.0),
        *(60.0, 90.0, 70.0),
    ]
    assert len(marks) == 4


@pytest.mark.parametrize(
    ("seats", "counted"), [(4, 4.0), (2.5, 2.5), (0, 1.0), (None, 1.0), ("9", 1.0), (True, 1.0), (1e300, 1e6)]
)
def test_seats(seats: object, counted: float) -> None:
    assert seats_of({"seats": seats}) == counted


def test_twice_the_use_by_seat_is_eight_steps() -> None:
    once = standing_of({"seats": 10}, 200.0)
    assert standing_of({"seats": 10}, 400.0) == once + 8
    assert standing_of({"seats": 20}, 400.0) == once
    assert standing_of({"seats": 20}, 0.0) == 0


def test_the_board_stands_above_all() -> None:
    assert standing_of({"advisory_board": True}, None) == BOARD
    assert standing_of({"advisory_board": True}, 9.0) == BOARD + standing_of({}, 9.0)
    assert standing_of({"advisory_board": None}, None) == UNKNOWN


@given(use=st.floats(0, 1e18) | st.none(), seats=st.floats(0, 1e300), board=st.booleans() | st.none())
def test_a_standing_is_one_of_a_few_hundred(use: float | None, seats: float, board: bool | None) -> None:
    attributes: dict[str, Any] = {"seats": seats, "advisory_board": board}
    assert UNKNOWN <= standing_of(attributes, use) <= HIGHEST


@given(st.lists(st.integers(UNKNOWN, HIGHEST), max_size=200))
def test_at_most_a_tenth_stands_above_the_bar(standings: list[int]) -> None:
    counts = Counts()
    for standing in standings:
        counts.add(standing)
    known = [standing % BOARD for standing in standings if standing != UNKNOWN]
    above = sum(level >= counts.bar(alone=counts.board_speaks) for level in known)
    assert above <= TOP_SHARE * len(known)
    assert counts.bar(alone=counts.board_speaks) > 0
    board = sum(standing >= BOARD for standing in standings)
    if board >= BOARD_ALONE:
        assert counts.bar(alone=counts.board_speaks) == BOARD
    elif len(known) >= FEWEST_CUSTOMERS:
        # The next lower level would be too many, or is that of who does not use the product.
        lower = max((level for level in known if level < counts.bar(alone=counts.board_speaks)), default=0)
        assert not lower or sum(level >= lower for level in known) > TOP_SHARE * len(known)


def test_who_is_counted_out_again_never_makes_a_count_negative() -> None:
    counts = Counts()
    counts.add(40)
    counts.add(40, -1)
    counts.add(40, -1)
    counts.add(BOARD, -1)
    assert counts == Counts()


def test_a_board_of_twenty_is_the_elite_alone() -> None:
    counts = Counts()
    for level in range(1, 200):
        counts.add(level)
    for _ in range(BOARD_ALONE - 1):
        counts.add(BOARD + 3)
    assert counts.bar(alone=counts.board_speaks) < BOARD
    counts.add(BOARD + 3)
    assert counts.bar(alone=counts.board_speaks) == BOARD
    counts.add(BOARD + 3, -1)
    assert counts.bar(alone=counts.board_speaks) < BOARD


def test_a_board_that_grows_is_no_other_elite_while_a_baseline_rests_on_it() -> None:
    bar = MonthlyBar()
    for number in range(200):
        bar.take(number, 0.0, learning=True)
    for month in (1, 2):
        for _ in range(BOARD_ALONE):
            bar.take(BOARD, month * MONTH, learning=False)
        for number in range(200):
            bar.take(number, month * MONTH, learning=False)
        assert bar.bar is not None
        assert bar.bar < BOARD
    bar.take(50, 3 * MONTH, learning=True)
    assert bar.bar == BOARD


def test_a_month_is_judged_by_the_month_before() -> None:
    bar = MonthlyBar()
    first = [bar.take(10 + number, number * MONTH / 40, learning=True) for number in range(40)]
    assert set(first) == {None}
    assert bar.take(45, MONTH, learning=True) is False
    assert bar.bar == 46
    assert bar.take(46, MONTH, learning=True) is True
    assert bar.take(UNKNOWN, MONTH, learning=True) is False
    assert bar.take(BOARD, MONTH, learning=True) is True


def test_without_a_standing_nobody_knows() -> None:
    bar = MonthlyBar()
    assert [bar.take(UNKNOWN, month * MONTH, learning=True) for month in range(5)] == [None] * 5


def test_a_few_customers_have_the_board_alone() -> None:
    bar = MonthlyBar()
    for number in range(FEWEST_CUSTOMERS - 1):
        bar.take(number, 0.0, learning=True)
    assert bar.take(HIGHEST - BOARD, MONTH, learning=True) is False
    assert bar.take(BOARD, MONTH, learning=True) is True
