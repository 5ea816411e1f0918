"""The events that Plumbline reads: CloudEvents 1.0 in structured JSON, one event a message.

Rules:
1. ``subject`` is the account's id (and the key of the log), but where event_subjects.py says otherwise.
2. Strict where it matters: an unknown ``type``, a missing field, a wrong JSON type, a time without an offset or
   money without a currency is refused with its JSON path and what to do. Fields that are not known are ignored.
   Of a key that is given twice the last one counts; a second, different ``type`` is refused.
3. Decoding is pure: the present time, for refusing events from the future, is given by the caller.

Reference: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.errors import EventRefused, Problem
from schemas.event_depth import deeper_than
from schemas.event_problems import WIDE_INTEGER, explain, not_json, out_of_calendar
from schemas.event_subjects import wrong_subject

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=32_768)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset, like 2026-11-01T09:30:00Z")]
Currency = Annotated[str, Meta(max_length=3, pattern="^[A-Z]{3}$", description="ISO 4217, like EUR")]
Amount = Annotated[float, Meta(ge=0)]
Property = (
    Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | str | bool | list[Any] | dict[str, Any] | None
)
"""Any JSON, but no integer that state could not hold. What lies deeper is looked at only if there is something."""

MAX_ATTRIBUTES = 200


class Limits(Struct, frozen=True, kw_only=True):
    """What is refused before it is read. Bytes for a whole event, levels of nesting, seconds into the future."""

    max_bytes: int = 65_536
    max_depth: int = 8
    future_tolerance_s: float = 3600.0


DEFAULT_LIMITS = Limits()


class Money(Struct, kw_only=True):
    amount: Amount
    currency: Currency


class KnownAttributes(Struct, kw_only=True):
    """The attributes of an account whose type Plumbline relies on. Any others are kept as they come; null removes."""

    industry: str | None = None
    employees: Annotated[float, Meta(ge=0)] | None = None
    domains: list[str] | None = None
    acquisition_source: str | None = None
    customer_since: Time | None = None
    renews_at: Time | None = None
    tier: str | None = None
    seats: Annotated[float, Meta(ge=0)] | None = None
    arr: Money | None = None
    advisory_board: bool | None = None
    technologies: list[str] | None = None


def _refuse_wide_integers(values: dict[str, Any] | list[Any], path: str) -> None:
    """Raises msgspec.ValidationError for an integer that 64 bits do not hold."""
    for value in values if isinstance(values, list) else values.values():
        kind = type(value)
        if kind is int:
            if not -(2**63) <= value < 2**63:
                raise msgspec.ValidationError(f"{WIDE_INTEGER} - at `{path}`")
        elif kind is dict or kind is list:
            _refuse_wide_integers(value, path + "[...]")


class AccountProfileData(Struct, kw_only=True, gc=False, omit_defaults=True):
    attributes: dict[str, Any]

    def __post_init__(self) -> None:
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise ValueError(f"an account has at most {MAX_ATTRIBUTES} attributes")
        _refuse_wide_integers(self.attributes, "$.data.attributes[...]")
        try:
            msgspec.convert(self.attributes, KnownAttributes)
        except msgspec.ValidationError as error:
            raise ValueError(str(error).replace("`$", "`$.data.attributes", 1)) from None


class StageChangedData(Struct, kw_only=True, gc=False, omit_defaults=True):
    opportunity_id: Id
    to_stage: Name
    from_stage: Name | None = None
    outcome: Literal["won", "lost"] | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    owner_id: Id | None = None
    opened_at: Time | None = None
    note: Text | None = None
    loss_reason: Text | None = None

    def __post_init__(self) -> None:
        if self.amount is not None and self.currency is None:
            raise ValueError("`amount` needs a `currency`")


class ProductEventData(Struct, kw_only=True, gc=False, omit_defaults=True):
    name: Name
    user_id: Id | None = None
    feature: Name | None = None
    properties: dict[str, Property] | None = None


class ProductReleasedData(Struct, kw_only=True, gc=False, omit_defaults=True):
    release: Name
    complexity: Annotated[int, Meta(ge=1, le=10)]
    features: list[Name] = []


class SupportTicketData(Struct, kw_only=True, gc=False, omit_defaults=True):
    ticket_id: Id
    subject: Text
    body: Text | None = None
    category: Name | None = None
    status: Name | None = None
    user_id: Id | None = None
    priority: Name | None = None


class Campaign(Struct, kw_only=True, gc=False, omit_defaults=True):
    source: Text | None = None
    medium: Text | None = None
    name: Text | None = None


class WebVisitData(Struct, kw_only=True, gc=False, omit_defaults=True):
    visitor_id: Id
    url: Text
    path: Text
    user_id: Id | None = None
    title: Text | None = None
    referrer: Text | None = None
    campaign: Campaign | None = None


class AlertOutcomeData(Struct, kw_only=True, gc=False, omit_defaults=True):
    alert_id: Id
    outcome: Literal["acknowledged", "snoozed", "wrong", "replied", "meeting_held", "opportunity_opened"]
    by: Name | None = None
    reason: Text | None = None


class DriftAcknowledgedData(Struct, kw_only=True, gc=False, omit_defaults=True):
    segment: Name
    by: Name
    reason: Reason
    retake_baseline: bool = False

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("`reason` says nothing")


class Envelope(Struct, kw_only=True, gc=False, omit_defaults=True, tag_field="type"):
    """The CloudEvents attributes that Plumbline reads. ``source`` and ``id`` together name an event once for all."""

    topic: ClassVar[str]

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=512)]
    subject: Id
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"


class AccountProfile(Envelope, tag="account.profile", gc=False, omit_defaults=True):
    """What is known of an account. Merges attribute by attribute: the newest event time wins, null removes."""

    topic = "crm.accounts"
    data: AccountProfileData


class StageChanged(Envelope, tag="crm.stage_changed", gc=False, omit_defaults=True):
    """An opportunity moved to another stage, or was won or lost."""

    topic = "crm.stage-changes"
    data: StageChangedData


class ProductEvent(Envelope, tag="product.event", gc=False, omit_defaults=True):
    """Somebody did something in the product."""

    topic = "product.events"
    data: ProductEventData


class ProductReleased(Envelope, tag="product.released", gc=False, omit_defaults=True):
    """A release went out. ``complexity`` 1 to 10 is the firm's own scale."""

    topic = "product.events"
    data: ProductReleasedData


class SupportTicket(Envelope, tag="support.ticket", gc=False, omit_defaults=True):
    """A ticket was opened or changed."""

    topic = "support.tickets"
    data: SupportTicketData


class AlertOutcome(Envelope, tag="alert.outcome", gc=False, omit_defaults=True):
    """What became of an alert, said by the person who got it."""

    topic = "alert.outcomes"
    data: AlertOutcomeData


class DriftAcknowledged(Envelope, tag="drift.acknowledged", gc=False, omit_defaults=True):
    """A person knows of a drift and says so; ``retake_baseline``: and what is now is normal from now on."""

    topic = "alert.outcomes"
    data: DriftAcknowledgedData


class WebVisit(Envelope, tag="web.visit", gc=False, omit_defaults=True):
    """A page was visited."""

    topic = "web.visits"
    data: WebVisitData


Event = (
    AccountProfile
    | StageChanged
    | ProductEvent
    | ProductReleased
    | SupportTicket
    | AlertOutcome
    | DriftAcknowledged
    | WebVisit
)

EVENT_CLASSES: dict[str, type[Envelope]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (
        AccountProfile,
        StageChanged,
        ProductEvent,
        ProductReleased,
        SupportTicket,
        AlertOutcome,
        DriftAcknowledged,
        WebVisit,
    )
}
NOT_OF_ACCOUNTS = frozenset({ProductReleased, DriftAcknowledged})
"""Their subject is never an account."""

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()

_EVENT_TYPES = ", ".join(sorted(EVENT_CLASSES))

_LAST_TIME = datetime(9000, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()

_CONTROL = re.compile(r"[\x00-\x1f]")


def decode_event(raw: bytes, limits: Limits = DEFAULT_LIMITS, now: float | None = None) -> Event:
    """The event in ``raw``, as event_reader reads it."""
    return event_reader(limits, now)(raw)[2]


def event_reader(
    limits: Limits = DEFAULT_LIMITS, now: float | None = None
) -> Callable[[bytes], tuple[str, float, Event]]:
    """What reads events (UTF-8 JSON): raw -> (subject, time in Unix seconds, event).

    ``now`` is the present in Unix seconds: events later than it by more than the tolerance are refused; None takes any
    time. The reader raises EventRefused, with a Problem whose ``code`` is one of the reasons below. It is prepared
    once for many events, since this is the hot path.

    Reasons: not_json, too_large, too_deep, unknown_type, missing_field, wrong_type, bad_value, bad_time, in_future,
    wrong_subject.
    """
    max_bytes, max_depth = limits.max_bytes, limits.max_depth
    latest = _LAST_TIME if now is None else min(now + limits.future_tolerance_s, _LAST_TIME)
    decode = _decoder.decode

    def read(raw: bytes) -> tuple[str, float, Event]:
        if len(raw) > max_bytes:
            raise _refused(
                "too_large",
                f"the event has {len(raw)} bytes; the limit is {max_bytes}",
                remedy="send less in text fields, or raise the limit max_event_bytes in the settings",
            )
        containers = raw.count(b"{")
        if b"[" in raw:
            containers += raw.count(b"[")
        if containers > max_depth and deeper_than(raw, max_depth):
            raise _refused(
                "too_deep",
                f"the event is nested more than {max_depth} levels deep",
                remedy="send flat properties, or raise the limit max_event_depth in the settings",
            )
        try:
            if not raw.isascii():
                raw.decode()  # msgspec does not look into the texts that it skips
            event: Event = decode(raw)
        except msgspec.ValidationError as error:
            raise EventRefused(explain(str(error), _EVENT_TYPES)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EventRefused(not_json(raw, error)) from None
        at = event.time.timestamp()
        if not 0 <= at <= latest:
            raise _wrong_time(at)
        subject = event.subject
        # What most events have no sign of is looked at apart. 92 is a backslash: only an escape can bring a control
        # character into a text.
        if (
            containers > 3
            or ":" in subject
            or 92 in raw
            or not subject.isprintable()
            or type(event) in NOT_OF_ACCOUNTS
        ):
            _refuse_unusual(raw, event, containers)
        return subject, at, event

    return read


def _wrong_time(at: float) -> EventRefused:
    if not 0 <= at <= _LAST_TIME:
        return EventRefused(out_of_calendar())
    return _refused(
        "in_future",
        "the event's time is in the future",
        where="$.time",
        remedy="check the sender's clock and time zone",
    )


def _refuse_unusual(raw: bytes, event: Event, containers: int) -> None:
    """Raises EventRefused for what only an event that looks unusual can have."""
    if containers > 3 and type(event) is ProductEvent and event.data.properties:
        try:
            _refuse_wide_integers(event.data.properties, "$.data.properties[...]")
        except msgspec.ValidationError as error:
            raise EventRefused(explain(str(error), _EVENT_TYPES)) from None
    subject = event.subject
    if not subject.isprintable():  # it goes into keys, pages and terminals
        raise _refused(
            "wrong_subject",
            "the subject has characters that can't be printed",
            where="$.subject",
            remedy="give the account's id as the subject, without control characters",
        )
    if 92 in raw:
        _refuse_control_characters(event)
    if ":" in subject or type(event) in NOT_OF_ACCOUNTS:
        problem = wrong_subject(str(type(event).__struct_config__.tag), subject)
        if problem is not None:
            raise EventRefused(problem)


def encode_event(event: Event) -> bytes:
    """The event as one line of JSON (no newline inside): what the log, the JSONL files and the topics hold."""
    return _encoder.encode(event)


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all events."""
    return msgspec.json.schema(Event)


def _refused(code: str, what: str, *, where: str = "$", remedy: str = "") -> EventRefused:
    return EventRefused(Problem(code=code, what=what, where=where, remedy=remedy))


def _refuse_control_characters(event: Event) -> None:
    """CloudEvents 1.0 forbids them in attributes, and lists and terminals would trip over them."""
    for name in ("id", "source"):
        if _CONTROL.search(getattr(event, name)):
            raise _refused(
                "bad_value",
                "it holds a control character",
                where=f"$.{name}",
                remedy="leave out NUL, line breaks, tabs and the like",
            )
