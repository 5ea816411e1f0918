"""What an account asks the help desk. Newcomers ask basics; a few accounts write many tickets at once.

Each ticket has one event when it is opened and, mostly, one when it is solved, with the same ``ticket_id``.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from schemas.events import SupportTicketData
from streams.simulation import texts
from streams.simulation.calendar import DAY_S, NEVER, Calendar
from streams.simulation.happenings import ASKED_FOR_S, Happenings
from streams.simulation.levers import Levers
from streams.simulation.population import Account
from streams.simulation.usage import FEATURES, Use
from streams.simulation.wire import Lines, ticket

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


def ask(
    account: Account,
    calendar: Calendar,
    levers: Levers,
    happenings: Happenings,
    flooded_at: int | None,
    rate: float,
    activity: float,
    use: Use,
    facts: dict[str, str],
    draw: Generator,
    support_draw: Generator,
    lines: Lines,
) -> None:
    """Adds the account's tickets within the history. ``rate`` multiplies tickets a day, which are
    as many whatever the ``activity`` by which the use was multiplied; ``flooded_at``: when it writes
    those of a flood; ``facts``: its values of the dimensions that plants are confined to."""
    if not use.users:
        return
    number = 0
    more = levers.factor("tickets", account.signed_up, **facts) * rate
    if account.elite:
        more *= ELITE_ASKS
    u = draw.random(6).tolist()

    def write(second: int, subject: str, body: str, category: str | None) -> None:
        nonlocal number
        number += 1
        ticket_id = f"{account.number:06d}-{number}"
        if happenings.after("ticket_form_changed", second):
            category = texts.CATEGORIES["basic_comprehension"][0]
        solved = second + int(draw.exponential(1.5 * DAY_S)) + 600
        if calendar.start <= second < calendar.end:
            data = SupportTicketData(
                ticket_id=ticket_id,
                subject=subject,
                body=body,
                category=category,
                status="open",
                user_id=f"user-{account.number:06d}-0",
                priority=_PRIORITIES[int(draw.random() * len(_PRIORITIES))],
            )
            lines.add_event(second, ticket(account.id, 2 * number, second, data))
            if solved < calendar.end and draw.random() < 0.9:
                done = SupportTicketData(
                    ticket_id=ticket_id, subject=subject, category=category, status="solved"
                )
                lines.add_event(solved, ticket(account.id, 2 * number + 1, solved, done))

    def question(second: int) -> None:
        tenure = (second - account.signed_up) / DAY_S
        basic = next((share for days, share in BASIC_BY_TENURE if tenure <= days), BASIC_LATER)
        odds = basic / (1 - basic) * levers.factor("basic_questions", second, **facts)
        kind = "basic_comprehension"
        if draw.random() >= odds / (1 + odds):
            kind = _REST[int(draw.choice(len(_REST), p=_REST_SHARES))]
        known = texts.TICKETS[kind]
        subject, body = known[int(draw.random() * len(known))]
        feature = FEATURES[int(draw.random() * len(FEATURES))]
        categories = texts.CATEGORIES[kind]
        category = categories[int(draw.random() * len(categories))]
        write(
            second,
            subject.format(feature=feature),
            body.format(feature=feature),
            None if draw.random() < UNCATEGORISED else category,
        )

    def needed(second: int) -> None:
        """The question of that second, as often as the need for support at that time says."""
        need = levers.factor("support_need", second, **facts)
        if need == 1.0:
            question(second)
            return
        for place in range(int(need) + int(support_draw.random() < need % 1)):
            question(second if not place else second + int(support_draw.exponential(10.0 * DAY_S)))

    # In the first days everybody asks a little; later who uses more asks more.
    first = int(draw.poisson(0.35 * more)) if not account.installed else 0
    for _ in range(first):
        needed(account.signed_up + int(draw.exponential(6.0 * DAY_S)))
    if len(use.times):
        count = int(draw.poisson(more * 0.25 * (len(use.times) / activity) ** 0.6))
        for at in use.times[draw.integers(0, len(use.times), count)].tolist():
            needed(int(at) + int(draw.random() * 1800))
        if u[0] < BURST_SHARE:
            second = int(use.times[int(u[1] * len(use.times))])
            for _ in range(6 + int(u[2] * 20)):
                second += int(draw.exponential(2.0 * 3600)) + 30
                question(second)
    if account.churned < NEVER and u[3] < LEAVING_SHARE * min(rate, 1.0):
        subject, body = texts.LEAVING[int(u[4] * len(texts.LEAVING))]
        write(account.churned - int(DAY_S * (1 + 25 * u[5])), subject, body, None)
    if not happenings.all:
        return

    def about(choice: tuple[tuple[str, str], ...], second: int, category: str) -> None:
        subject, body = choice[int(support_draw.random() * len(choice))]
        write(second, subject, body, None if support_draw.random() < UNCATEGORISED else category)

    if flooded_at is not None:
        for share in np.sort(support_draw.random(round(happenings.of("ticket_flood")[0].amount))).tolist():
            question(flooded_at + int(share * 2 * DAY_S))
    launched, down = happenings.at("feature_launched"), happenings.at("outage")
    using = len(use.times) > 0 and account.signed_up <= launched < account.churned
    if using and support_draw.random() < ASKED_SHARE:
        second = launched + int(support_draw.random() * ASKED_FOR_S)
        about(texts.LAUNCHED, second, texts.CATEGORIES["basic_comprehension"][0])
    in_outage = ((use.times >= down) & (use.times < down + DAY_S)).any()
    if in_outage and support_draw.random() < COMPLAINING_SHARE:
        second = down + int(support_draw.exponential(6 * 3600))
        about(texts.OUTAGE, second, texts.CATEGORIES["bug"][0])
