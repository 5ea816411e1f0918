"""One account and the account stage, for the tests of detectors/accounts.py and what stands behind it: events are made
in a line, and timers fire as the processor fires them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from detectors.account_state import AccountState
from detectors.accounts import AccountStage
from detectors.effects import Effects
from schemas.alerts import Alert, encode_alert
from schemas.events import Event
from schemas.icp import ICP, load_icp

HOUR = 3600.0
DAY = 86400.0
T0 = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
"""a Monday's midnight, UTC"""
LATE_AFTER = 30 * DAY

HEAD = """
name: Test company
version: "{version}"
effective_from: {effective_from}
owner: revops@test.example
lifecycle:
  signed_up: {{event: product.event, name: signed_up}}
  activated: {{event: product.event, name: activated}}
  onboarded: {{event: product.event, name: onboarded}}
variants:
"""

VARIANT = """
  - name: main
    fit:
      - {name: warehouse, when: {technologies: {any: [snowflake]}}, weight: 60, because: "Closes twice as often"}
      - {name: reps, when: {sales_reps: {at_least: 20}}, weight: 30, because: "Reps ask daily"}
    triggers:
      - {name: pricing, when: {event: web.visit, path: {glob: "/pricing*"}}, weight: 25, half_life: 7d, because: "They look at prices"}
      - {name: invites, when: {event: product.event, name: invited}, weight: 10, half_life: 14d, because: "The team grows"}
      - {name: trouble, when: {event: support.ticket, subject: {contains: broken}}, weight: -30, half_life: 2d, because: "First mend it"}
"""

GOOD = {"technologies": ["snowflake"], "sales_reps": 50}


def icp(
    variants: str = VARIANT,
    *,
    version: str = "1",
    effective_from: str = "2026-01-01T00:00:00Z",
    more: str = "",
) -> ICP:
    """``variants`` as the list stands in the file, ``more`` for other keys of the file."""
    return load_icp(HEAD.format(version=version, effective_from=effective_from) + variants + more)


_made = 0


def event(kind: str, at: float, data: dict[str, Any], *, event_id: str = "", source: str = "test") -> Event:
    """An event of account ``a``. Every one has an id of its own unless one is given. ``at`` in Unix seconds."""
    global _made
    _made += 1
    made: Event = msgspec.convert(
        {
            "specversion": "1.0",
            "id": event_id or f"e{_made}",
            "source": source,
            "subject": "a",
            "type": kind,
            "time": datetime.fromtimestamp(at, UTC),
            "data": data,
        },
        Event,
    )
    return made


def visit(at: float, path: str = "/pricing", **data: Any) -> Event:
    url = f"https://ours.example{path}"
    return event("web.visit", at, {"visitor_id": "v", "url": url, "path": path, **data})


def product(at: float, name: str = "invited", **data: Any) -> Event:
    return event("product.event", at, {"name": name, **data})


def profile(at: float, **attributes: Any) -> Event:
    return event("account.profile", at, {"attributes": attributes})


def ticket(at: float, subject: str = "it is broken") -> Event:
    return event("support.ticket", at, {"ticket_id": f"t{at}", "subject": subject})


def stage_change(at: float, **data: Any) -> Event:
    return event("crm.stage_changed", at, {"opportunity_id": "o", "to_stage": "talking", **data})


def time_of(what: Event) -> float:
    return what.time.timestamp()


class Account:
    """Takes events in like the processor: what is due by an event's time fires first, then what the step made due."""

    def __init__(self, *icps: ICP, name: str = "a", signals: Sequence[Any] = ()) -> None:
        self.stage = AccountStage(icps or [icp()], signals, LATE_AFTER)
        self.name = name
        self.state: AccountState = self.stage.new_state(name)
        self.effects = Effects()
        self.watermark = 0.0

    def take(self, *events: Event) -> Sequence[Alert]:
        """The alerts that these events set off, timers included."""
        before = len(self.effects.alerts)
        for each in events:
            self._take(each)
        return self.effects.alerts[before:]

    def _take(self, what: Event) -> bool:
        at = time_of(what)
        if at > self.watermark:
            self.watermark = at
            self.stage.fire(self.name, self.state, at, self.effects)
        fresh = self.stage.step(self.name, self.state, what, at, self.effects)
        self.stage.fire(self.name, self.state, self.watermark, self.effects)
        return fresh

    def wait(self, until: float) -> Sequence[Alert]:
        """The alerts of the timers that are due by ``until`` (Unix seconds)."""
        before = len(self.effects.alerts)
        self.watermark = max(self.watermark, until)
        self.stage.fire(self.name, self.state, self.watermark, self.effects)
        return self.effects.alerts[before:]

    def score(self, now: float, variant: str = "main") -> float:
        compiled = self.stage.in_force(now).by_name[variant]
        return compiled.score(self.state, self.attributes, now).trigger

    def part(self, trigger: str, now: float, variant: str = "main") -> float:
        compiled = self.stage.in_force(now).by_name[variant]
        parts = compiled.trigger_parts(self.state, self.attributes, now)
        return next((part for each, part, _ in parts if each.name == trigger), 0.0)

    @property
    def attributes(self) -> dict[str, Any]:
        return {name: value for name, (value, _) in self.state.attributes.items() if value is not None}

    @property
    def raw(self) -> bytes:
        return self.stage.encode_state(self.name, self.state)

    @property
    def alerts(self) -> list[bytes]:
        return [encode_alert(alert) for alert in self.effects.alerts]


def after(events: Iterable[Event], *icps: ICP) -> Account:
    account = Account(*icps)
    account.take(*events)
    return account
