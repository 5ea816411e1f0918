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

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.event_problems import WIDE_INTEGER

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=32_768)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Day = Annotated[date, Meta(description="a day in UTC, like 2026-05-04")]
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


def refuse_wide_integers(values: dict[str, Any] | list[Any], path: str) -> None:
    """Raises msgspec.ValidationError for an integer that 64 bits do not hold."""
    for value in values if isinstance(values, list) else values.values():
        kind = type(value)
        if kind is int:
            if not -(2**63) <= value < 2**63:
                raise msgspec.ValidationError(f"{WIDE_INTEGER} - at `{path}`")
        elif kind is dict or kind is list:
            refuse_wide_integers(value, path + "[...]")


class AccountProfileData(Struct, kw_only=True, gc=False, omit_defaults=True):
    attributes: dict[str, Any]

    def __post_init__(self) -> None:
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise ValueError(f"an account has at most {MAX_ATTRIBUTES} attributes")
        refuse_wide_integers(self.attributes, "$.data.attributes[...]")
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


class DriftAnnouncedData(Struct, kw_only=True, gc=False, omit_defaults=True):
    """Without a ``segment`` it is about all of the signal's."""

    on: Day
    by: Name
    reason: Reason
    segment: Name | None = None

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


class DriftAnnounced(Envelope, tag="drift.announced", gc=False, omit_defaults=True):
    """A person says from which day on a change of the company's own making is to be expected, and why."""

    topic = "alert.outcomes"
    data: DriftAnnouncedData


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
    | DriftAnnounced
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
        DriftAnnounced,
        WebVisit,
    )
}
OF_SIGNALS = frozenset({DriftAcknowledged, DriftAnnounced})
"""What people say to a drift signal."""
NOT_OF_ACCOUNTS = frozenset({ProductReleased}) | OF_SIGNALS
"""Their subject is never an account."""

_encoder = msgspec.json.Encoder()


def encode_event(event: Event) -> bytes:
    """The event as one line of JSON (no newline inside): what the log, the JSONL files and the topics hold."""
    return _encoder.encode(event)


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all events, with what structs can't say: the attributes that are known, and money's currency."""
    (event, known), parts = msgspec.json.schema_components(
        (Event, KnownAttributes), ref_template="#/$defs/{name}"
    )
    attributes = parts.pop(known["$ref"].rpartition("/")[2])["properties"]
    parts[AccountProfileData.__name__]["properties"]["attributes"] |= {
        "description": "these and your own; null removes one",
        "maxProperties": MAX_ATTRIBUTES,
        "properties": {
            name: {key: part for key, part in one.items() if key != "default"}
            for name, one in attributes.items()
        },
    }
    parts[StageChangedData.__name__] |= {
        "if": {"required": ["amount"], "properties": {"amount": {"type": "number"}}},
        "then": {"required": ["currency"], "properties": {"currency": {"type": "string"}}},
    }
    return {**event, "$defs": parts}
