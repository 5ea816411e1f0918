"""The benchmark of scenarios: what is chosen, what a run holds, that the optimum is right where it can be calculated."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from bench.scenarios.__main__ import chosen
from bench.scenarios.optimum import BY_EXPOSURE, JUDGED, Optimum
from bench.scenarios.report import alarms, delay_of, report
from bench.scenarios.rounds import ICP_CHANGES, SETTINGS, Readings, Run, Said, Told, icps
from bench.scenarios.sizes import size_of
from detectors.catalogue import SIGNALS
from detectors.sequential.cohort_excess import SET_APART
from streams.simulation.scenarios import SCENARIOS


def made(said: list[Said], told: list[Told] | None = None, scenario: str = "slg-hedged-notes") -> Run:
    return Run(
        scenario=scenario,
        seed=1,
        said=said,
        told=told or [],
        missing={},
        ramp_days=0.0,
        events=1,
        seconds=1.0,
    )


def drifting(day: float, signal: str = "slg.hedged_language") -> Said:
    return Said(kind="drift", signal=signal, segment="all", what="drifting", day=day)


def hedged(day: float, value: float, *, inside: bool = True) -> Told:
    return Told("slg.hedged_language", "hedged", "", 1.0, value, day, day, inside)


def history(seed: int, before: float, after: float, *, inside: bool = True) -> list[Told]:
    draw = random.Random(seed)
    days = [each / 10 for each in range(-1500, 1500)]
    return [hedged(day, float(draw.random() < (before if day < 0 else after)), inside=inside) for day in days]


def test_the_optimum_is_what_the_information_says() -> None:
    runs = [made([], history(seed, 0.1, 0.3)) for seed in range(12)]
    delays = Optimum("slg.hedged_language", runs).delays()
    monitors = 12 * len(SIGNALS)
    information = 0.3 * math.log(3) + 0.7 * math.log(0.7 / 0.9)
    expected = math.log(10 * 365.25 * monitors) / information / 10
    # The statistic of Shiryaev and Roberts sums over all beginnings, which saves it a few observations.
    assert 0.6 * expected < sum(delays) / len(delays) < 1.15 * expected


def test_the_optimum_finds_nothing_where_nothing_changed() -> None:
    runs = [made([], history(seed, 0.1, 0.1)) for seed in range(12)]
    assert all(math.isinf(delay) for delay in Optimum("slg.hedged_language", runs).delays())


def test_the_optimum_looks_into_the_planted_segment_alone() -> None:
    diluted = [
        made([], history(seed, 0.1, 0.3) + history(seed + 50, 0.1, 0.1, inside=False)) for seed in range(6)
    ]
    clear = [made([], history(seed, 0.1, 0.3)) for seed in range(6)]
    assert Optimum("slg.hedged_language", diluted).delays() == Optimum("slg.hedged_language", clear).delays()


def test_the_measures_that_are_judged_are_the_signals_own() -> None:
    signals = {scenario.resembles for scenario in SCENARIOS.values()}
    assert set(JUDGED) | BY_EXPOSURE <= signals
    told = {name: getattr(SIGNALS[name], "measures", None) for name in JUDGED if name in SIGNALS}
    for name, measures in told.items():
        assert measures is None or {each for part in JUDGED[name] for each in part} <= set(measures), name


def test_a_signal_without_observations_has_no_optimum() -> None:
    assert Optimum("slg.hedged_language", [made([])]).delays() == [math.inf]


def test_an_alarm_before_the_change_is_no_find() -> None:
    run = made([drifting(-5), drifting(12), drifting(40)])
    assert alarms(run, "slg.hedged_language") == [-5, 12, 40]
    assert delay_of(run, "slg.hedged_language") == 12
    assert delay_of(made([drifting(3, "plg.conversion_gap")]), "slg.hedged_language") == math.inf


def test_the_ratio_is_of_the_seeds_in_which_both_find_the_change() -> None:
    name = "slg-hedged-notes"
    plain = made([drifting(30)], history(1, 0.1, 0.3))
    unlucky = made([drifting(90)], history(2, 0.1, 0.1))  # not to be found by the observations

    alone, with_unlucky = report({name: [plain]}), report({name: [plain, unlucky]})

    (soonest,) = Optimum("slg.hedged_language", [plain]).delays()
    assert f"| {30 / soonest:.2f} |" in alone.replace("*", "")
    assert "| 2 of 2 | 60, 90 |" in with_unlucky
    assert "(1 never) |" in with_unlucky
    assert "| never |" not in with_unlucky.replace("*", "")


def test_the_report_marks_what_was_missed_and_what_was_loud() -> None:
    told = [history(seed, 0.1, 0.3) for seed in (1, 2)]
    missed = report({"slg-hedged-notes": [made([drifting(30)], told[0]), made([], told[1])]})
    assert "| 1 of 2 | 30, 30 (1 never) |" in missed
    assert "**" in missed.splitlines()[2]
    name = "slg-hedging-rep-joins"
    quiet, loud = made([], scenario=name), made([drifting(4)], scenario=name)
    assert "| 2 of 2 |" in report({name: [quiet, quiet]})
    assert "| **1 of 2** | none | slg.hedged_language 1 | none |" in report({name: [quiet, loud]})
    ill = "data-notes-emptied"
    health = Said(kind="data_health", signal="data.health", segment="crm.stage_changed", what="ill", day=2.0)
    row = "| **1 of 2** | 2.0, 2.0 (1 never) | none | none |"
    assert row in report({ill: [made([health], scenario=ill), made([], scenario=ill)]})
    other = Said(kind="data_health", signal="data.health", segment="web.visit", what="ill", day=2.0)
    assert "| **0 of 1** | never | none | none |" in report({ill: [made([other], scenario=ill)]})
    assert "| 2 of 2 | none | none | in 1 runs |" in report({name: [quiet, made([other], scenario=name)]})


def test_scenarios_are_chosen_by_signal() -> None:
    found = chosen([], ["slg.hedged_language"])
    assert "slg-hedged-notes" in found
    assert "slg-wide-pipeline" in found
    assert "healthy" not in found
    assert chosen(["healthy", "data-crm-dies"], []) == ["healthy", "data-crm-dies"]
    assert set(chosen([], [])) >= {"healthy", "plg-silent-drift", "data-crm-dies"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_a_size(name: str) -> None:
    size = size_of(SCENARIOS[name])
    assert size.accounts >= 1000
    assert size.days >= 300


def test_the_stricter_file_follows_at_the_change_alone() -> None:
    begin, change = 1_700_000_000.0, 1_720_000_000.0
    (only,) = icps("healthy", begin, change)
    assert only.effective_from.timestamp() < begin
    first, second = icps(ICP_CHANGES, begin, change)
    assert second.effective_from.timestamp() == change
    assert second.version != first.version
    assert [v.alert.fit_at_least for v in second.variants] == [
        v.alert.fit_at_least + 20 for v in first.variants
    ]


def left(began: float, day: float, value: float) -> Told:
    return Told("clg.churn_cohorts", "customer_month", "others", 30.0, value, began, day, True)


def cohorts(seed: int, hazard: Callable[[float], float]) -> list[Told]:
    """Five customers a day, each told of once, 30 days after it was acquired."""
    draw = random.Random(seed)
    acquired = [each / 5 for each in range(-2000, 2000)]
    return [left(began, began + 30, float(draw.random() < hazard(began))) for began in acquired]


def test_the_optimum_of_churn_can_use_no_single_bad_stretch_of_cohorts() -> None:
    lasting = [made([], cohorts(seed, lambda began: 0.05 if began < 0 else 0.3)) for seed in range(6)]
    delays = Optimum("clg.churn_cohorts", lasting).delays()
    assert all(30 + 7 * SET_APART < delay < 120 for delay in delays)
    month = [made([], cohorts(seed, lambda began: 0.3 if 0 <= began < 31 else 0.05)) for seed in range(6)]
    assert all(math.isinf(delay) for delay in Optimum("clg.churn_cohorts", month).delays())


def test_tickets_are_told_to_the_optimum_as_the_signal_is_told_them() -> None:
    readings = Readings()
    example = SIGNALS["clg.support_burden"].configured(SETTINGS.drift, 1).healthy_example()
    tickets = [
        each for observation in example for each in readings.of(observation) if each.measure == "ticket"
    ]
    assert {each.value for each in tickets} == {0.0, 1.0}
    assert all(0 < each.exposure < 1 for each in tickets)
