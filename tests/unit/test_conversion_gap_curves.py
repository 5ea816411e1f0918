"""What a verdict of plg.conversion_gap is compared by: accounts day by day, before and now, and referral in the same weeks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from detectors.sequential.product_limit import Curve, product_limit
from detectors.signals.contract import Verdict
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.duration import DAY
from tests.unit.conversion_gap_world import START, company, observe, run

SIGNAL = ConversionGap(monitors=1)
FELL = 250
BEFORE, AFTER = 0.3, 0.1


@cache
def verdicts(name: str) -> dict[str, Verdict]:
    converts: dict[str, Callable[[str, float], float]] = {
        "content falls": lambda source, day: AFTER if source == "content" and day >= FELL else BEFORE,
        "all falls": lambda source, day: AFTER if day >= FELL else BEFORE,
        "nothing falls": lambda source, day: BEFORE,
    }
    accounts = company(
        days=400,
        per_day=lambda source, day: 20.0,
        sources=("content", "referral"),
        activates=lambda source, day: 0.5,
        converts=converts[name],
        seed=3,
    )
    until = START + 400 * DAY
    told = [each for each in observe(SIGNAL, accounts) if each.at <= until]
    return {verdict.segment: verdict for verdict in SIGNAL.verdicts(run(SIGNAL, told)[0])}


def curves(verdict: Verdict) -> tuple[Curve, Curve]:
    assert verdict.followed is not None
    before, now = (product_limit(each.came, each.risked) for each in verdict.followed)
    return before, now


def paid_by(day: int, rate: float) -> float:
    """What the company pays by the end of a day since activating, by its exponential lag of 14 days."""
    return rate * (1 - 2.718281828 ** (-(day + 0.5) / 14))


def test_a_source_that_falls_is_followed_day_by_day_before_and_since() -> None:
    verdict = verdicts("content falls")["source:content"]
    assert verdict.state == "drifting"
    before, now = curves(verdict)
    assert len(before.share) == len(now.share) == 60
    for day in (7, 14, 30, 59):
        assert before.low[day] <= paid_by(day, BEFORE) <= before.high[day]
        assert now.low[day] <= paid_by(day, AFTER) <= now.high[day]
    assert verdict.followed is not None
    # Those that activated when it fell are older than the two horizons for which cohorts are known.
    assert verdict.followed[1].since == START + 280 * DAY


def test_where_nothing_falls_they_lie_on_each_other() -> None:
    before, now = curves(verdicts("nothing falls")["source:content"])
    for day in (7, 30, 59):
        assert before.low[day] <= now.share[day] <= before.high[day]


def test_nobody_is_in_both() -> None:
    verdict = verdicts("nothing falls")["all"]
    assert verdict.followed is not None
    before, now = verdict.followed
    accounts = company(
        days=400, per_day=lambda source, day: 20.0, sources=("content", "referral"),
        activates=lambda source, day: 0.5, converts=lambda source, day: BEFORE, seed=3,
    )  # fmt: skip
    activated = [each.milestones["activated"] for each in accounts if "activated" in each.milestones]
    since = [at for at in activated if before.since <= at < START + 400 * DAY]
    assert before.risked[0] + now.risked[0] <= len(since)


def test_referral_stands_beside_each_source_in_the_same_weeks() -> None:
    alone, all_of_them = verdicts("content falls"), verdicts("all falls")
    for verdict, level in ((alone["source:content"], BEFORE), (all_of_them["source:content"], AFTER)):
        beside = verdict.beside
        assert beside is not None
        assert beside.segment == "source:referral"
        assert beside.before.low <= BEFORE <= beside.before.high
        assert beside.now.estimate == pytest.approx(level, abs=0.07)
        assert beside.now.n > 100
    assert alone["all"].beside is None
    assert alone["source:referral"].beside is None


def test_while_it_is_learned_there_is_nothing_to_compare() -> None:
    (verdict,) = SIGNAL.verdicts(SIGNAL.new_state())
    assert verdict.followed is None
    assert verdict.beside is None
