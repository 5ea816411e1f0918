"""A signal that rests is not told of what is none of its business; whether it rests changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.account_signals import Turn
from detectors.signals.contract import AccountFacts, AccountOutput
from detectors.signals.plg_adoption_breadth import CYCLE, WINDOW, AdoptionBreadth, _phase
from schemas.events import Event
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, T0, Account, product, profile

SIGNAL = AdoptionBreadth.configured(DriftSettings(), 16)


PHASE_IS_OUTSIDE = next(
    name for name in map(str, range(100)) if WINDOW < (T0 + _phase(name)) % CYCLE < CYCLE - WINDOW
)
"""An account that is not asked now while its tenure is not known."""


def since(day: float) -> str:
    return datetime.fromtimestamp(T0 + day * DAY, UTC).isoformat()


days = st.integers(0, 120).map(float) | st.floats(0, 240)
uses = st.builds(lambda day, feature: (day, "use", feature), days, st.sampled_from("abcdef"))
changes = st.one_of(
    st.builds(lambda day: (day, "signed_up", ""), days),
    st.builds(lambda day, other: (day, "customer_since", since(other)), days, days),
)
histories = st.tuples(st.lists(uses, min_size=4, max_size=30), st.lists(changes, min_size=1, max_size=4))


def events(history: tuple[list[tuple[float, str, str]], list[tuple[float, str, str]]]) -> list[Event]:
    """In order of their days, each use on ten mornings in a row: some days come late, by overlapping."""
    made = []
    for day, kind, what in sorted(history[0] + history[1]):
        at = T0 + day * DAY
        if kind == "use":
            made += [product(at + i * DAY, "used", feature=what) for i in range(10)]
        elif kind == "signed_up":
            made.append(product(at, "signed_up"))
        else:
            made.append(profile(at, customer_since=what))
    return made


def run(history: Sequence[Event]) -> tuple[bytes, list[Observation]]:
    account = Account(signals=[SIGNAL])
    account.take(*history)
    account.wait(account.watermark + CYCLE)
    return account.raw, account.effects.observations


@given(histories)
def test_a_rest_changes_nothing(
    history: tuple[list[tuple[float, str, str]], list[tuple[float, str, str]]],
) -> None:
    made = events(history)
    with patch.object(Turn, "rest", lambda self, until: None):
        without = run(made)
    assert run(made) == without


class Counting(AdoptionBreadth):
    """Counts the events that it is told of."""

    told = 0

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        self.told += 1
        super().on_event(facts, event, at, output)


def counting() -> tuple[Counting, Account]:
    signal = Counting.configured(DriftSettings(), 16)
    return signal, Account(signals=[signal])


def use(day: float) -> Event:
    return product(T0 + day * DAY, "used", feature="a")


def test_outside_of_its_four_weeks_an_account_is_left_alone() -> None:
    signal, account = counting()
    account.take(product(T0, "signed_up"), use(1))
    assert signal.told == 2
    after = WINDOW / DAY + 1
    account.take(use(after), use(after + 1), use(after + 100))
    assert signal.told == 3
    account.take(use(CYCLE / DAY + 1))
    assert signal.told == 4


@pytest.mark.parametrize("change", [profile(T0 + 3 * DAY, employees=7), product(T0 + 3 * DAY, "signed_up")])
def test_another_profile_or_a_milestone_ends_a_rest(change: Event) -> None:
    signal, account = counting()
    account.take(profile(T0, customer_since=since(-60)), use(1), use(2))
    assert signal.told == 1
    account.take(change)
    before = signal.told
    account.take(use(4))
    assert signal.told == before + 1


def test_a_late_event_is_told_in_spite_of_a_rest() -> None:
    signal, account = counting()
    account.take(profile(T0, customer_since=since(-60)), use(10), use(11))
    assert signal.told == 1
    account.take(use(9))
    assert signal.told == 2


def test_a_rest_ends_where_a_tenure_begins_that_is_still_ahead() -> None:
    signal = AdoptionBreadth.configured(DriftSettings(), 16)
    account = Account(name=PHASE_IS_OUTSIDE, signals=[signal])
    account.take(profile(T0, customer_since=since(5)), use(1), *(use(6 + i) for i in range(10)))
    account.wait(T0 + CYCLE)
    assert [each.began for each in account.effects.observations] == [T0 + 5 * DAY] * 2
