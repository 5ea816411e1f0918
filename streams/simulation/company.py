"""The company at work: every account lives its history, and the events are written in the order of their arrival."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from streams.simulation.arrival import Sent, arrive
from streams.simulation.calendar import Calendar, Floats
from streams.simulation.companies import describe
from streams.simulation.deals import sell
from streams.simulation.levers import Levers
from streams.simulation.malformed import spoil
from streams.simulation.ordering import ArrivalOrder
from streams.simulation.population import Account, populate
from streams.simulation.profiles import describe_over_time
from streams.simulation.releases import publish
from streams.simulation.scenario import FITS, Scenario
from streams.simulation.seeds import Seeds
from streams.simulation.tickets import ask
from streams.simulation.truth import Truth, account_counts, changes, cohorts, utc_text
from streams.simulation.usage import use_product
from streams.simulation.visits import visit_site
from streams.simulation.wire import Lines

UNTOLD = 0.03
"""share of accounts whose profile doesn't say where they came from; their first visit does"""
USUAL_SPELLING = 0.7

Progress = Callable[[str, int, int], None]
"""stage, done, of how many"""


class Order(Struct, frozen=True, kw_only=True):
    """What is asked for. ``until`` with an offset; ``activity`` multiplies the use of the product;
    ``change_at`` overrides the start of all plants."""

    scenario: Scenario
    accounts: int
    days: int
    seed: int
    until: datetime
    activity: float = 1.0
    malformed: int = 0
    change_at: datetime | None = None


def simulate(order: Order, path: Path, progress: Progress) -> Truth:
    """Writes the history to ``path`` and returns its truth. The file appears at once when it is complete.

    Raises OSError where the file can't be written.
    """
    scenario = order.scenario
    calendar = Calendar(int(order.until.timestamp()), order.days)
    change = None if order.change_at is None else int(order.change_at.timestamp())
    levers = Levers(scenario.plants, calendar, change)
    seeds = Seeds(order.seed)
    population = populate(scenario, calendar, levers, seeds, order.accounts)
    weekday = calendar.weekday_weights(scenario.usage_weekdays)
    sent = Sent(by_type=Counter())

    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as spill:
        lines = ArrivalOrder(Path(spill))
        releases = Lines()
        publish(scenario, calendar, levers, seeds.company("releases"), releases)
        noise = scenario.noise
        arrive(releases, noise.office_delay_s, noise, calendar, seeds.company("arrival"), lines, sent)
        total = len(population)
        for done, account in enumerate(population.accounts()):
            if done % 64 == 0:
                progress("living", done, total)
            prompt, office = _live(account, order, calendar, levers, seeds, weekday)
            draw = seeds.account(account.number, "arrival")
            arrive(prompt, noise.product_delay_s, noise, calendar, draw, lines, sent)
            arrive(office, noise.office_delay_s, noise, calendar, draw, lines, sent)
        progress("living", total, total)
        malformed = spoil(order.malformed, calendar, seeds.company("malformed"), lines)
        part = Path(spill) / "complete"
        written = 0

        def count(more: int) -> None:
            nonlocal written
            written += more
            progress("writing", written, lines.total)

        with part.open("wb") as out:
            lines.write(out, count)
        part.replace(path)

    return Truth(
        scenario=scenario.name,
        about=scenario.about,
        seed=order.seed,
        parameters=_parameters(order),
        begins=utc_text(calendar.start),
        ends=utc_text(calendar.end),
        accounts=account_counts(calendar, population, order.accounts),
        plants=changes(scenario, levers),
        sources=cohorts(scenario, calendar, levers, population),
        spellings={source.name: list(source.spellings) for source in scenario.sources},
        events=written - sum(malformed.values()),
        events_by_type=dict(sorted(sent.by_type.items())),
        late=sent.late,
        too_late=sent.too_late,
        repeated=sent.repeated,
        malformed=dict(sorted(malformed.items())),
        lines=written,
    )


def _live(
    account: Account,
    order: Order,
    calendar: Calendar,
    levers: Levers,
    seeds: Seeds,
    weekday: Floats,
) -> tuple[Lines, Lines]:
    """One account's events: those of product and site, and those of CRM, help desk and enrichment."""
    prompt, office = Lines(), Lines()
    if account.lead_at >= calendar.end:
        return prompt, office
    scenario = order.scenario
    source = scenario.sources[account.source]
    fit = FITS[account.fit]
    draw = seeds.account(account.number, "company")
    company = describe(account, draw)
    told, usual, other, hidden = draw.random(4).tolist()
    spelling: str | None = source.spellings[0]
    if usual > USUAL_SPELLING:
        spelling = source.spellings[int(other * len(source.spellings))]
    # Without a campaign or a referrer nobody could tell: these are always told.
    if told < UNTOLD and source.campaign is not None and not account.installed:
        spelling = None
    breadth = levers.factor("feature_breadth", account.signed_up, source=source.name, fit=fit)
    use = use_product(
        account,
        company,
        calendar,
        weekday,
        order.activity,
        breadth,
        seeds.account(account.number, "usage"),
        prompt,
    )
    visit_site(
        account,
        company,
        source,
        spelling is not None and hidden < scenario.anonymous,
        calendar,
        use,
        seeds.account(account.number, "visits"),
        prompt,
    )
    draw = seeds.account(account.number, "tickets")
    ask(account, calendar, levers, order.activity, use, source.name, fit, draw, office)
    draw = seeds.account(account.number, "deals")
    sell(account, company, scenario, calendar, levers, source.name, fit, draw, office)
    draw = seeds.account(account.number, "profiles")
    describe_over_time(account, company, spelling, calendar, draw, prompt, office)
    return prompt, office


def _parameters(order: Order) -> dict[str, Any]:
    scenario = {
        name: value
        for name, value in msgspec.to_builtins(order.scenario).items()
        if name not in ("name", "about", "plants")
    }
    return {
        "accounts": order.accounts,
        "days": order.days,
        "activity": order.activity,
        "malformed": order.malformed,
        "scenario": scenario,
    }
