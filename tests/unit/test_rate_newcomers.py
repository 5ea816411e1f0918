"""Newcomers to a share, who are known less well than the whole: their own chance is no drift, and what they do later is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sequential.bernoulli_mixture import MixtureState
from detectors.sequential.exposure_mixture import ExposureState
from detectors.signals.rate_baseline import null_share
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateBaseline, RateWatch
from detectors.signals.slg_hedged_language import ENOUGH_ONES
from detectors.signals.strata import (
    MAX_STRATA,
    NEWCOMER,
    Counts,
    Strata,
    is_newcomer,
    learn,
    make_room,
    meet,
    number_of,
    uncertainty,
)
from tests.unit.rate_world import PROMISE, run, shares, stored_again

Share = Callable[[str, float], float]
TEAM: Mapping[str, Callable[[float], float]] = {f"rep{i}": (lambda _: 2.5) for i in range(3)}


def joined_by(per_day: float, since: float = 180.0) -> Mapping[str, Callable[[float], float]]:
    return {**TEAM, "new": lambda day: per_day if day > since else 0.0}


def drifts(
    flows: Mapping[str, Callable[[float], float]], share: Share, *, days: int, seed: int
) -> list[float]:
    """Days on which a monitor says that the share drifts."""
    monitor = RateMonitor(PROMISE, "rise", grows_to=ENOUGH_ONES)
    told = run(monitor, shares(days=days, per_day=flows, share=share, seed=seed))
    return [day for day, change in told if change.kind == "drifting"]


@pytest.mark.parametrize("seed", range(8))
def test_a_large_newcomer_whose_first_observations_were_chance_is_no_drift(seed: int) -> None:
    assert drifts(joined_by(7.5), lambda rep, _: 0.95 if rep == "new" else 0.1, days=260, seed=seed) == []


@pytest.mark.parametrize("seed", range(1, 4))
def test_who_joins_when_all_names_are_taken_is_a_newcomer_too(seed: int) -> None:
    """A dozen sellers at a time, each for four months: the sixty-fourth joins in the second year."""
    here = {f"rep{i}": (lambda day, i=i: float(i * 10 - 120 <= day < i * 10)) for i in range(110)}
    monitor = RateMonitor(PROMISE, "rise", grows_to=ENOUGH_ONES)
    told = shares(days=980, per_day=here, share=lambda rep, _: 0.9 if rep == "rep85" else 0.1, seed=seed)
    found = run(monitor, told)
    assert {(change.kind, change.finding) for _, change in found} <= {("noticed", "mix")}
    names = monitor.stored.strata.names
    assert len(names) == MAX_STRATA
    assert {f"rep{i}" for i in range(99, 109)} <= {*names}


def test_a_name_is_taken_only_from_who_has_not_been_seen() -> None:
    strata = Strata()
    numbers = {
        name: number_of(strata, name) for name in [*(f"rep{i}" for i in range(MAX_STRATA - 1)), "more"]
    }
    assert numbers["more"] == 0
    learn(strata, {number: Counts(40, 4) for number in numbers.values()})
    make_room(strata, {*numbers.values()} - {numbers["rep7"]})
    assert number_of(strata, "rep6") == numbers["rep6"]
    assert strata.shares[numbers["rep6"]] is not None
    assert number_of(strata, "more") == numbers["rep7"]
    assert strata.shares[numbers["rep7"]] is None
    assert number_of(strata, "rep7") == 0


@pytest.mark.parametrize("seed", [17, 53, 61, 67, 98])
def test_a_newcomer_who_joins_while_the_baseline_grows_stays_one(seed: int) -> None:
    """Of these baselines the newcomer is a small part, shrunk to half of its share."""
    assert drifts(joined_by(7.5), lambda rep, _: 0.3 if rep == "new" else 0.1, days=300, seed=seed) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_newcomer_who_changes_later_is_found(seed: int) -> None:
    (day,) = drifts(
        joined_by(2.5), lambda rep, day: 0.6 if rep == "new" and day >= 240 else 0.1, days=330, seed=seed
    )
    assert 240 < day < 290


@pytest.mark.parametrize("seed", range(3))
def test_a_change_of_all_is_found_where_one_has_just_joined(seed: int) -> None:
    (day,) = drifts(joined_by(2.5), lambda _, day: 0.1 if day < 195 else 0.25, days=300, seed=seed)
    assert 195 < day < 245


@pytest.mark.parametrize("seed", range(3))
def test_a_team_of_newcomers_is_quiet_until_it_changes(seed: int) -> None:
    flows = {f"old{i}": (lambda day: 2.5 if day < 200 else 0.0) for i in range(3)}
    flows |= {f"new{i}": (lambda day, since=180 + 5 * i: 2.5 if day >= since else 0.0) for i in range(3)}
    (day,) = drifts(flows, lambda _, day: 0.1 if day < 300 else 0.25, days=380, seed=seed)
    assert 300 < day < 360


def test_a_newcomer_is_met_until_it_is_known_as_well_as_the_whole() -> None:
    monitor = RateMonitor(PROMISE, "rise", grows_to=ENOUGH_ONES)
    observations = shares(days=900, per_day=joined_by(2.5), share=lambda *_: 0.2, seed=1)
    for start in range(0, len(observations), 500):
        assert run(monitor, observations[start : start + 500]) == []
        monitor = stored_again(monitor, "rise", grows_to=ENOUGH_ONES)
    strata, told = monitor.stored.strata, sum(each.stratum == "new" for each in observations)
    new, watch = number_of(strata, "new"), monitor.stored.watch
    share = strata.shares[new]
    assert is_newcomer(strata, new)
    assert not is_newcomer(strata, number_of(strata, "rep0"))
    assert 4 * NEWCOMER < strata.seen[new].n < 0.75 * told
    assert share == pytest.approx(0.2, abs=0.05)
    assert watch is not None
    assert null_share("rise", watch, share, strata.worth[new]) == share


def test_a_newcomer_pays_for_itself_alone() -> None:
    strata = Strata()
    old, new = number_of(strata, "old"), number_of(strata, "new")
    learn(strata, {old: Counts(300, 30)})
    before = uncertainty(strata, {old: 100})
    for place in range(NEWCOMER):
        meet(strata, new, int(place < 20))
    assert uncertainty(strata, {old: 100, new: 500}) == pytest.approx(before)
    share, worth = strata.shares[new], strata.worth[new]
    # Growing baselines leave it as it is, also where most of their strata are small.
    learn(strata, {old: Counts(25, 3), new: Counts(400, 40)})
    assert (strata.shares[new], strata.worth[new]) == (share, worth)
    assert strata.shares[old] is not None


@given(
    n=st.integers(NEWCOMER, 5000),
    part=st.floats(0, 1),
    low=st.floats(0.3, 1),
    high=st.floats(1, 3),
    dispersion=st.floats(1, 5),
)
def test_the_null_of_a_newcomer_is_never_nearer_than_the_one_of_the_whole(
    n: int, part: float, low: float, high: float, dispersion: float
) -> None:
    ones = round(n * part)
    share, worth = (ones + 1) / (n + 2), n + 2.0
    rise, fall = (null_share(way, watching(low, high, dispersion), share, worth) for way in ("rise", "fall"))
    assert 0 < fall <= share <= rise < 1
    mirrored = null_share("fall", watching(1 / high, 1 / low, dispersion), 1 - share, worth)
    assert mirrored == pytest.approx(1 - rise, abs=1e-9)


def watching(low: float, high: float, dispersion: float) -> RateWatch:
    baseline = RateBaseline(0.0, 1.0, 300, 30, low, high, 10.0, dispersion)
    return RateWatch(baseline, low, high, 1e5, ExposureState([]), MixtureState([]))
