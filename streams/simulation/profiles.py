"""What becomes known of an account, attribute by attribute: at the sign-up, by enrichment, at the contract, later."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

from streams.simulation.calendar import DAY_S, NEVER, Calendar
from streams.simulation.companies import Company
from streams.simulation.population import Account
from streams.simulation.wire import CRM, ENRICHMENT, PRODUCT, Lines, profile, utc

REFRESH_DAYS = 45.0
"""mean time between two looks of the enrichment at an account in use"""


def describe_over_time(
    account: Account,
    company: Company,
    spelling: str | None,
    calendar: Calendar,
    draw: Generator,
    prompt: Lines,
    lines: Lines,
) -> None:
    """Adds the account's profile events: what the product tells at a sign-up to ``prompt``, the others to ``lines``.

    ``spelling`` is its acquisition source as written; None leaves it out.
    """
    u = draw.random(12).tolist()
    number = 0
    # What the CRM knew before the history began comes with the first export.
    begin = account.lead_at if not account.installed else calendar.start + int(u[0] * 6 * 3600)

    def tell(second: int, source: str, attributes: dict[str, Any]) -> None:
        nonlocal number
        number += 1
        if attributes and calendar.start <= second < calendar.end:
            to = prompt if source == PRODUCT else lines
            to.add_event(second, profile(account.id, number, second, source, attributes))

    first: dict[str, Any] = {"name": company.name, "domains": [company.domain], "tier": "free"}
    if spelling is not None:
        first["acquisition_source"] = spelling
    if account.installed:
        first |= _contract(account, company, begin) | {"advisory_board": company.advisory_board}
    # The account is created a moment before its first event, so that its source is known by then.
    if account.installed or account.sales_led:
        tell(begin, CRM, first)
    else:
        tell(max(begin - 1, calendar.start), PRODUCT, first)
    tell(
        begin + 60 + int(u[1] * 6 * 3600),
        ENRICHMENT,
        {"industry": company.industry, "employees": account.employees},
    )
    later: dict[str, Any] = {}
    if company.technologies:
        later["technologies"] = company.technologies
    if company.sales_reps:
        later["sales_reps"] = company.sales_reps
    tell(begin + int((0.1 + 2.5 * u[2]) * DAY_S), ENRICHMENT, later)
    if company.compliance or account.fit > 0:
        facts: dict[str, Any] = {"deployment": company.deployment}
        if company.compliance:
            facts["compliance"] = company.compliance
        tell(begin + int((0.5 + 6 * u[3]) * DAY_S), ENRICHMENT, facts)
    if account.fit > 0 or u[4] < 0.3:
        tell(begin + int((1 + 9 * u[5]) * DAY_S), CRM, {"contacts": company.contacts})
    if account.paid < NEVER and not account.installed:
        tell(account.paid + 30, CRM, _contract(account, company, account.paid))
        if company.advisory_board:
            tell(account.paid + int((30 + 120 * u[6]) * DAY_S), CRM, {"advisory_board": True})
    if account.churned < NEVER:
        tell(account.churned + 30, CRM, {"tier": "free", "arr": None, "renews_at": None})

    # Looks of the enrichment: roles, people and seats change while the account is in use.
    busy_until = min(calendar.end, account.churned)
    if account.paid == NEVER:
        busy_until = min(busy_until, begin + 90 * DAY_S)
    second = float(begin)
    people = account.employees
    while True:
        second += draw.exponential(REFRESH_DAYS) * DAY_S + DAY_S
        if second >= busy_until:
            break
        what, much = draw.random(2).tolist()
        if what < 0.4 and company.open_roles:
            tell(int(second), ENRICHMENT, {"open_roles": {"data_engineer": int(much * 6)}})
        elif what < 0.8:
            people = max(1, int(people * (0.96 + 0.12 * much)))
            tell(int(second), ENRICHMENT, {"employees": people})
        elif account.paid <= second:
            # By a quarter at most: a small company with ten seats to spare would look as if it hardly used them.
            tell(int(second), CRM, {"seats": company.users + int(much * (1 + company.users // 4))})


def _contract(account: Account, company: Company, second: int) -> dict[str, Any]:
    # A contract that began years ago has been renewed since.
    years = max(1, -(-(second - account.paid) // (365 * DAY_S)))
    renewal = account.paid + years * 365 * DAY_S
    return {
        "tier": ("team", "business", "business", "enterprise")[account.band],
        "seats": company.users,
        "arr": {"amount": 600 * company.users, "currency": company.currency},
        "customer_since": utc(account.paid),
        "renews_at": utc(renewal),
    }
