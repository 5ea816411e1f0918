"""plg.ticket_comprehension, account half: which tickets are told, once, and what of them travels."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.signals.known_tickets import MAX_KNOWN
from detectors.signals.plg_ticket_comprehension import MAX_FEATURES, TicketComprehension
from detectors.text import MAX_TOKENS, ticket_tokens
from detectors.text.ticket_kinds import KINDS
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, HOUR, T0, Account, event, profile
from tests.unit.sales_world import observe
from tests.unit.ticket_world import customer, file, wrote

SIGNAL = TicketComprehension.configured(DriftSettings(), 24)


def told(*events: Any) -> list[Observation]:
    return [each for each in observe(SIGNAL, [events], file()) if each.measure != "ticket_seen"]


def kind_of(one: Observation) -> str:
    assert one.measure == "categorised"
    return KINDS[int(one.value)]


def test_a_ticket_is_told_when_its_burst_is_over() -> None:
    (one,) = told(*customer(T0, 10, wrote(T0, category=" Getting STARTED "), source="referral"))
    assert (one.began, one.at) == (T0, T0 + DAY)
    assert kind_of(one) == "basic_comprehension"
    assert one.segments == {"source": "referral"}
    assert one.stratum == "0-30"


@pytest.mark.parametrize("category", [{}, {"category": "not in the table"}])
def test_without_a_listed_category_the_text_decides(category: dict[str, str]) -> None:
    (one,) = told(*customer(T0, 10, wrote(T0, **category)))
    assert (one.measure, one.value) == ("by_text", 0.0)
    assert one.tokens == list(ticket_tokens("What is a workspace?"))
    assert one.phrases == ["what is"]


def test_phrases_are_those_of_who_may_ask_for_the_basics() -> None:
    for category, phrases in (("getting started", ["what is"]), ("billing", []), ("not listed", ["what is"])):
        (one,) = told(*customer(T0, 10, wrote(T0, category=category)))
        assert one.phrases == phrases


@pytest.mark.parametrize(
    ("days", "stratum"),
    [(30, "0-30"), (31, "31-90"), (91, "91-365"), (366, "over 365")],
)
def test_the_tenure_is_the_stratum(days: int, stratum: str) -> None:
    (one,) = told(*customer(T0, days, wrote(T0)))
    assert one.stratum == stratum


def test_who_has_no_tenure_is_left_out() -> None:
    assert [each.measure for each in told(wrote(T0))] == ["left_truncated"]
    since = profile(T0 - DAY, customer_since="2025-01-01T00:00:00Z")
    assert [each.stratum for each in told(since, wrote(T0))] == ["over 365"]


def test_later_events_of_a_ticket_are_no_tickets() -> None:
    (one,) = told(
        *customer(T0, 10, wrote(T0, number="4711", category="getting started")),
        wrote(T0 + 3 * DAY, number="4711", category="defect", status="solved"),
        wrote(T0 + 200 * DAY, number="4711", status="open again"),
    )
    assert kind_of(one) == "basic_comprehension"


def test_twenty_tickets_are_one_and_the_first_speaks_for_them() -> None:
    tickets = [
        wrote(T0 + number * 5 * HOUR, category="getting started" if number else "billing")
        for number in range(20)
    ]
    (one,) = told(*customer(T0, 10, *tickets))
    assert kind_of(one) == "billing"
    assert one.at == T0 + 95 * HOUR + DAY


def test_after_a_burst_comes_another() -> None:
    tickets = [wrote(T0 + number * 2 * DAY, category="billing") for number in range(3)]
    assert len(told(*customer(T0, 10, *tickets))) == 3
    endless = [wrote(T0 + number * 20 * HOUR) for number in range(20)]
    assert [each.at - each.began for each in told(*customer(T0, 10, *endless))] == [
        7 * DAY,
        7 * DAY,
        20 * HOUR + DAY,
    ]


def test_a_late_ticket_counts_while_its_burst_is_not_told() -> None:
    later, early = wrote(T0 + 10 * HOUR, category="billing"), wrote(T0, category="defect")
    (one,) = told(*customer(T0, 10, later, early))
    assert (kind_of(one), one.began) == ("bug", T0)
    after = wrote(T0 + 5 * DAY, category="integration")
    assert [kind_of(each) for each in told(*customer(T0, 10, later, after, early))] == [
        "billing",
        "integration",
    ]


def test_the_text_does_not_travel() -> None:
    text = "What is a workspace? Ask Jane Roe, jane.roe@customer.example, about order 4711 of the Phoenix project"
    (one,) = told(*customer(T0, 10, wrote(T0, text, body=text * 50)))
    travels = " ".join([*one.phrases, *one.segments.values(), one.stratum])
    for secret in ("Jane", "Roe", "customer", "4711", "Phoenix", "workspace"):
        assert secret.casefold() not in travels.casefold()
    assert len(one.tokens) <= MAX_TOKENS


def test_memory_is_bounded_and_a_flood_is_one() -> None:
    account = Account(file(), signals=[SIGNAL])
    account.take(*customer(T0, 10))
    flood = [wrote(T0 + number * 60, "word " * 2000, number=f"t{number}") for number in range(300)]
    solved = [wrote(T0 + 3 * DAY + number * HOUR, number=f"t{number}") for number in range(300)]
    account.take(*flood, *solved)
    assert len(account.raw) < 8_000
    account.wait(T0 + 90 * DAY)
    measures = [each.measure for each in account.effects.observations]
    assert measures.count("by_text") == 1
    assert measures.count("too_many_tickets") == 2 * (300 - MAX_KNOWN)


def test_tickets_that_nobody_touches_make_room() -> None:
    tickets = [wrote(T0 + number * 2 * DAY) for number in range(2 * MAX_KNOWN)]
    assert {each.measure for each in told(*customer(T0, 10, *tickets))} == {"by_text"}


def test_memory_outlives_the_process() -> None:
    account = Account(file(), signals=[SIGNAL])
    account.take(*customer(T0, 10, wrote(T0, number="1", category="billing")))
    account.state = account.stage.decode_state("a", account.raw)
    account.take(wrote(T0 + 2 * HOUR, number="2", category="defect"), wrote(T0 + 9 * DAY, number="1"))
    (one,) = [each for each in account.effects.observations if each.measure != "ticket_seen"]
    assert kind_of(one) == "billing"


def test_a_release_tells_its_features() -> None:
    features = ["bulk_export", "Assistant", "assistant", "v2", *(f"feature {'x' * n}" for n in range(1, 40))]
    release = event("product.released", T0, {"release": "r", "complexity": 3, "features": features})
    launched = told(release)
    assert {each.measure for each in launched} == {"launched"}
    assert [each.tokens for each in launched[:2]] == [
        list(ticket_tokens("bulk export")),
        list(ticket_tokens("assistant")),
    ]
    assert 10 < len(launched) <= MAX_FEATURES
