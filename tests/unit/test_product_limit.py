"""How many had got there by each day: the plain share where all were followed, and right where some were not."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.sequential.binomial_interval import interval
from detectors.sequential.product_limit import FEWEST_AT_RISK, product_limit

DAYS = 60
HAZARD = 0.003


def test_without_accounts_that_are_still_followed_it_is_the_share_with_its_exact_interval() -> None:
    came, risked, left = [3, 2, 0, 5, 1], [], 100
    for number in came:
        risked.append(left)
        left -= number
    curve = product_limit(came, risked)
    for day in range(5):
        exact = interval(sum(came[: day + 1]), 100)
        assert curve.share[day] == pytest.approx(exact.estimate)
        assert curve.low[day] == pytest.approx(exact.low)
        assert curve.high[day] == pytest.approx(exact.high)


def test_with_such_accounts_it_is_not_drawn_down_by_them_and_its_interval_holds() -> None:
    random = np.random.default_rng(1)
    true = 1 - (1 - HAZARD) ** DAYS
    histories, held, sums = 300, 0, 0.0
    for _ in range(histories):
        came, risked = np.zeros(DAYS, dtype=int), np.zeros(DAYS, dtype=int)
        for followed in range(1, 2 * DAYS):
            for got_there in random.geometric(HAZARD, 8) - 1:
                last = min(got_there, min(followed, DAYS) - 1)
                risked[: last + 1] += 1
                if got_there <= last:
                    came[got_there] += 1
        curve = product_limit(came.tolist(), risked.tolist())
        held += curve.low[-1] <= true <= curve.high[-1]
        sums += curve.share[-1]
    assert sums / histories == pytest.approx(true, rel=0.02)
    assert held / histories >= 0.93


@pytest.mark.parametrize(
    ("came", "risked", "share", "low", "high"),
    [
        ([0, 0], [50, 40], [0.0, 0.0], [0.0, 0.0], [0.0711, 0.0881]),
        ([10, 10], [20, 10], [0.5, 1.0], [0.2720, 0.6915], [0.7280, 1.0]),
    ],
)
def test_nobody_and_everybody(
    came: list[int], risked: list[int], share: list[float], low: list[float], high: list[float]
) -> None:
    curve = product_limit(came, risked)
    assert curve.share == pytest.approx(share)
    assert curve.low == pytest.approx(low, abs=1e-4)
    assert curve.high == pytest.approx(high, abs=1e-4)


def test_it_ends_where_too_few_are_followed() -> None:
    assert len(product_limit([1, 0, 1, 0], [40, 20, FEWEST_AT_RISK - 1, 30]).share) == 2
    assert product_limit([0, 0], [FEWEST_AT_RISK - 1, 0]).share == []
    assert product_limit([], []).share == []


@pytest.mark.parametrize(("came", "risked"), [([1], [0]), ([-1], [20]), ([1, 2], [20])])
def test_what_cannot_be_is_refused(came: list[int], risked: list[int]) -> None:
    with pytest.raises(ValueError, match="at most all at risk"):
        product_limit(came, risked)
