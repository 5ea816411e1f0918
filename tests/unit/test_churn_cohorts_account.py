"""clg.churn_cohorts, account half: which days at risk are told, of whom, and when."""

from __future__ import annotations

from detectors.signals.clg_churn_cohorts import CHURN_SEEN, CUSTOMER_MONTH, ChurnCohorts
from detectors.signals.elite import standing_of
from schemas.icp import ICP, load_icp
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, HEAD, T0, VARIANT, Account, product, profile

SIGNAL = ChurnCohorts.configured(DriftSettings(), 12)
MONTH = 30 * DAY


def icp(more: str = "") -> ICP:
    """With what converts and what churns; ``more`` lines for the top of the file."""
    head = HEAD.format(version="1", effective_from="2026-01-01T00:00:00Z")
    life = "  converted: {event: product.event, name: paid}\n  churned: {event: product.event, name: cancelled}\n"
    return load_icp(head.replace("variants:", life + more + "variants:") + VARIANT)


def account(more: str = "") -> Account:
    return Account(icp(more), signals=[SIGNAL])


def months(made: Account) -> list[Observation]:
    return [each for each in made.effects.observations if each.measure == CUSTOMER_MONTH]


def test_a_customer_tells_its_days_at_risk_every_thirty_days() -> None:
    made = account()
    made.take(product(T0, "paid"))
    made.wait(T0 + 100 * DAY)
    assert [(each.at, each.began, each.value, each.exposure) for each in months(made)] == [
        (T0 + number * MONTH, T0, 0.0, 30.0) for number in (1, 2, 3)
    ]
    assert months(made)[0].segments == {"source": "unknown", "era": "2026H1", "standing": "-1"}


def test_who_leaves_is_told_when_the_thirty_days_are_over_and_then_no_more() -> None:
    made = account()
    made.take(product(T0, "paid"), product(T0 + 40 * DAY, "cancelled"))
    assert [each.measure for each in made.effects.observations] == [CUSTOMER_MONTH, CHURN_SEEN]
    made.wait(T0 + 300 * DAY)
    assert [(each.at, each.value, each.exposure) for each in months(made)] == [
        (T0 + MONTH, 0.0, 30.0),
        (T0 + 2 * MONTH, 1.0, 10.0),
    ]
    assert made.state.timers == {}


def test_a_late_churn_ends_the_next_thirty_days_at_once() -> None:
    made = account()
    made.take(product(T0, "paid"), product(T0 + 35 * DAY, "invited"), product(T0 + 28 * DAY, "cancelled"))
    made.wait(T0 + 300 * DAY)
    assert [(each.value, each.exposure) for each in months(made)] == [(0.0, 30.0), (1.0, 0.0)]


def test_days_before_the_customer_was_heard_of_are_not_counted() -> None:
    made = account()
    made.take(profile(T0, customer_since="2024-03-01T00:00:00Z"))
    made.wait(T0 + 31 * DAY)
    (told,) = months(made)
    assert (told.at, told.exposure, told.segments["era"]) == (T0 + MONTH, 30.0, "2024H1")
    assert told.began < T0 - 700 * DAY


def test_the_date_of_acquisition_is_kept() -> None:
    made = account()
    made.take(product(T0, "paid"), profile(T0 + DAY, customer_since="2024-03-01T00:00:00Z"))
    made.take(product(T0 - 3 * DAY, "paid"))
    made.wait(T0 + 31 * DAY)
    assert [each.began for each in months(made)] == [T0]


def test_who_is_no_customer_tells_nothing() -> None:
    made = account()
    made.take(product(T0, "signed_up"), product(T0 + DAY, "invited"), profile(T0, advisory_board=True))
    made.take(profile(T0, customer_since="2027-03-01T00:00:00Z"))
    made.wait(T0 + 200 * DAY)
    assert made.effects.observations == []
    assert made.state.timers == {}


def test_who_has_left_before_it_is_heard_of_is_no_customer() -> None:
    made = account()
    made.take(product(T0, "cancelled"), product(T0 - 9 * DAY, "paid"))
    made.wait(T0 + 100 * DAY)
    assert [each.measure for each in made.effects.observations] == [CHURN_SEEN]


def test_the_elite_is_who_was_so_when_the_days_began() -> None:
    made = account()
    made.take(product(T0, "paid"), profile(T0 + 10 * DAY, advisory_board=True))
    made.take(profile(T0 + 70 * DAY, advisory_board=None))
    made.wait(T0 + 121 * DAY)
    assert [each.stratum for each in months(made)] == ["others", "elite", "elite", "others"]


def test_the_use_of_the_months_before_is_told() -> None:
    made = account()
    made.take(product(T0, "paid"), profile(T0, seats=4))
    for day in range(1, 120):
        made.take(product(T0 + day * DAY, "viewed"))
    made.wait(T0 + 181 * DAY)
    told = [each.segments["standing"] for each in months(made)]
    a_day = str(standing_of({"seats": 4}, 90.0))
    assert told[:2] == ["-1", a_day]
    assert told[2:4] == [a_day, a_day]
    assert int(told[5]) < int(a_day)


def test_the_communitys_date_gives_the_era() -> None:
    made = account("community_since: 2025-08-01T00:00:00Z\n")
    made.take(product(T0, "paid"))
    made.wait(T0 + 31 * DAY)
    assert months(made)[0].segments["era"] == "suspect"


def test_memory_is_small_and_outlives_the_process() -> None:
    made = account()
    made.take(product(T0, "paid"))
    made.state = made.stage.decode_state("a", made.raw)
    for number in range(300):
        made.take(product(T0 + number * DAY, "cancelled" if number == 250 else "paid"))
    assert len(made.raw) < 6_000
    made.wait(T0 + 400 * DAY)
    assert [each.value for each in months(made)] == [0.0] * 8 + [1.0]
