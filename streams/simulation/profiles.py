"""What becomes known of an account, attribute by attribute: at the sign-up, by enrichment, at the contract, later."""

from __future__ import annotations

from typing import Any

from streams.simulation.account import Account
from streams.simulation.calendar import DAY_S, NEVER
from streams.simulation.companies import Company
from streams.simulation.wire import CRM, ENRICHMENT, PRODUCT, Lines, profile, utc
from streams.simulation.world import Life, World

REFRESH_DAYS = 45.0
"""mean time between two looks of the enrichment at an account in use"""


def describe_over_time(life: Life, spelling: str | None, world: World, prompt: Lines, office: Lines) -> None:
    """Adds the account's profile events: what the product tells at a sign-up to ``prompt``, the others to ``office``.

    ``spelling`` is its acquisition source as written; None leaves it out.
    """
    teller = _Teller(life, world, prompt, office)
    teller.tell_beginning(spelling)
    teller.tell_contract()
    teller.look_again()


class _Teller:
    """The profile events of one account, numbered as they are told."""

    def __init__(self, life: Life, world: World, prompt: Lines, office: Lines) -> None:
        self._account, self._company, self._calendar = life.account, life.company, world.calendar
        self._prompt, self._office = prompt, office
        self._draw = world.seeds.account(life.account.number, "profiles")
        self._chance = self._draw.random(12).tolist()
        self._told = 0
        # What the CRM knew before the history began comes with the first export.
        first_export = self._calendar.start + int(self._chance[0] * 6 * 3600)
        self._begin = first_export if life.account.installed else life.account.lead_at

    def tell_beginning(self, spelling: str | None) -> None:
        """What the product or the CRM knows from the first moment, and what the enrichment finds in the first days."""
        account, company, begin, u = self._account, self._company, self._begin, self._chance
        first: dict[str, Any] = {"name": company.name, "domains": [company.domain], "tier": "free"}
        if spelling is not None:
            first["acquisition_source"] = spelling
        if account.installed:
            first |= _contract(account, company, begin) | {"advisory_board": company.advisory_board}
        # The account is created a moment before its first event, so that its source is known by then.
        if account.installed or account.sales_led:
            self._tell(begin, CRM, first)
        else:
            self._tell(max(begin - 1, self._calendar.start), PRODUCT, first)
        self._tell(
            begin + 60 + int(u[1] * 6 * 3600),
            ENRICHMENT,
            {"industry": company.industry, "employees": account.employees},
        )
        later: dict[str, Any] = {}
        if company.technologies:
            later["technologies"] = company.technologies
        if company.sales_reps:
            later["sales_reps"] = company.sales_reps
        self._tell(begin + int((0.1 + 2.5 * u[2]) * DAY_S), ENRICHMENT, later)
        if company.compliance or account.fit > 0:
            facts: dict[str, Any] = {"deployment": company.deployment}
            if company.compliance:
                facts["compliance"] = company.compliance
            self._tell(begin + int((0.5 + 6 * u[3]) * DAY_S), ENRICHMENT, facts)
        if account.fit > 0 or u[4] < 0.3:
            self._tell(begin + int((1 + 9 * u[5]) * DAY_S), CRM, {"contacts": company.contacts})

    def tell_contract(self) -> None:
        """Its beginning, where that lies in the history, and its end."""
        account, company = self._account, self._company
        if account.paid < NEVER and not account.installed:
            self._tell(account.paid + 30, CRM, _contract(account, company, account.paid))
            if company.advisory_board:
                second = account.paid + int((30 + 120 * self._chance[6]) * DAY_S)
                self._tell(second, CRM, {"advisory_board": True})
        if account.churned < NEVER:
            self._tell(account.churned + 30, CRM, {"tier": "free", "arr": None, "renews_at": None})

    def look_again(self) -> None:
        """The enrichment looks at it now and then: roles, people and seats change while it is in use."""
        account, company, draw = self._account, self._company, self._draw
        busy_until = min(self._calendar.end, account.churned)
        if account.paid == NEVER:
            busy_until = min(busy_until, self._begin + 90 * DAY_S)
        second = float(self._begin)
        people = account.employees
        while True:
            second += draw.exponential(REFRESH_DAYS) * DAY_S + DAY_S
            if second >= busy_until:
                break
            what, much = draw.random(2).tolist()
            if what < 0.4 and company.open_roles:
                self._tell(int(second), ENRICHMENT, {"open_roles": {"data_engineer": int(much * 6)}})
            elif what < 0.8:
                people = max(1, int(people * (0.96 + 0.12 * much)))
                self._tell(int(second), ENRICHMENT, {"employees": people})
            elif account.paid <= second:
                # By a quarter at most: a small company with ten seats to spare would look as if it hardly used them.
                seats = company.users + int(much * (1 + company.users // 4))
                self._tell(int(second), CRM, {"seats": seats})

    def _tell(self, second: int, source: str, attributes: dict[str, Any]) -> None:
        self._told += 1
        if attributes and self._calendar.start <= second < self._calendar.end:
            to = self._prompt if source == PRODUCT else self._office
            to.add_event(second, profile(self._account.id, self._told, second, source, attributes))


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
