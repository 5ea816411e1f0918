"""What all accounts live in, and what one of them is: given to each aspect of a life (use, visits, tickets, deals, profile)."""

from __future__ import annotations

from msgspec import Struct

from streams.simulation.account import Account
from streams.simulation.calendar import Calendar, Floats
from streams.simulation.companies import Company
from streams.simulation.happenings import Happenings
from streams.simulation.levers import Levers
from streams.simulation.scenario import Scenario
from streams.simulation.seeds import Seeds


class World(Struct, frozen=True, kw_only=True):
    """``activity`` multiplies the use of the product; ``weekday`` weighs each day of the calendar for it. ``floods``: account
    number -> when it writes a flood of tickets, Unix seconds."""

    scenario: Scenario
    activity: float
    calendar: Calendar
    levers: Levers
    happenings: Happenings
    seeds: Seeds
    weekday: Floats
    floods: dict[int, int]


class Life(Struct, frozen=True):
    """``facts``: the account's values of the dimensions that plants are confined to."""

    account: Account
    company: Company
    facts: dict[str, str]
