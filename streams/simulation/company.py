"""The company at work: every account lives its history, and the events are written in the order of their arrival."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from streams.simulation.account import Account, Population
from streams.simulation.announcements import announce
from streams.simulation.arrival import Sent, arrive
from streams.simulation.calendar import DAY_S, Calendar
from streams.simulation.companies import describe
from streams.simulation.damage import damage
from streams.simulation.deals import sell
from streams.simulation.happenings import Happenings
from streams.simulation.levers import Levers
from streams.simulation.malformed import spoil
from streams.simulation.ordering import ArrivalOrder
from streams.simulation.population import populate
from streams.simulation.profiles import describe_over_time
from streams.simulation.releases import publish
from streams.simulation.scenario import CIRCLES, FITS, Scenario
from streams.simulation.seeds import Seeds
from streams.simulation.tickets import ask
from streams.simulation.truth import (
    Truth,
    account_counts,
    changes,
    cohorts,
    expected,
    happened,
    utc_text,
)
from streams.simulation.usage import use_product
from streams.simulation.visits import visit_site
from streams.simulation.wire import Lines
from streams.simulation.world import Life, World

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
    happenings = Happenings(scenario.happenings, calendar, change)
    seeds = Seeds(order.seed)
    population = populate(scenario, calendar, levers, seeds, order.accounts)
    weekday = calendar.weekday_weights(scenario.usage_weekdays)
    sent = Sent(by_type=Counter())

    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as spill:
        lines = ArrivalOrder(Path(spill))
        releases = Lines()
        publish(scenario, calendar, levers, happenings, seeds.company("releases"), releases)
        releases = damage(releases, happenings, calendar)
        noise = scenario.noise
        arrive(releases, noise.office_delay_s, noise, calendar, seeds.company("arrival"), lines, sent)
        announcements = Lines()
        announce(calendar, happenings, announcements)
        draw = seeds.company("announcements")
        arrive(announcements, noise.office_delay_s, noise, calendar, draw, lines, sent)
        total = len(population)
        world = World(
            scenario=scenario,
            activity=order.activity,
            calendar=calendar,
            levers=levers,
            happenings=happenings,
            seeds=seeds,
            weekday=weekday,
            floods=floods(population, happenings),
        )
        for done, account in enumerate(population.accounts()):
            if done % 64 == 0:
                progress("living", done, total)
            prompt, office = _live(account, world)
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
        happenings=happened(scenario, happenings),
        expected=expected(scenario),
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


def floods(population: Population, happenings: Happenings) -> dict[int, int]:
    """The paying account that writes each flood of tickets: an ordinary one in the middle of its life."""
    found: dict[int, int] = {}
    for flood in happenings.of("ticket_flood"):
        at = happenings.starts(flood)
        paying = (population.paid < at - 30 * DAY_S) & (population.churned > at + 30 * DAY_S)
        chosen = np.flatnonzero(paying & ~population.elite & (population.signed_up < at))
        if len(chosen):
            found[int(population.number[chosen[len(chosen) // 2]])] = at
    return found


def _live(account: Account, world: World) -> tuple[Lines, Lines]:
    """One account's events: those of product and site, and those of CRM, help desk and enrichment."""
    prompt, office = Lines(), Lines()
    calendar, scenario = world.calendar, world.scenario
    if account.lead_at >= calendar.end:
        return prompt, office
    source = scenario.sources[account.source]
    draw = world.seeds.account(account.number, "company")
    facts = {"source": source.name, "fit": FITS[account.fit], "circle": CIRCLES[account.elite]}
    life = Life(account, describe(account, draw), facts)
    told, usual, other, hidden = draw.random(4).tolist()
    spelling: str | None = source.spellings[0]
    if usual > USUAL_SPELLING:
        spelling = source.spellings[int(other * len(source.spellings))]
    # Without a campaign or a referrer nobody could tell: these are always told.
    if told < UNTOLD and source.campaign is not None and not account.installed:
        spelling = None
    use = use_product(life, world, prompt)
    visit_site(life, use, world, prompt, anonymous=spelling is not None and hidden < scenario.anonymous)
    ask(life, use, world, office)
    sell(life, world, office)
    describe_over_time(life, spelling, world, prompt, office)
    return damage(prompt, world.happenings, calendar), damage(office, world.happenings, calendar)


def _parameters(order: Order) -> dict[str, Any]:
    scenario = {
        name: value
        for name, value in msgspec.to_builtins(order.scenario).items()
        if name not in ("name", "about", "plants", "happenings", "drifts", "resembles", "ill")
    }
    return {
        "accounts": order.accounts,
        "days": order.days,
        "activity": order.activity,
        "malformed": order.malformed,
        "scenario": scenario,
    }
