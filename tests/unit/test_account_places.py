"""The place of an account in its lists is the same however its events fall into batches."""

from __future__ import annotations

import pytest

from detectors.accounts import AccountStage
from detectors.effects import Effects, Listing
from tests.unit.account_world import GOOD, LATE_AFTER, T0, event, icp


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
