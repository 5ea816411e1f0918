"""A company in miniature for the tests of plg.conversion_gap: accounts go through the signal's own account half."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from detectors.signals.plg_conversion_gap import ConversionGap, Told
from detectors.signals.plg_conversion_gap_state import GapState
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from schemas.observations import Observation

START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()


@dataclass
class Account:
    account: str
    source: str
    milestones: Mapping[str, float]
    memory: Told = field(default_factory=Told)


@dataclass
class Collected:
    """An AccountOutput that keeps everything."""

    account: str
    observations: list[Observation] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)

    def observe(
        self, measure: str, *, at: float, began: float, value: float, segments: Mapping[str, str]
    ) -> None:
        self.observations.append(
            Observation(
                signal=ConversionGap.name,
                measure=measure,
                at=at,
                began=began,
                value=value,
                account=self.account,
                segments=dict(segments),
            )
        )

    def set_timer(self, name: str, due: float) -> None:
        self.timers[name] = due


def observe(signal: ConversionGap, accounts: Iterable[Account]) -> list[Observation]:
    """What the accounts tell the drift stage, in the order of maturing."""
    told: list[Observation] = []
    for account in accounts:
        output = Collected(account.account)
        for milestone in sorted(account.milestones, key=lambda name: account.milestones[name]):
            if milestone in signal.listens:
                signal.on_milestone(account, milestone, output)
        for name, due in sorted(output.timers.items(), key=lambda timer: timer[1]):
            signal.on_timer(account, name, due, output)
        told += output.observations
    return sorted(told, key=lambda observation: (observation.at, observation.account, observation.measure))


Rate = Callable[[str, float], float]
"""(source, day) -> a probability"""
Lag = Callable[[np.random.Generator, float], float]
"""(random, day) -> days from activating to paying"""


def company(
    *,
    days: int,
    per_day: Callable[[str, float], float],
    sources: Iterable[str],
    activates: Rate,
    converts: Rate,
    seed: int,
    lag: Lag = lambda random, day: random.exponential(14.0),
) -> list[Account]:
    """Poisson sign-ups a day and source; activation within days, conversion after a ``lag`` (cut at 55 days)."""
    random = np.random.default_rng(seed)
    accounts = []
    for day in range(days):
        for source in sources:
            for _ in range(random.poisson(per_day(source, day))):
                at = START + (day + random.random()) * DAY
                milestones = {"signed_up": at}
                if random.random() < activates(source, day):
                    milestones["activated"] = at + random.exponential(2.0) * DAY
                    if random.random() < converts(source, day):
                        milestones["converted"] = (
                            milestones["activated"] + 60.0 + min(lag(random, day), 55.0) * DAY
                        )
                accounts.append(Account(f"a{len(accounts)}", source, milestones))
    return accounts


def run(
    signal: ConversionGap, observations: Iterable[Observation], state: GapState | None = None
) -> tuple[GapState, list[DriftAlert | Notice]]:
    state = state if state is not None else signal.new_state()
    return state, [alert for observation in observations for alert in signal.step(state, observation)]


def drift_alerts(alerts: Iterable[DriftAlert | Notice]) -> list[DriftAlert]:
    return [alert for alert in alerts if isinstance(alert, DriftAlert)]


def notices(alerts: Iterable[DriftAlert | Notice]) -> list[Notice]:
    return [alert for alert in alerts if isinstance(alert, Notice)]
