"""The events that Plumbline reads: CloudEvents 1.0 in structured JSON, one event a message.

Rules:
1. ``subject`` is the account's id (and the key of the log), but for ``product:<name>`` on product.released and
   ``visitor:<id>`` on a web.visit whose account is not known yet.
2. Strict where it matters: an unknown ``type``, a missing field, a wrong JSON type, a time without an offset or
   money without a currency is refused with its JSON path and what to do. Fields that are not known are ignored.
3. Decoding is pure: the present time, for refusing events from the future, is given by the caller.

Reference: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.errors import EventRefused, Problem

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=32_768)]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset, like 2026-11-01T09:30:00Z")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, like EUR")]
Amount = Annotated[float, Meta(ge=0)]

MAX_ATTRIBUTES = 200
PRODUCT_PREFIX = "product:"
VISITOR_PREFIX = "visitor:"


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


class AccountProfileData(Struct, kw_only=True, gc=False, omit_defaults=True):
    attributes: dict[str, Any]

    def __post_init__(self) -> None:
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise ValueError(f"an account has at most {MAX_ATTRIBUTES} attributes")
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
    properties: dict[str, Any] | None = None


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


class WebVisit(Envelope, tag="web.visit", gc=False, omit_defaults=True):
    """A page was visited."""

    topic = "web.visits"
    data: WebVisitData


Event = (
    AccountProfile | StageChanged | ProductEvent | ProductReleased | SupportTicket | AlertOutcome | WebVisit
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
        WebVisit,
    )
}

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def decode_event(raw: bytes, limits: Limits = DEFAULT_LIMITS, now: float | None = None) -> Event:
    """The event in ``raw`` (UTF-8 JSON).

    ``now`` is the present in Unix seconds: events later than it by more than the tolerance are refused; None
    takes any time. Raises EventRefused, with a Problem whose ``code`` is one of the reasons below.

    Reasons: not_json, too_large, too_deep, unknown_type, missing_field, wrong_type, bad_value, bad_time, in_future,
    wrong_subject.
    """
    if len(raw) > limits.max_bytes:
        raise _refused(
            "too_large",
            f"the event has {len(raw)} bytes; the limit is {limits.max_bytes}",
            remedy="send less in text fields, or raise the limit max_event_bytes in the settings",
        )
    if raw.count(b"{") + raw.count(b"[") > limits.max_depth and _depth(raw) > limits.max_depth:
        raise _refused(
            "too_deep",
            f"the event is nested more than {limits.max_depth} levels deep",
            remedy="send flat properties, or raise the limit max_event_depth in the settings",
        )
    try:
        event: Event = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise EventRefused(_explain(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(
            "not_json", f"not JSON: {error}", remedy="send one CloudEvent as a UTF-8 JSON object"
        ) from None
    if now is not None and event.time.timestamp() > now + limits.future_tolerance_s:
        raise _refused(
            "in_future",
            "the event's time is in the future",
            where="$.time",
            remedy="check the sender's clock and time zone",
        )
    subject = event.subject
    if ":" in subject:
        if subject.startswith(PRODUCT_PREFIX) and type(event) is not ProductReleased:
            raise _refused(
                "wrong_subject",
                f"a subject {PRODUCT_PREFIX}... belongs to product.released",
                where="$.subject",
                remedy="give the account's id as the subject",
            )
        if subject.startswith(VISITOR_PREFIX) and type(event) is not WebVisit:
            raise _refused(
                "wrong_subject",
                f"a subject {VISITOR_PREFIX}... belongs to web.visit",
                where="$.subject",
                remedy="give the account's id as the subject",
            )
    if type(event) is ProductReleased and not subject.startswith(PRODUCT_PREFIX):
        raise _refused(
            "wrong_subject",
            "a release belongs to a product, not to an account",
            where="$.subject",
            remedy=f"write the subject as {PRODUCT_PREFIX}<name>",
        )
    return event


def encode_event(event: Event) -> bytes:
    """The event as one line of JSON (no newline inside): what the log, the JSONL files and the topics hold."""
    return _encoder.encode(event)


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of all events."""
    return msgspec.json.schema(Event)


def _refused(code: str, what: str, *, where: str = "$", remedy: str = "") -> EventRefused:
    return EventRefused(Problem(code=code, what=what, where=where, remedy=remedy))


def _depth(raw: bytes) -> int:
    deepest = level = 0
    for byte in _STRINGS.sub(b"", raw):
        if byte in b"{[":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"}]":
            level -= 1
    return deepest


def _explain(message: str) -> Problem:
    """A Problem from msgspec's own words, with a remedy."""
    match = _AT.match(message)
    # An error raised inside __post_init__ carries two places; the inner one is the exact one.
    what, path = (match["what"], match["path"] or "$") if match else (message, "$")
    inner = _AT.match(what)
    if inner is not None and inner["path"]:
        what, path = inner["what"], inner["path"]
    # No value of the event may reach an error text: it could be an address or a note.
    what = re.sub(r"^(Invalid (?:enum )?value) .*$", r"\1", what, flags=re.DOTALL)
    if path == "$.type":
        return Problem(
            code="unknown_type",
            what="not a type of event that Plumbline knows",
            where=path,
            remedy="use one of " + ", ".join(sorted(EVENT_CLASSES)),
        )
    if what.startswith("Object missing required field"):
        field = what.split("`")[1]
        return Problem(
            code="missing_field",
            what=f"`{field}` is missing",
            where=path,
            remedy=_REMEDIES.get(field, "add it"),
        )
    field = path.rsplit(".", 1)[-1]
    if "datetime" in what:
        return Problem(
            code="bad_time",
            what="a time must be RFC 3339 with an offset",
            where=path,
            remedy="write it like 2026-11-01T09:30:00Z or 2026-11-01T09:30:00+01:00",
        )
    code = "wrong_type" if what.startswith("Expected") and ", got" in what else "bad_value"
    return Problem(code=code, what=what, where=path, remedy=_REMEDIES.get(field, ""))


_REMEDIES = {
    "specversion": 'write "specversion": "1.0"',
    "id": "give every event an id that is its own within its source; a repeat of both is dropped",
    "source": 'name the system that sends, like "https://crm.example/eu"',
    "subject": "give the account's id as the subject",
    "time": "say when it happened, in RFC 3339 with an offset, like 2026-11-01T09:30:00Z",
    "data": "put what happened under data; plumbline schema events shows the fields",
    "type": "use one of " + ", ".join(sorted(EVENT_CLASSES)),
    "outcome": "plumbline schema events lists the values",
    "currency": "write three capital letters from ISO 4217, like EUR",
    "amount": "write a number that is not negative, without symbols or thousands separators, and its `currency`",
    "complexity": "write a whole number from 1 to 10",
    "employees": "write a number, not a text or a range",
    "seats": "write a number that is not negative",
    "arr": 'write {"amount": 12000, "currency": "EUR"}',
    "advisory_board": "write true or false",
    "technologies": 'write a list of texts, like ["snowflake", "dbt"]',
    "domains": 'write a list of texts, like ["acme.example"]',
    "name": "name what happened, like report_viewed",
}
