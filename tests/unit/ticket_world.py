"""Tickets in miniature: accounts of a tenure write them, the real account stage hears them, and what it observes goes to a
signal. Texts and categories are those of the simulated company."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.events import Event
from schemas.icp import ICP
from schemas.observations import Observation
from streams.simulation.texts import CATEGORIES, TICKETS
from tests.unit.account_world import DAY, T0, event, icp, product
from tests.unit.sales_world import observe

BASIC = "basic_comprehension"
REST = {
    "advanced_how_to": 0.28,
    "integration": 0.20,
    "bug": 0.25,
    "billing": 0.09,
    "request": 0.12,
    "other": 0.06,
}
TENURES = {10: 0.5, 60: 0.3, 200: 0.15, 500: 0.08}
"""days of tenure -> share of basic questions"""
TABLE = "tickets:\n" + "".join(
    f"  {kind}: [{', '.join(map(repr, categories))}]\n" for kind, categories in CATEGORIES.items()
)


def file() -> ICP:
    return icp(more=TABLE)


def wrote(at: float, subject: str = "What is a workspace?", *, number: str = "", **data: Any) -> Event:
    return event("support.ticket", at, {"ticket_id": number or f"t{at}", "subject": subject, **data})


def customer(at: float, tenure_days: float, *tickets: Event, source: str = "") -> list[Event]:
    """Who signed up ``tenure_days`` before ``at``, and wrote these."""
    more = {"acquisition_source": source} if source else {}
    signed_up = at - tenure_days * DAY
    known = event("account.profile", signed_up, {"attributes": {"employees": 10, **more}})
    return [known, product(signed_up, "signed_up"), *tickets]


def desk(
    *,
    days: int = 300,
    per_day: Callable[[float], float] = lambda day: 8.0,
    tenures: Callable[[float], Mapping[int, float]] = lambda day: dict.fromkeys(TENURES, 1.0),
    odds: Callable[[float, str], float] = lambda day, source: 1.0,
    rest: Callable[[float], Mapping[str, float]] = lambda day: REST,
    uncategorised: Callable[[float], float] = lambda day: 0.2,
    category: Callable[[float], str] = lambda day: "",
    more: Callable[[float, np.random.Generator], Sequence[Sequence[Event]]] = lambda day, random: (),
    seed: int = 4,
    signal: Any,
) -> list[Observation]:
    """What a help desk's tickets tell ``signal``. On a day: tickets, weights of tenures, odds of a basic question times the
    usual by source, shares of the other kinds, share without a category, a category that the form writes on all, and what
    other accounts do."""
    random = np.random.default_rng(seed)
    accounts: list[Sequence[Event]] = []
    for day in range(days):
        weights = tenures(day)
        chances = np.array(list(weights.values())) / sum(weights.values())
        for _ in range(random.poisson(per_day(day))):
            at = T0 + (day + random.random()) * DAY
            tenure = list(weights)[int(random.choice(len(chances), p=chances))]
            source = ("referral", "paid_social", "content")[int(random.integers(3))]
            share = TENURES[tenure]
            likely = share / (1 - share) * odds(day, source)
            kind = BASIC
            if random.random() >= likely / (1 + likely):
                others = rest(day)
                kind = str(
                    random.choice(list(others), p=np.array(list(others.values())) / sum(others.values()))
                )
            subject, body = (
                part.format(feature="dashboards")
                for part in TICKETS[kind][int(random.integers(len(TICKETS[kind])))]
            )
            data = {"body": body}
            if category(day):
                data["category"] = category(day)
            elif random.random() >= uncategorised(day):
                data["category"] = CATEGORIES[kind][0]
            accounts.append(customer(at, tenure, wrote(at, subject, **data), source=source))
        accounts += more(day, random)
    return observe(signal, accounts, file())
