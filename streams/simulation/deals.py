"""Opportunities in the CRM: sales-led ones, self-serve wins, lost attempts at accounts that use the product, expansions.

Every stage move is one event; a note hedges about fit with a chance of its own. Cycle lengths are log-normal by band.
"""

from __future__ import annotations

from math import exp
from typing import Any, Literal

from msgspec import Struct
from numpy.random import Generator

from schemas.events import StageChangedData
from streams.simulation import texts
from streams.simulation.account import Account
from streams.simulation.calendar import DAY_S, NEVER
from streams.simulation.fates import CYCLE_MEDIAN_DAYS, CYCLE_SIGMA, LOST_PACE, SLOW_SHARE, WON_PACE
from streams.simulation.happenings import Happenings
from streams.simulation.scenario import rep_name
from streams.simulation.wire import Lines, stage, utc
from streams.simulation.world import Life, World

STAGES = ("discovery", "evaluation", "proposal", "negotiation")
STAGES_RENAMED = ("1 qualify", "2 prove value", "3 agree", "4 sign")
ASSISTED_SHARE = 0.45
"""of the fair and good fits that pay: with a rep; the others by themselves"""
LOST_SHARE = 0.25
"""of the fair and good fits that activate and don't pay: a rep tried"""
EXPANSION_SHARE = 0.3
_AMOUNT_BY_BAND = ((1_200.0, 9_500.0), (11_000.0, 48_000.0), (52_000.0, 190_000.0), (205_000.0, 600_000.0))


class _Opportunity(Struct):
    id: str
    opened: int
    closed: int
    won: bool
    amount: float


def sell(life: Life, world: World, lines: Lines) -> None:
    """Adds the account's stage changes within the history."""
    pipeline = _Pipeline(life, world, lines)
    for opportunity in pipeline.opportunities():
        pipeline.work(opportunity)


class _Pipeline:
    """The opportunities of one account; its stage changes are numbered as they are told."""

    def __init__(self, life: Life, world: World, lines: Lines) -> None:
        self._account, self._company, self._facts = life.account, life.company, life.facts
        self._world, self._lines = world, lines
        self._draw = world.seeds.account(life.account.number, "deals")
        self._chance = self._draw.random(12).tolist()
        self._told = 0

    def opportunities(self) -> list[_Opportunity]:
        """What is sold with a rep. A win by self-service is told at once: it has but one stage."""
        account, calendar, u = self._account, self._world.calendar, self._chance
        z = self._draw.standard_normal(2).tolist()
        low, high = _AMOUNT_BY_BAND[account.band]
        amount = float(round(low * (high / low) ** u[0], -2))
        name = f"opp-{account.number:06d}"
        found: list[_Opportunity] = []
        if account.sales_led:
            won = account.paid < NEVER
            found.append(_Opportunity(f"{name}-1", account.opened, account.closed, won, amount))
        elif account.paid < NEVER and account.paid >= calendar.start:
            if account.fit > 0 and u[1] < ASSISTED_SHARE:
                opened = account.paid - int((account.paid - account.activated) * (0.2 + 0.7 * u[2]))
                found.append(_Opportunity(f"{name}-1", opened, account.paid, True, amount))
            else:
                self._win_by_self_service(float(round(amount / 4, -1)))
        elif account.activated < NEVER and account.fit > 0 and u[1] < LOST_SHARE:
            opened = account.activated + int(DAY_S * (2 + 20 * u[2]))
            closed = opened + self._cycle(opened, z[0], won=False)
            found.append(_Opportunity(f"{name}-1", opened, closed, False, amount))
        if account.paid < NEVER and u[3] < EXPANSION_SHARE * (0.3, 1.0, 1.6)[account.fit]:
            opened = max(account.paid, calendar.start) + int(DAY_S * (60 + 240 * u[4]))
            closed = opened + self._cycle(opened, z[1], won=u[6] < 0.6)
            if closed < account.churned:
                grown = float(round(amount * (0.3 + u[5]), -2))
                found.append(_Opportunity(f"{name}-2", opened, closed, u[6] < 0.6, grown))
        return found

    def work(self, opportunity: _Opportunity) -> None:
        """Moves it through its stages to its end."""
        draw, happenings = self._draw, self._world.happenings
        planned = opportunity.closed
        _meet(opportunity, self._account, happenings)
        rep, hedges = self._rep(opportunity)
        hedged_at = int(draw.random() * 2) if draw.random() < min(hedges, 1.0) else -1
        # A lost one may end at any stage; a won one goes through all.
        steps = len(STAGES) if opportunity.won else 1 + int(draw.random() * len(STAGES))
        span = planned - opportunity.opened
        moves = sorted(draw.random(steps - 1).tolist())
        times = [opportunity.opened, *(opportunity.opened + int(share * span * 0.9) for share in moves)]
        before: str | None = None
        for step, (second, stage_name) in enumerate(zip(times, STAGES, strict=False)):
            self._told += 1
            note = _note(draw, step == hedged_at)
            if happenings.after("note_template", second):
                note = texts.TEMPLATE if note is None else f"{texts.TEMPLATE} {note}"
            to_stage = STAGES_RENAMED[step] if happenings.after("stages_renamed", second) else stage_name
            if second < opportunity.closed:
                self._tell(second, opportunity, rep, from_stage=before, to_stage=to_stage, note=note)
                before = to_stage
        self._told += 1
        reason = texts.LOSSES[int(draw.random() * len(texts.LOSSES))]
        outcome: Literal["won", "lost"] = "won" if opportunity.won else "lost"
        self._tell(
            opportunity.closed,
            opportunity,
            rep,
            from_stage=before,
            to_stage=outcome,
            outcome=outcome,
            loss_reason=None if opportunity.won else reason,
        )

    def _rep(self, opportunity: _Opportunity) -> tuple[str, float]:
        """Who has it, and how likely it is that a note hedges about fit."""
        world = self._world
        reps, place = world.scenario.reps, self._draw.random()
        if world.happenings.after("rep_joined", opportunity.opened) and place * reps % 1 < 0.1:
            return rep_name(reps + 1), 1.0
        rep = rep_name(1 + int(place * reps))
        more = world.levers.factor("hedged_notes", opportunity.opened, rep=rep, **self._facts)
        return rep, world.scenario.hedged_notes * more

    def _cycle(self, opened: int, deviation: float, *, won: bool) -> int:
        """How long it takes, seconds; ``deviation`` in standard deviations of the logarithm."""
        levers, facts, band = self._world.levers, self._facts, self._account.band
        sigma = CYCLE_SIGMA * levers.factor("cycle_spread", opened, **facts)
        apart = levers.factor("cycle_clusters", opened, **facts)
        pace = WON_PACE if won else LOST_PACE * levers.factor("lingering", opened, **facts)
        pace *= apart ** ((1 - SLOW_SHARE) if self._chance[7] < SLOW_SHARE else -SLOW_SHARE)
        return int(CYCLE_MEDIAN_DAYS[band] * pace * exp(sigma * deviation) * DAY_S)

    def _win_by_self_service(self, amount: float) -> None:
        account, calendar = self._account, self._world.calendar
        if calendar.start <= account.paid < calendar.end:
            self._told += 1
            data = StageChangedData(
                opportunity_id=f"self-serve-{account.number:06d}",
                to_stage="won",
                outcome="won",
                amount=amount,
                currency=self._company.currency,
                opened_at=utc(account.paid),
            )
            self._lines.add_event(account.paid, stage(account.id, self._told, account.paid, data))

    def _tell(self, second: int, opportunity: _Opportunity, rep: str, **what: Any) -> None:
        """``what``: the stages, and what goes with them."""
        calendar = self._world.calendar
        if calendar.start <= second < calendar.end:
            data = StageChangedData(
                opportunity_id=opportunity.id,
                amount=opportunity.amount,
                currency=self._company.currency,
                owner_id=rep,
                opened_at=utc(opportunity.opened),
                **what,
            )
            self._lines.add_event(second, stage(self._account.id, self._told, second, data))


def _meet(opportunity: _Opportunity, account: Account, happenings: Happenings) -> None:
    """Moves the closing where something happens to the pipeline on the way."""
    cleaned = happenings.at("zombies_closed")
    zombie = cleaned - opportunity.opened > 1.5 * CYCLE_MEDIAN_DAYS[account.band] * DAY_S
    if not opportunity.won and zombie and opportunity.closed > cleaned:
        # One after the other, as a list is worked through.
        opportunity.closed = cleaned + account.number % 7200
    quarter = happenings.at("quarter_end")
    if opportunity.won and opportunity.opened < quarter - 4 * DAY_S:
        ahead = opportunity.closed - quarter
        if 0 <= ahead < 21 * DAY_S:
            opportunity.closed = quarter - 1 - ahead * 4 // 21


def _note(draw: Generator, hedged: bool) -> str | None:
    """The draws are the same whether it hedges or not."""
    kind, which = draw.random(2).tolist()
    if hedged:
        choice = texts.HEDGED
    elif kind < 0.03:
        choice = texts.BLOCKED
    elif kind < 0.08:
        choice = texts.TIMING
    elif kind < 0.12:
        choice = texts.PRICE
    elif kind < 0.15:
        choice = texts.QUOTES
    elif kind < 0.75:
        choice = texts.NOTES
    else:
        return None
    return choice[int(which * len(choice))]
