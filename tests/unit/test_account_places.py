"""The place of an account in its lists is the same however its events fall into batches."""

from __future__ import annotations

import pytest

from detectors.accounts import AccountStage
from detectors.effects import Effects, Listing
from tests.unit.account_world import GOOD, LATE_AFTER, T0, Account, event, icp, product, profile


@pytest.mark.parametrize("batches", [[2], [1, 1]])
def test_two_profiles_give_the_newer_one_s_place(batches: list[int]) -> None:
    stage = AccountStage([icp()], (), LATE_AFTER)
    state = stage.new_state("a")
    profiles = [
        event("account.profile", T0, {"attributes": {"sales_reps": 5}}),
        event("account.profile", T0 + 60, {"attributes": GOOD}),
    ]
    listing: Listing | None = None
    for size in batches:
        effects = Effects()
        for _ in range(size):
            each = profiles.pop(0)
            stage.step("a", state, each, each.time.timestamp(), effects)
        stage.finish(effects)
        (listing,) = effects.listings
    assert listing is not None
    assert (listing.at, listing.fit, listing.trigger) == (T0 + 60, 90.0, 0.0)


def test_a_profile_that_lets_a_trigger_count_no_more_moves_the_place() -> None:
    gated = icp(
        """
  - name: main
    fit:
      - {name: reps, when: {sales_reps: {at_least: 20}}, weight: 90, because: "Reps ask daily"}
    triggers:
      - {name: export, when: {event: product.event, name: export, account: {tier: team}}, weight: 20, half_life: 7d, because: "They outgrow it"}
"""
    )
    account = Account(gated)
    places = []
    for each in (
        profile(T0, tier="team"),
        product(T0 + 60, "export"),
        profile(T0 + 120, tier="free"),
        profile(T0 + 180, tier="team"),
    ):
        account.effects = Effects()
        account.take(each)
        account.stage.finish(account.effects)
        places += [listing.trigger for listing in account.effects.listings]
    assert places == [0.0, pytest.approx(20.0), 0.0, pytest.approx(20.0, rel=1e-3)]
