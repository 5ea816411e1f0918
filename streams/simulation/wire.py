"""The lines of the file. Rare events are made of schemas.events structs; the frequent ones from templates.

A template gives the very bytes that encode_event gives for the same event (a test holds it), at a fraction of the cost.
Its texts must need no escaping in JSON: they come from the tables in this package only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from schemas.event_subjects import SIGNAL_PREFIX
from schemas.events import (
    AccountProfile,
    AccountProfileData,
    DriftAnnounced,
    DriftAnnouncedData,
    Event,
    ProductReleased,
    ProductReleasedData,
    StageChanged,
    StageChangedData,
    SupportTicket,
    SupportTicketData,
    encode_event,
)

PRODUCT = "https://app.acme.example"
SITE = "https://www.acme.example"
CRM = "https://crm.acme.example"
END = '"}'
HELP_DESK = "https://help.acme.example"
ENRICHMENT = "https://profiles.acme.example"
CHANGE_LOG = "https://changes.acme.example"


class Lines:
    """Lines with the second at which each happened, in any order."""

    __slots__ = ("texts", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.texts: list[str] = []

    def add(self, second: int, text: str) -> None:
        self.times.append(second)
        self.texts.append(text)

    def add_event(self, second: int, event: Event) -> None:
        self.times.append(second)
        self.texts.append(encode_event(event).decode())


def utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def product_frame(subject: str) -> tuple[str, str]:
    """What stands around an event's number: data + before + number + after + time + END."""
    return (
        f',"specversion":"1.0","id":"p-{subject}-',
        f'","source":"{PRODUCT}","subject":"{subject}","time":"',
    )


def product_data(name: str, user: str | None = None, feature: str | None = None) -> str:
    """The line's beginning, up to the end of its data."""
    return (
        f'{{"type":"product.event","data":{{"name":"{name}"'
        + (f',"user_id":"{user}"' if user else "")
        + (f',"feature":"{feature}"' if feature else "")
        + "}"
    )


def visit_frame(subject: str) -> tuple[str, str]:
    """As product_frame."""
    return (
        f',"specversion":"1.0","id":"w-{subject}-',
        f'","source":"{SITE}","subject":"{subject}","time":"',
    )


def visit_data(
    visitor: str,
    path: str,
    user: str | None = None,
    referrer: str | None = None,
    campaign: tuple[str, str] | None = None,
) -> str:
    """As product_data."""
    return (
        f'{{"type":"web.visit","data":{{"visitor_id":"{visitor}","url":"{SITE}{path}","path":"{path}"'
        + (f',"user_id":"{user}"' if user else "")
        + (f',"referrer":"{referrer}"' if referrer else "")
        + (f',"campaign":{{"source":"{campaign[0]}","medium":"{campaign[1]}"}}' if campaign else "")
        + "}"
    )


def profile(subject: str, number: int, second: int, source: str, attributes: dict[str, Any]) -> Event:
    return AccountProfile(
        specversion="1.0",
        id=f"a-{subject}-{number}",
        source=source,
        subject=subject,
        time=utc(second),
        data=AccountProfileData(attributes=attributes),
    )


def stage(subject: str, number: int, second: int, data: StageChangedData) -> Event:
    return StageChanged(
        specversion="1.0",
        id=f"s-{subject}-{number}",
        source=CRM,
        subject=subject,
        time=utc(second),
        data=data,
    )


def ticket(subject: str, number: int, second: int, data: SupportTicketData) -> Event:
    return SupportTicket(
        specversion="1.0",
        id=f"t-{subject}-{number}",
        source=HELP_DESK,
        subject=subject,
        time=utc(second),
        data=data,
    )


def release(number: int, second: int, data: ProductReleasedData) -> Event:
    return ProductReleased(
        specversion="1.0",
        id=f"r-{number}",
        source=PRODUCT,
        subject="product:acme",
        time=utc(second),
        data=data,
    )


def announcement(number: int, second: int, signal: str, data: DriftAnnouncedData) -> Event:
    return DriftAnnounced(
        specversion="1.0",
        id=f"n-{number}",
        source=CHANGE_LOG,
        subject=f"{SIGNAL_PREFIX}{signal}",
        time=utc(second),
        data=data,
    )
