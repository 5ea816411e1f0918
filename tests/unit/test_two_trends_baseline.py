"""What the monitor of two trends freezes: bins by stratum that promise the same whatever the mix, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.signals.clg_roadmap_onboarding import (
    COMPLEXITY,
    ONBOARDING,
    WANTED_ONBOARDINGS,
    WANTED_RELEASES,
)
from detectors.signals.two_trends_monitor import LONGEST_DAYS
from detectors.signals.two_trends_state import (
    Baseline,
    TrendWeek,
    TwoTrendsState,
    category_of,
    detector_of,
    freeze,
    learn,
    place_of,
    sure_of,
)
from schemas.alerts import DriftAlert, Notice
from schemas.observations import Observation
from tests.unit.account_world import DAY, T0
from tests.unit.judging import judge
from tests.unit.onboarding_world import SIGNAL, firm, more_complex, slow

HORIZON_DAYS = 60.0


def onboarded(n: int, never: float, seed: int) -> list[float]:
    random = np.random.default_rng(seed)
    took = np.minimum(random.lognormal(2.0, 1.0, n), HORIZON_DAYS)
    return [float(each) for each in np.where(random.random(n) < never, HORIZON_DAYS, took)]


def baseline(strata: dict[str, list[float]]) -> tuple[Baseline, TrendWeek]:
    state, week = TwoTrendsState(learn_from=T0), TrendWeek(T0, 0, 0, 0.0)
    for stratum, values in strata.items():
        week.parts[0][stratum] = len(values)
        for number, value in enumerate(values):
            learn(state.learned[0], stratum, T0 + number * DAY / 10, value)
            n, total, squares = week.sums[0]
            week.sums[0] = n + 1, total + value, squares + value * value
    found = freeze(state, 0, 1, [week])
    assert found is not None
    return found, week


def never_onboarded(observations: list[Observation], share: float) -> list[Observation]:
    """Of small accounts ``share`` is never onboarded; of large ones half as many."""
    random = np.random.default_rng(7)
    for each in observations:
        missing = share if each.stratum == "up to 100" else share / 2
        if each.measure == ONBOARDING and random.random() < missing:
            each.value = HORIZON_DAYS
    return observations


@pytest.mark.parametrize("ended", [True, False])
def test_in_each_stratum_the_evidence_of_its_own_past_is_paid_for(ended: bool) -> None:
    """Strata of which more and of which fewer are never onboarded: a shift between them is no evidence."""
    found, _ = baseline({"large": onboarded(200, 0.2, 1), "small": onboarded(200, 0.5, 2)})
    detector = detector_of(found, 400, ended=ended)
    for stratum, counts in found.counts.items():
        first = category_of(found, stratum, -1.0)
        assert first is not None
        for table in detector.tables:
            own = table[first : first + len(counts)]
            mean = sum(n * each for n, each in zip(counts, own, strict=True)) / sum(counts)
            assert mean <= 1


def test_what_lies_above_all_that_was_seen_has_a_place_of_its_own() -> None:
    found, _ = baseline({"": [3.0, 4.0, 4.0, 5.0] * 6})
    assert category_of(found, "", 5.0) != category_of(found, "", 6.0) == category_of(found, "", 10.0)
    assert category_of(found, "another", 5.0) is None
    places = [place_of(found, category) for category in range(len(found.counts[""]))]
    assert places == sorted(places)
    assert places[-1] < 1


def test_a_baseline_is_worth_what_is_known_of_the_strata_that_come() -> None:
    found, week = baseline({"large": onboarded(50, 0.2, 1), "small": onboarded(350, 0.5, 2)})
    assert sure_of(found, 0, [week]) == pytest.approx(400, abs=1)
    larger = TrendWeek(T0, 0, 0, 0.0, parts=[{"large": 30}, {}])
    assert sure_of(found, 0, [larger]) == pytest.approx(50, abs=1)
    assert sure_of(found, 0, []) == 400


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_slower_ones_are_found_where_many_are_never_onboarded(seed: int) -> None:
    observations = firm(complexity=more_complex, slower=slow, seed=seed)
    _, alerts = judge(SIGNAL, never_onboarded(observations, 0.45))
    (drift,) = [alert for alert in alerts if isinstance(alert, DriftAlert)]
    told = (drift.at.timestamp() - T0) / DAY
    # The change, the horizon, and less than two months.
    assert 250 + HORIZON_DAYS < told < 250 + HORIZON_DAYS + 60


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_sizes_are_no_slower_ones_where_many_are_never_onboarded(seed: int) -> None:
    for share in (0.05, 0.8):

        def large(day: float, share: float = share) -> float:
            return 0.3 if day < 250 else share

        observations = firm(complexity=more_complex, large=large, seed=seed)
        _, alerts = judge(SIGNAL, never_onboarded(observations, 0.45))
        assert [type(alert) for alert in alerts] == [Notice]
        assert "complexity" in alerts[0].what


def test_learning_waits_for_a_good_baseline_but_not_for_ever() -> None:
    def learned(observations: list[Observation]) -> tuple[int, int, float]:
        state, _ = judge(SIGNAL, observations)
        watch = state.segments["all"].monitor.stored.watch
        onboardings, releases = (each.sums[0] for each in watch.baselines)
        return onboardings, releases, watch.baselines[1].per_day

    onboardings, releases, _ = learned(firm(days=300))
    assert onboardings >= WANTED_ONBOARDINGS
    assert releases >= WANTED_RELEASES
    seldom = [each for i, each in enumerate(firm(days=300)) if each.measure != COMPLEXITY or i % 5 == 0]
    _, few, per_day = learned(seldom)
    assert few < WANTED_RELEASES
    assert few / per_day >= LONGEST_DAYS - 21
