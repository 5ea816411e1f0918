"""plg.conversion_gap, account half: what one account tells, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_measures import (
    ACTIVATED,
    ACTIVATION_SEEN,
    CONVERSION_SEEN,
    FOLLOWED,
    PAID,
    SALES_LED,
    SIGN_UP_SEEN,
)
from schemas.duration import DAY
from tests.unit.conversion_gap_world import START, Account, Collected, observe

SIGNAL = ConversionGap()
moments = st.none() | st.floats(0, 200)


def told(**days: float | None) -> dict[str, tuple[float, float, float]]:
    """measure -> (days until told, days until what it measures began, value)"""
    milestones = {name: START + at * DAY for name, at in days.items() if at is not None}
    observations = observe(SIGNAL, [Account("a", "content", milestones)])
    assert all(found.segments["source"] == "content" for found in observations)
    assert all((found.segments.get(FOLLOWED, "content")) == "content" for found in observations)
    assert len({found.measure for found in observations}) == len(observations)
    return {f.measure: ((f.at - START) / DAY, (f.began - START) / DAY, f.value) for f in observations}


def test_who_pays_within_the_horizon_counts_as_one_when_the_horizon_is_over() -> None:
    found = told(signed_up=0, activated=10, converted=70)
    assert found[PAID] == (70, 10, 1)
    assert found[ACTIVATED] == (30, 0, 1)
    assert found[SIGN_UP_SEEN] == (0, 0, 1)
    assert found[ACTIVATION_SEEN] == (10, 0, 1)
    assert found[CONVERSION_SEEN] == (70, 10, 1)


def test_who_pays_after_the_horizon_or_never_counts_as_zero() -> None:
    assert told(signed_up=0, activated=10, converted=70.01)[PAID] == (70, 10, 0)
    assert told(signed_up=0, activated=10)[PAID] == (70, 10, 0)
    assert told(signed_up=0, activated=30.01)[ACTIVATED] == (30, 0, 0)


def test_who_pays_before_or_when_activating_is_sales_led() -> None:
    for converted in (5, 10):
        found = told(signed_up=0, activated=10, converted=converted)
        assert PAID not in found
        assert found[SALES_LED] == (70, 10, 1)
        assert found[ACTIVATION_SEEN] == (10, 0, 0), "it is not at risk of paying"


def test_signing_up_and_activating_at_once_is_activation() -> None:
    found = told(signed_up=0, activated=0, converted=20)
    assert found[ACTIVATED] == (30, 0, 1)
    assert found[PAID] == (60, 0, 1)


def test_a_late_event_that_moves_a_milestone_moves_its_timer() -> None:
    output = Collected("a")
    SIGNAL.on_milestone(Account("a", "content", {"activated": START + 9 * DAY}), "activated", output)
    SIGNAL.on_milestone(Account("a", "content", {"activated": START + 4 * DAY}), "activated", output)
    assert output.timers == {PAID: START + 64 * DAY}


def test_what_happens_is_told_once_and_as_it_was_known_then() -> None:
    """A late event moves activation: the mature fact follows it, what was told at once stays."""
    output = Collected("a")
    account = Account("a", "unknown", {"activated": START + 9 * DAY})
    SIGNAL.on_milestone(account, "activated", output)
    account.source, account.milestones = "content", {"activated": START + 4 * DAY}
    SIGNAL.on_milestone(account, "activated", output)
    account.milestones = {**account.milestones, "converted": START + 20 * DAY}
    SIGNAL.on_milestone(account, "converted", output)
    account.milestones = {**account.milestones, "converted": START + 12 * DAY}
    SIGNAL.on_milestone(account, "converted", output)
    first, again, converted, once_more = output.observations
    assert (first.measure, first.value, first.began) == (ACTIVATION_SEEN, 1, START + 9 * DAY)
    assert (again.measure, again.value, again.at) == (ACTIVATION_SEEN, 0, START + 4 * DAY)
    assert (converted.began, converted.segments[FOLLOWED]) == (START + 9 * DAY, "unknown")
    assert FOLLOWED not in once_more.segments
    assert once_more.began == once_more.at == START + 12 * DAY


@given(signed_up=moments, activated=moments, converted=moments)
def test_every_activated_account_is_counted_once_or_counted_out(
    signed_up: float | None, activated: float | None, converted: float | None
) -> None:
    found = told(signed_up=signed_up, activated=activated, converted=converted)
    assert ((PAID in found) + (SALES_LED in found)) == (activated is not None)
    assert (ACTIVATED in found) == (signed_up is not None)
    assert (CONVERSION_SEEN in found) == (converted is not None)
    assert all(began <= at and value in (0, 1) for at, began, value in found.values())
