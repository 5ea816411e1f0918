"""A sales team in miniature: opportunities go through the real account stage, and what it observes to a signal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from detectors.accounts import AccountStage
from detectors.effects import Effects
from schemas.events import Event
from schemas.icp import ICP
from schemas.observations import Observation
from tests.unit.account_world import DAY, GOOD, LATE_AFTER, T0, icp, profile, stage_change, time_of

BAD = {"technologies": ["excel"], "sales_reps": 2}
WAIT = 60 * DAY


def opportunity(
    at: float,
    *,
    name: str = "o",
    rep: str = "anna",
    notes: Sequence[str] = (),
    attributes: Mapping[str, Any] = GOOD,
    closes: float | None = None,
) -> list[Event]:
    """An account with its profile, and an opportunity created at ``at`` with a note a day, closed after ``closes`` seconds."""
    events = [profile(at - DAY, **attributes)]
    told = [*notes] or [""]
    for number, note in enumerate(told):
        more = {"note": note} if note else {}
        events.append(
            stage_change(
                at + number * DAY, opportunity_id=name, to_stage=f"stage {number}", owner_id=rep, **more
            )
        )
    if closes is not None:
        events.append(
            stage_change(at + closes, opportunity_id=name, to_stage="closed", outcome="lost", owner_id=rep)
        )
    return events


def observe(signal: Any, accounts: Iterable[Sequence[Event]], *icps: ICP) -> list[Observation]:
    """What the accounts tell the drift stage, in the order of maturing."""
    stage = AccountStage(icps or [icp()], [signal], LATE_AFTER)
    told: list[Observation] = []
    for number, events in enumerate(accounts):
        name, effects = f"account-{number}", Effects()
        state = stage.new_state(name)
        latest = 0.0
        for event in events:
            at = time_of(event)
            latest = max(latest, at)
            stage.fire(name, state, latest, effects)
            stage.step(name, state, event, at, effects)
            stage.fire(name, state, latest, effects)
        stage.fire(name, state, latest + WAIT, effects)
        told += effects.observations
    return sorted(told, key=lambda each: (each.at, each.account, each.measure != "off_profile_before"))


def team(
    *,
    days: int,
    reps: Mapping[str, Callable[[float], float]],
    make: Callable[[str, float, np.random.Generator], Mapping[str, Any]],
    seed: int,
) -> list[list[Event]]:
    """``reps``: rep -> new opportunities a day, on a day; ``make`` of (rep, day): what ``opportunity`` takes."""
    random = np.random.default_rng(seed)
    accounts = []
    for day in range(days):
        for rep, flow in reps.items():
            for _ in range(random.poisson(flow(day))):
                at = T0 + (day + random.random()) * DAY
                accounts.append(opportunity(at, name=f"o{len(accounts)}", rep=rep, **make(rep, day, random)))
    return accounts
