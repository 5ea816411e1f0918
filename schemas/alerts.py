"""What goes out: trigger alerts, blocker follow-ups, missed activations, drift alerts and notices, ill sources.

An alert's ``id`` is the same on every replay; times are Unix seconds inside and RFC 3339 in JSON; scores are rounded
nowhere but in the words for people.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct


def alert_id(*parts: object) -> str:
    """32 hexadecimal digits from what makes the alert this one: kind, account, variant, episode and the like."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def moment(seconds: float) -> datetime:
    """Unix seconds as an aware datetime (UTC, to the millisecond)."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


class FitReason(Struct, kw_only=True):
    """One fulfilled fit rule: ``weight`` points of fit, and why the ICP's author gave them."""

    name: str
    weight: float
    because: str


class Evidence(Struct, kw_only=True):
    """One event that fed a trigger; ``contribution`` is what is left of it now, in points of trigger score."""

    event_id: str
    at: datetime
    contribution: float


class TriggerReason(Struct, kw_only=True):
    """One trigger's part of the score. ``fades`` says how, in words; ``evidence`` holds its newest events, newest first."""

    name: str
    contribution: float
    because: str
    fades: str
    evidence: list[Evidence]


class Part(Struct, kw_only=True):
    """One summand of the trigger score."""

    name: str
    contribution: float


class ExpectedObjection(Struct, kw_only=True):
    says: str
    answer: str


class Reach(Struct, kw_only=True):
    """A role of the buying committee; ``known`` holds the titles among the account's contacts that fit it."""

    role: str
    titles: list[str]
    known: list[str]


class ActiveBlocker(Struct, kw_only=True):
    name: str
    until: datetime
    because: str


class TriggerAlert(Struct, kw_only=True, tag_field="kind", tag="trigger"):
    """Call this account now, and why. ``parts`` add up to ``trigger``."""

    id: str
    at: datetime
    account: str
    account_name: str
    variant: str
    icp_version: str
    fit: float
    trigger: float
    threshold: float
    quadrant: str
    why_them: list[FitReason]
    why_now: list[TriggerReason]
    parts: list[Part]
    expect: list[ExpectedObjection]
    reach: list[Reach]
    blockers: list[ActiveBlocker]
    next: str


class BlockerEnded(Struct, kw_only=True, tag_field="kind", tag="blocker_ended"):
    """What stood in the way of selling to this account is over; ``next`` is the ICP's own advice."""

    id: str
    at: datetime
    account: str
    account_name: str
    variant: str
    icp_version: str
    blocker: str
    because: str
    fit: float
    trigger: float
    quadrant: str
    next: str


class ActivationMissed(Struct, kw_only=True, tag_field="kind", tag="activation_missed"):
    """An account that fits did not reach a milestone in the time that the ICP gives it."""

    id: str
    at: datetime
    account: str
    account_name: str
    variant: str
    icp_version: str
    milestone: str
    signed_up: datetime
    within: str
    fit: float
    next: str


class Interval(Struct, kw_only=True):
    """An estimate with its confidence interval (95 % unless the signal says otherwise) and what it rests on."""

    estimate: float
    low: float
    high: float
    n: int


class DriftAlert(Struct, kw_only=True, tag_field="kind", tag="drift"):
    """A drift signal changed its state to drifting or resolved."""

    id: str
    at: datetime
    signal: str
    segment: str
    state: str
    since: datetime
    since_margin_days: float
    before: Interval
    now: Interval
    statistic: float
    threshold: float
    mix_share: float | None
    what: str
    means: str
    check: str
    wrong_if: str
    promise: str
    evidence: list[str]


class Notice(Struct, kw_only=True, tag_field="kind", tag="notice"):
    """A named finding beside a signal's own pattern (whole funnel, slower not fewer): shown, never paged."""

    id: str
    at: datetime
    signal: str
    segment: str
    finding: str
    what: str
    means: str


class DataHealthAlert(Struct, kw_only=True, tag_field="kind", tag="data_health"):
    """A source of events is not what it was, or is well again. For those who run it: it says nothing of customers."""

    id: str
    at: datetime
    signal: str
    state: str
    source: str
    type: str
    symptom: str
    field: str
    since: datetime
    suspends: list[str]
    what: str
    means: str
    check: str
    promise: str


Alert = TriggerAlert | BlockerEnded | ActivationMissed | DriftAlert | Notice | DataHealthAlert

ALERT_CLASSES: dict[str, type[Struct]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (TriggerAlert, BlockerEnded, ActivationMissed, DriftAlert, Notice, DataHealthAlert)
}

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Alert)


def encode_alert(alert: Alert) -> bytes:
    """The alert as one line of JSON, byte for byte the same on every replay."""
    return _encoder.encode(alert)


def decode_alert(raw: bytes) -> Alert:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    alert: Alert = _decoder.decode(raw)
    return alert


def alert_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all alerts."""
    return msgspec.json.schema(Alert)
