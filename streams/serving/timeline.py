"""What happened to one account, newest first: milestones, the events that fed triggers, alerts, blockers.

Bounded: evidence holds the newest events of each trigger (detectors/triggers.py), alerts are the newest MAX_ALERTS, and
the whole is cut to MAX_ENTRIES.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detectors.account_state import AccountState
from detectors.compiled_icp import CompiledICP
from schemas.alerts import (
    ActivationMissed,
    Alert,
    BlockerEnded,
    TriggerAlert,
    moment,
)
from streams.serving.views import Fed, TimelineEntry

MAX_ENTRIES = 100
MAX_ALERTS = 50

MILESTONES = {
    "signed_up": "Signed up",
    "activated": "Activated",
    "onboarded": "Onboarded",
    "converted": "Converted",
    "churned": "Churned",
}


def timeline(
    icp: CompiledICP, state: AccountState, attributes: dict[str, Any], alerts: Sequence[Alert], now: float
) -> list[TimelineEntry]:
    """``alerts``: this account's, in any order. ``now`` in Unix seconds: what contributions are as of."""
    entries = [
        TimelineEntry(at=moment(at), kind="milestone", what=MILESTONES.get(name, name))
        for name, at in state.milestones.items()
    ]
    entries += _events(icp, state, attributes, now)
    entries += [entry for alert in alerts if (entry := _alert(alert)) is not None]
    entries += _blockers(icp, state, now)
    # Of one moment, what followed from something stands above it.
    order = ("alert", "blocker_ends", "blocker_began", "milestone", "event")
    entries.sort(key=lambda entry: (-entry.at.timestamp(), order.index(entry.kind), entry.what))
    return entries[:MAX_ENTRIES]


def _events(
    icp: CompiledICP, state: AccountState, attributes: dict[str, Any], now: float
) -> list[TimelineEntry]:
    """One entry an event, though it may have fed several triggers."""
    feeds: dict[tuple[float, str], list[Fed]] = {}
    for variant in icp.variants:
        for trigger, _, cell in variant.score(state, attributes, now).parts:
            for event_id, at, left in trigger.evidence(cell, now):
                fed = Fed(variant=variant.name, trigger=trigger.name, contribution=left)
                feeds.setdefault((at, event_id), []).append(fed)
    return [
        TimelineEntry(
            at=moment(at),
            kind="event",
            what=", ".join(dict.fromkeys(fed.trigger for fed in fed_by)),
            event_id=event_id,
            feeds=fed_by,
        )
        for (at, event_id), fed_by in feeds.items()
    ]


def _alert(alert: Alert) -> TimelineEntry | None:
    match alert:
        case TriggerAlert():
            what = f"Alert for {alert.variant}: trigger {alert.trigger:.1f}, fit {alert.fit:g}"
        case BlockerEnded():
            what = f"Follow-up for {alert.variant}: the blocker {alert.blocker} is over"
        case ActivationMissed():
            what = f"Not {alert.milestone} within {alert.within} ({alert.variant})"
        case _:
            return None
    return TimelineEntry(at=alert.at, kind="alert", what=what, alert_id=alert.id)


def _blockers(icp: CompiledICP, state: AccountState, now: float) -> list[TimelineEntry]:
    entries = []
    for variant in icp.variants:
        standing = state.variants.get(variant.name)
        for rule in variant.written.blockers:
            until = standing.blockers.get(rule.name) if standing is not None else None
            if until is None:
                continue
            about = f"{rule.name} ({variant.name})"
            entries.append(
                TimelineEntry(at=moment(until - rule.for_), kind="blocker_began", what=f"Blocked: {about}")
            )
            if until <= now:
                entries.append(
                    TimelineEntry(at=moment(until), kind="blocker_ends", what=f"No longer blocked: {about}")
                )
    return entries
