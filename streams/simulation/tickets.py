"""What an account asks the help desk. Newcomers ask basics; a few accounts write many tickets at once.

Each ticket has one event when it is opened and, mostly, one when it is solved, with the same ``ticket_id``.
"""

from __future__ import annotations

import numpy as np

from schemas.events import SupportTicketData
from streams.simulation import texts
from streams.simulation.calendar import DAY_S, NEVER
from streams.simulation.happenings import ASKED_FOR_S
from streams.simulation.usage import FEATURES, Use
from streams.simulation.wire import Lines, ticket
from streams.simulation.world import Life, World

BASIC_BY_TENURE = ((30, 0.55), (90, 0.30), (365, 0.15))
"""share of basic questions up to so many days of tenure; BASIC_LATER after"""
BASIC_LATER = 0.08
_REST = ("advanced_how_to", "integration", "bug", "billing", "request", "other")
_REST_SHARES = (0.28, 0.20, 0.25, 0.09, 0.12, 0.06)
BURST_SHARE = 0.015
"""share of accounts that use the product and write a burst"""
UNCATEGORISED = 0.2
LEAVING_SHARE = 0.5
"""of the customers who leave: they ask how"""
ELITE_ASKS = 0.4
"""times as much as others who use it as much: the devoted know their way"""
ASKED_SHARE = 0.04
"""of the accounts that are there at a launch: they ask about what is new"""
COMPLAINING_SHARE = 0.5
_PRIORITIES = ("low", "normal", "normal", "normal", "high")


def ask(life: Life, use: Use, world: World, lines: Lines) -> None:
    """Adds the account's tickets within the history: as many a day whatever the ``activity`` by which the use was multiplied."""
    if not use.users:
        return
    desk = _HelpDesk(life, use, world, lines)
    desk.ask_as_usual()
    if world.happenings.all:
        desk.ask_about_what_happens()


class _HelpDesk:
    """The tickets of one account, numbered as they are written."""

    def __init__(self, life: Life, use: Use, world: World, lines: Lines) -> None:
        self._account, self._facts, self._use = life.account, life.facts, use
        self._world, self._lines = world, lines
        self._draw = world.seeds.account(life.account.number, "tickets")
        self._support_draw = world.seeds.account(life.account.number, "support")
        self._written = 0

    def ask_as_usual(self) -> None:
        """In the first days everybody asks a little; later who uses more asks more, a few in bursts; some ask how to leave."""
        account, times, draw = self._account, self._use.times, self._draw
        support = self._world.scenario.support
        more = self._world.levers.factor("tickets", account.signed_up, **self._facts) * support
        if account.elite:
            more *= ELITE_ASKS
        u = draw.random(6).tolist()
        first = int(draw.poisson(0.35 * more)) if not account.installed else 0
        for _ in range(first):
            self._ask_if_needed(account.signed_up + int(draw.exponential(6.0 * DAY_S)))
        if len(times):
            count = int(draw.poisson(more * 0.25 * (len(times) / self._world.activity) ** 0.6))
            for at in times[draw.integers(0, len(times), count)].tolist():
                self._ask_if_needed(int(at) + int(draw.random() * 1800))
            if u[0] < BURST_SHARE:
                second = int(times[int(u[1] * len(times))])
                for _ in range(6 + int(u[2] * 20)):
                    second += int(draw.exponential(2.0 * 3600)) + 30
                    self._ask(second)
        if account.churned < NEVER and u[3] < LEAVING_SHARE * min(support, 1.0):
            subject, body = texts.LEAVING[int(u[4] * len(texts.LEAVING))]
            self._write(account.churned - int(DAY_S * (1 + 25 * u[5])), subject, body, None)

    def ask_about_what_happens(self) -> None:
        """A flood, a launch, an outage."""
        account, times, draw = self._account, self._use.times, self._support_draw
        happenings = self._world.happenings
        flooded_at = self._world.floods.get(account.number)
        if flooded_at is not None:
            for share in np.sort(draw.random(round(happenings.of("ticket_flood")[0].amount))).tolist():
                self._ask(flooded_at + int(share * 2 * DAY_S))
        launched, down = happenings.at("feature_launched"), happenings.at("outage")
        using = len(times) > 0 and account.signed_up <= launched < account.churned
        if using and draw.random() < ASKED_SHARE:
            second = launched + int(draw.random() * ASKED_FOR_S)
            self._write_about(texts.LAUNCHED, second, texts.CATEGORIES["basic_comprehension"][0])
        in_outage = ((times >= down) & (times < down + DAY_S)).any()
        if in_outage and draw.random() < COMPLAINING_SHARE:
            second = down + int(draw.exponential(6 * 3600))
            self._write_about(texts.OUTAGE, second, texts.CATEGORIES["bug"][0])

    def _ask_if_needed(self, second: int) -> None:
        """The question of that second, as often as the need for support at that time says."""
        need = self._world.levers.factor("support_need", second, **self._facts)
        if need == 1.0:
            self._ask(second)
            return
        for place in range(int(need) + int(self._support_draw.random() < need % 1)):
            later = int(self._support_draw.exponential(10.0 * DAY_S)) if place else 0
            self._ask(second + later)

    def _ask(self, second: int) -> None:
        """Newcomers ask for the basics, others for the rest."""
        draw = self._draw
        tenure = (second - self._account.signed_up) / DAY_S
        basic = next((share for days, share in BASIC_BY_TENURE if tenure <= days), BASIC_LATER)
        odds = basic / (1 - basic) * self._world.levers.factor("basic_questions", second, **self._facts)
        kind = "basic_comprehension"
        if draw.random() >= odds / (1 + odds):
            kind = _REST[int(draw.choice(len(_REST), p=_REST_SHARES))]
        known = texts.TICKETS[kind]
        subject, body = known[int(draw.random() * len(known))]
        feature = FEATURES[int(draw.random() * len(FEATURES))]
        categories = texts.CATEGORIES[kind]
        category = categories[int(draw.random() * len(categories))]
        self._write(
            second,
            subject.format(feature=feature),
            body.format(feature=feature),
            None if draw.random() < UNCATEGORISED else category,
        )

    def _write_about(self, choice: tuple[tuple[str, str], ...], second: int, category: str) -> None:
        subject, body = choice[int(self._support_draw.random() * len(choice))]
        self._write(second, subject, body, None if self._support_draw.random() < UNCATEGORISED else category)

    def _write(self, second: int, subject: str, body: str, category: str | None) -> None:
        account, calendar, draw = self._account, self._world.calendar, self._draw
        self._written += 1
        number = self._written
        ticket_id = f"{account.number:06d}-{number}"
        if self._world.happenings.after("ticket_form_changed", second):
            category = texts.CATEGORIES["basic_comprehension"][0]
        solved = second + int(draw.exponential(1.5 * DAY_S)) + 600
        if not calendar.start <= second < calendar.end:
            return
        data = SupportTicketData(
            ticket_id=ticket_id,
            subject=subject,
            body=body,
            category=category,
            status="open",
            user_id=f"user-{account.number:06d}-0",
            priority=_PRIORITIES[int(draw.random() * len(_PRIORITIES))],
        )
        self._lines.add_event(second, ticket(account.id, 2 * number, second, data))
        if solved < calendar.end and draw.random() < 0.9:
            done = SupportTicketData(ticket_id=ticket_id, subject=subject, category=category, status="solved")
            self._lines.add_event(solved, ticket(account.id, 2 * number + 1, solved, done))
