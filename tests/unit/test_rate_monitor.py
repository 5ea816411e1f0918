"""The monitor of a share, standardised by strata: finds, dates, ends; mix is no drift; a stored one goes on the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.signals.monitor import Change
from detectors.signals.rate_monitor import RECENT_WEEKS, RateMonitor
from detectors.signals.rate_state import Mix, Unsteady, Way
from detectors.signals.slg_hedged_language import ENOUGH_ONES
from detectors.signals.strata import MAX_STRATA, NEWCOMER, Counts, Strata, learn, number_of, uncertainty
from schemas.duration import DAY
from tests.unit.rate_world import PROMISE, START, run, shares, stored_again

REPS = {f"rep{i}": (lambda day: 2.0) for i in range(5)}


def kinds(found: list[tuple[float, Change]]) -> list[str]:
    return [change.finding or change.kind for _, change in found]


@pytest.mark.parametrize("way", ["rise", "fall"])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_where_nothing_changes(way: Way, seed: int) -> None:
    monitor = RateMonitor(PROMISE, way)
    differing = {"rep0": 0.4, "rep1": 0.02}
    observations = shares(days=400, per_day=REPS, share=lambda rep, _: differing.get(rep, 0.15), seed=seed)
    assert run(monitor, observations) == []
    assert monitor.phase == "watching"
    assert monitor.missing == ""
    assert monitor.n == len(observations)


@pytest.mark.parametrize(
    ("way", "before", "after"), [("rise", 0.1, 0.25), ("fall", 0.2, 0.08), ("rise", 0.0, 0.08)]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_change_is_found_dated_and_measured(way: Way, before: float, after: float, seed: int) -> None:
    monitor = RateMonitor(PROMISE, way)
    observations = shares(
        days=320, per_day=REPS, share=lambda _, day: before if day < 210 else after, seed=seed
    )
    ((day, change),) = run(monitor, observations)
    assert change == Change("drifting")
    assert 210 < day < 290
    assert monitor.phase == "drifting"
    assert monitor.since is not None
    assert monitor.since_margin_days is not None
    assert abs((monitor.since - START) / DAY - 210) <= monitor.since_margin_days + 7
    assert monitor.now is not None
    assert monitor.before is not None
    assert monitor.now.low <= after <= monitor.now.high
    assert monitor.statistic >= monitor.threshold > 0
    assert monitor.mix_share == pytest.approx(0.0, abs=0.15)


def test_the_other_direction_never_alarms() -> None:
    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(days=300, per_day=REPS, share=lambda _, day: 0.3 if day < 150 else 0.05, seed=1)
    assert run(monitor, observations) == []


def test_a_drift_ends_and_can_come_again() -> None:
    monitor = RateMonitor(PROMISE, "rise")

    def share(rep: str, day: float) -> float:
        return 0.3 if 150 <= day < 230 or day >= 420 else 0.1

    observations = shares(days=500, per_day=REPS, share=share, seed=2)
    found = run(monitor, observations)
    assert kinds(found) == ["drifting", "resolved", "drifting"]
    assert 230 < found[1][0] < 300
    assert monitor.episode == 2


@pytest.mark.parametrize("seed", range(3))
def test_a_drift_that_comes_again_is_dated_after_the_end_of_the_last_one(seed: int) -> None:
    monitor = RateMonitor(PROMISE, "rise")

    def share(rep: str, day: float) -> float:
        return 0.3 if 150 <= day < 270 or day >= 330 else 0.1

    found = run(monitor, shares(days=390, per_day=REPS, share=share, seed=seed))
    assert kinds(found) == ["drifting", "resolved", "drifting"]
    assert monitor.since is not None
    assert monitor.since_margin_days is not None
    assert abs((monitor.since - START) / DAY - 330) <= monitor.since_margin_days + 7
    assert monitor.now is not None
    assert monitor.now.high > 0.3


def test_resolved_is_shown_for_four_weeks() -> None:
    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(
        days=400, per_day=REPS, share=lambda _, day: 0.3 if 150 <= day < 230 else 0.1, seed=2
    )
    phases: dict[str, list[float]] = {}
    for observation in observations:
        monitor.take(observation, may_freeze=True)
        phases.setdefault(monitor.phase, []).append(observation.at)
    assert (phases["resolved"][-1] - phases["resolved"][0]) / DAY == pytest.approx(28, abs=1)
    assert phases["watching"][-1] == observations[-1].at


@pytest.mark.parametrize("seed", range(3))
def test_a_newcomer_who_is_different_is_mix(seed: int) -> None:
    monitor = RateMonitor(PROMISE, "rise")
    flows = REPS | {"new": lambda day: 2.0 if day > 200 else 0.0}
    observations = shares(
        days=420, per_day=flows, share=lambda rep, _: 0.9 if rep == "new" else 0.1, seed=seed
    )
    ((day, change),) = run(monitor, observations)
    assert change.finding == "mix"
    assert isinstance(change.facts, Mix)
    assert day > 200
    assert monitor.phase == "watching"
    assert monitor.finding == "mix"


def test_a_drift_beneath_a_shift_of_the_mix_is_found_and_split() -> None:
    """One stratum grows that always had more ones, and all have more of them since the same day."""
    monitor = RateMonitor(PROMISE, "rise")
    flows = REPS | {"rep0": lambda day: 2.0 if day < 200 else 5.0}

    def share(rep: str, day: float) -> float:
        return (0.3 if rep == "rep0" else 0.1) * (1.0 if day < 200 else 2.2)

    found = run(monitor, shares(days=320, per_day=flows, share=share, seed=3))
    assert "drifting" in kinds(found)
    assert monitor.mix_share is not None
    assert 0.05 < monitor.mix_share < 0.6


def test_a_stretch_with_two_shares_is_no_baseline() -> None:
    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(days=120, per_day=REPS, share=lambda _, day: 0.1 if day < 20 else 0.3, seed=4)
    ((_, change),) = run(monitor, observations)
    assert change.finding == "unsteady baseline"
    assert isinstance(change.facts, Unsteady)
    assert change.facts.older.estimate < change.facts.newer.estimate
    assert monitor.before is not None
    assert monitor.before.estimate == pytest.approx(0.3, abs=0.06)


def test_learning_says_what_is_missing() -> None:
    monitor = RateMonitor(PROMISE, "rise")
    assert monitor.missing == "0 of 300 observations, 0 of 28 days"
    observations = shares(days=60, per_day=REPS, share=lambda *_: 0.1, seed=5)
    for observation in observations:
        if monitor.stored.watch is None:
            assert monitor.missing
        monitor.take(observation, may_freeze=observation.at > START + 40 * DAY)
    assert monitor.missing == ""


def test_a_monitor_that_was_stored_goes_on_as_the_one_that_was_kept() -> None:
    observations = shares(days=300, per_day=REPS, share=lambda _, day: 0.1 if day < 150 else 0.3, seed=6)
    whole, stored = RateMonitor(PROMISE, "rise"), RateMonitor(PROMISE, "rise")
    run(whole, observations)
    for start in range(0, len(observations), 173):
        run(stored, observations[start : start + 173])
        stored = stored_again(stored, "rise")
    assert msgspec.msgpack.encode(whole.stored) == msgspec.msgpack.encode(stored.stored)
    assert whole.stored.drift is not None


def test_two_that_learn_become_one() -> None:
    observations = shares(days=25, per_day=REPS, share=lambda *_: 0.2, seed=7)
    whole, one, other = (RateMonitor(PROMISE, "rise") for _ in range(3))
    run(whole, observations)
    run(one, [each for each in observations if each.stratum != "rep3"])
    run(other, [each for each in observations if each.stratum == "rep3"])
    one.absorb(other)
    assert (one.n, one.newest) == (whole.n, whole.newest)
    assert [(week.start, week.n, week.ones) for week in one.stored.weeks] == [
        (week.start, week.n, week.ones) for week in whole.stored.weeks
    ]
    assert {
        name: sum(week.parts.get(number_of(one.stored.strata, name), (0, 0))[0] for week in one.stored.weeks)
        for name in REPS
    } == {name: sum(each.stratum == name for each in observations) for name in REPS}


def test_relearning_takes_what_comes_next_as_normal() -> None:
    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(days=500, per_day=REPS, share=lambda _, day: 0.1 if day < 150 else 0.3, seed=8)
    half = len(observations) // 2
    assert kinds(run(monitor, observations[:half])) == ["drifting"]
    weeks = len(monitor.history)
    monitor.relearn(observations[half].at)
    assert monitor.missing
    assert len(monitor.history) == weeks
    assert run(monitor, observations[half:]) == []
    assert monitor.phase == "watching"
    assert monitor.before is not None
    assert monitor.before.estimate == pytest.approx(0.3, abs=0.06)
    assert monitor.episode == 1


def test_relearning_leaves_out_what_began_before_and_matures_later() -> None:
    monitor, changed = RateMonitor(PROMISE, "rise"), 150
    observations = shares(
        days=300,
        per_day=REPS,
        share=lambda _, day: 0.1 if day < changed else 0.3,
        seed=10,
        maturing_s=30 * DAY,
    )
    first = next(number for number, each in enumerate(observations) if each.at > START + changed * DAY)
    assert run(monitor, observations[:first]) == []
    monitor.relearn(observations[first].at)
    assert run(monitor, observations[first:]) == []
    assert monitor.before is not None
    assert monitor.before.estimate == pytest.approx(0.3, abs=0.06)


def test_weekends_and_growth_move_nothing() -> None:
    def flow(day: float) -> float:
        weekend = 0.4 if day % 7 >= 5 else 1.0
        return weekend * 2.0 * float(1.005**day)

    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(days=350, per_day=dict.fromkeys(REPS, flow), share=lambda *_: 0.2, seed=9)
    assert run(monitor, observations) == []


@given(
    st.dictionaries(
        st.integers(0, 9), st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=10
    )
)
def test_shares_are_shrunk_towards_the_whole(counted: dict[int, tuple[int, float]]) -> None:
    strata = Strata()
    for number in range(1, 10):
        number_of(strata, f"s{number}")
    counts = {number: Counts(n, round(n * share)) for number, (n, share) in counted.items()}
    learn(strata, counts)
    ones, n = sum(each.ones for each in counts.values()), sum(each.n for each in counts.values())
    whole = min(max(ones, 0.5), n - 0.5) / n
    for number, each in counts.items():
        share = strata.shares[number]
        if share is None:  # hardly known: a newcomer, who has been met already
            assert each.n < NEWCOMER
            assert strata.seen[number] == each
            continue
        assert 0 < share < 1
        own = each.ones / each.n
        assert min(own, whole) - 1e-12 <= share <= max(own, whole) + 1e-12
    assert uncertainty(strata, dict.fromkeys(counts, 10)) > 0


def test_strata_are_bounded() -> None:
    strata = Strata()
    numbers = {number_of(strata, f"stratum {i}") for i in range(1000)}
    assert len(strata.names) == MAX_STRATA
    assert numbers == set(range(MAX_STRATA))
    assert number_of(strata, "x" * 65) == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_part_that_the_baseline_hardly_knew_is_no_drift_when_it_grows(seed: int) -> None:
    """Newcomers ask for the basics, and there were a handful in the baseline: chance said what they ask."""
    monitor = RateMonitor(PROMISE, "rise")
    observations = shares(
        days=400,
        per_day={"old": lambda _: 8.0, "new": lambda day: 0.1 if day < 60 else 6.0},
        share=lambda part, _: {"old": 0.08, "new": 0.5}[part],
        seed=seed,
    )
    found = [change.finding or change.kind for _, change in run(monitor, observations)]
    assert "drifting" not in found
    assert monitor.stored.strata.shares[number_of(monitor.stored.strata, "new")] == pytest.approx(
        0.5, abs=0.25
    )


def test_a_baseline_grows_while_nothing_happens() -> None:
    quiet = shares(days=400, per_day=REPS, share=lambda *_: 0.06, seed=1)
    small, large = RateMonitor(PROMISE, "rise"), RateMonitor(PROMISE, "rise", grows_to=ENOUGH_ONES)
    assert run(small, quiet) == run(large, quiet) == []
    assert small.stored.watch is not None
    assert large.stored.watch is not None
    first, grown = small.stored.watch.baseline, large.stored.watch.baseline
    assert grown.start == first.start
    assert grown.ones >= ENOUGH_ONES
    assert grown.n < 4 * ENOUGH_ONES / 0.06
    assert grown.high < first.high
    shares_of = [share for share in large.stored.strata.shares if share is not None]
    assert shares_of == pytest.approx([grown.ones / grown.n] * len(REPS), abs=0.02)
    # Once it no longer grows, strata of the last weeks only are kept.
    assert sum(bool(week.parts) for week in large.stored.weeks) <= RECENT_WEEKS + 2


def test_a_baseline_does_not_grow_by_a_drift() -> None:
    monitor = RateMonitor(PROMISE, "rise", grows_to=ENOUGH_ONES)
    changed = shares(days=400, per_day=REPS, share=lambda _, day: 0.03 if day < 60 else 0.09, seed=2)
    found = run(monitor, changed)
    assert kinds(found) == ["drifting"]
    assert monitor.stored.watch is not None
    assert (monitor.stored.watch.baseline.end - START) / DAY < 75
    assert monitor.stored.watch.baseline.ones / monitor.stored.watch.baseline.n < 0.045
