"""clg.support_burden, account half: who counts, how customers stand, and which tickets are told."""

from __future__ import annotations

from detectors.signals.clg_support_burden import CUSTOMER, LEFT, SEEN, TICKET, SupportBurden
from detectors.signals.elite import BOARD, MONTH, standing_of
from detectors.signals.known_tickets import MAX_KNOWN
from schemas.events import Event
from schemas.icp import load_icp
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, HEAD, HOUR, T0, VARIANT, Account, event, product, profile

SIGNAL = SupportBurden.configured(DriftSettings(), 12)
LIFE = "  converted: {event: product.event, name: paid}\n  churned: {event: product.event, name: cancelled}\n"
ICP = load_icp(
    HEAD.format(version="1", effective_from="2026-01-01T00:00:00Z").replace("variants:", LIFE + "variants:")
    + VARIANT
)
FIRST = (T0 // MONTH + 1) * MONTH
"""the first month that begins"""


def account(signal: SupportBurden = SIGNAL) -> Account:
    return Account(ICP, signals=[signal])


def told(made: Account, measure: str) -> list[Observation]:
    return [each for each in made.effects.observations if each.measure == measure]


def wrote(at: float, ticket_id: str = "", status: str = "open") -> Event:
    data = {"ticket_id": ticket_id or f"t{at}", "subject": "How?", "status": status}
    return event("support.ticket", at, data)


def customer(**attributes: object) -> Account:
    """Of old, with 90 product events in each month, counted in the census at FIRST + MONTH."""
    made = account()
    made.take(profile(T0, customer_since="2024-03-01T00:00:00Z", seats=30, **attributes))
    for day in range(int((FIRST - T0) / DAY), int((FIRST - T0) / DAY) + 30):
        made.take(*(product(T0 + day * DAY + hour * HOUR, "viewed") for hour in (1, 2, 3)))
    made.wait(FIRST + MONTH)
    return made


def test_a_customer_tells_its_standing_and_its_seats_at_the_beginning_of_each_month() -> None:
    made = customer()
    (first,) = told(made, CUSTOMER)
    assert (first.at, first.value, first.exposure) == (
        FIRST + MONTH,
        float(standing_of({"seats": 30}, 270)),
        30.0,
    )
    made.wait(FIRST + 3 * MONTH)
    assert [each.at for each in told(made, CUSTOMER)] == [FIRST + month * MONTH for month in (1, 2, 3)]
    assert told(made, CUSTOMER)[-1].value < first.value


def test_a_seat_on_the_board_counts_from_the_next_month_on() -> None:
    made = customer()
    made.take(profile(FIRST + MONTH + DAY, advisory_board=True), wrote(FIRST + MONTH + 2 * DAY))
    made.wait(FIRST + 2 * MONTH)
    assert told(made, TICKET)[0].value < BOARD
    assert told(made, CUSTOMER)[-1].value >= BOARD


def test_a_new_customer_counts_after_ninety_days() -> None:
    made = account()
    made.take(product(FIRST - DAY, "paid"), wrote(FIRST + DAY))
    made.wait(FIRST + 4 * MONTH)
    assert [each.at for each in told(made, CUSTOMER)] == [FIRST + 3 * MONTH, FIRST + 4 * MONTH]
    assert len(told(made, "new_customer")) == 1
    assert told(made, TICKET) == []


def test_who_is_no_customer_has_no_standing() -> None:
    made = account()
    made.take(product(T0, "signed_up"), wrote(T0 + DAY))
    made.wait(FIRST + 6 * MONTH)
    assert [each.measure for each in made.effects.observations] == [SEEN, "no_customer"]
    assert made.state.timers == {}


def test_a_burst_of_tickets_is_one_with_the_standing_of_its_first() -> None:
    made = customer()
    begun = FIRST + MONTH + DAY
    made.take(wrote(begun, "1"), wrote(begun + HOUR, "2"), wrote(begun + 2 * HOUR, "1", "solved"))
    made.take(wrote(begun + 60 * HOUR, "1", "solved"), wrote(begun + 70 * HOUR, "3"))
    made.wait(begun + 10 * DAY)
    assert [(each.began, each.at) for each in told(made, TICKET)] == [
        (begun, begun + HOUR + DAY),
        (begun + 70 * HOUR, begun + 70 * HOUR + DAY),
    ]
    assert {each.value for each in told(made, TICKET)} == {told(made, CUSTOMER)[0].value}
    assert {each.exposure for each in told(made, TICKET)} == {30.0}
    assert len(told(made, SEEN)) == 1


def test_the_tickets_of_ninety_days_are_told_with_the_census() -> None:
    made = customer()
    made.take(*(wrote(FIRST + MONTH + 3 * day * DAY) for day in range(1, 6)))
    made.wait(FIRST + 2 * MONTH)
    # Two months are known so far, so that five make seven and a half.
    assert [each.segments for each in told(made, CUSTOMER)] == [{"asked": "0"}, {"asked": "8"}]


def test_who_leaves_says_so_at_once_and_then_no_more() -> None:
    made = customer()
    gone = FIRST + MONTH + 4 * DAY
    made.take(product(gone, "cancelled"), wrote(gone + DAY))
    made.wait(gone + 300 * DAY)
    (left,) = told(made, LEFT)
    counted = told(made, CUSTOMER)[0]
    assert (left.at, left.value, left.exposure) == (gone, counted.value, counted.exposure)
    assert len(told(made, CUSTOMER)) == 1
    assert told(made, TICKET) == []
    assert made.state.timers == {}


def test_who_leaves_before_it_was_counted_leaves_nothing() -> None:
    made = account()
    made.take(product(T0, "paid"), product(T0 + 9 * DAY, "cancelled"), product(T0 + DAY, "paid"))
    made.wait(FIRST + 9 * MONTH)
    assert made.effects.observations == []


def test_customers_may_weigh_by_their_use() -> None:
    by_use = SupportBurden.configured(DriftSettings(support_exposure="usage"), 12)
    made = account(by_use)
    made.take(profile(T0, customer_since="2024-03-01T00:00:00Z", seats=30))
    made.take(*(product(FIRST + number * HOUR, "viewed") for number in range(1, 41)))
    made.wait(FIRST + MONTH)
    assert [each.exposure for each in told(made, CUSTOMER)] == [120.0]


def test_memory_is_bounded_and_outlives_the_process() -> None:
    made = customer()
    begun = FIRST + MONTH + HOUR
    made.take(*(wrote(begun + number) for number in range(2 * MAX_KNOWN)))
    made.state = made.stage.decode_state("a", made.raw)
    made.wait(begun + 9 * DAY)
    assert len(told(made, "too_many_tickets")) == MAX_KNOWN
    assert len(told(made, TICKET)) == 1
    assert len(made.raw) < 8_000
