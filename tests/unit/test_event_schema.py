"""The JSON Schemas of events and alerts: who writes or reads them elsewhere sees in them what Plumbline takes and sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.alerts import encode_alert
from schemas.errors import EventRefused
from schemas.event_reader import decode_event
from schemas.events import KnownAttributes
from streams.cli.schema import SCHEMAS
from tests.unit.delivery_alerts import drift, notice, trigger
from tests.unit.simulated import write_history

EVENTS = Draft202012Validator(SCHEMAS["events"]())


def event(type_: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "e-1", "source": "test", "type": type_,
        "subject": "acct-1", "time": "2026-11-01T09:30:00Z", "data": data,
    }  # fmt: skip


def stage(**data: Any) -> dict[str, Any]:
    return event("crm.stage_changed", {"opportunity_id": "o-1", "to_stage": "demo", **data})


def profile(**attributes: Any) -> dict[str, Any]:
    return event("account.profile", {"attributes": attributes})


def both(written: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the program takes it, and whether the schema does."""
    try:
        decode_event(json.dumps(written).encode())
    except EventRefused:
        return False, EVENTS.is_valid(written)
    return True, EVENTS.is_valid(written)


def test_events_of_a_company_are_as_the_schema_says(tmp_path: Path) -> None:
    history = write_history(tmp_path / "events.jsonl", accounts=20, malformed=0)
    events = [json.loads(line) for line in history.read_bytes().splitlines()]
    assert len({each["type"] for each in events}) >= 6
    for each in events[:: max(1, len(events) // 300)]:
        EVENTS.validate(each)


@pytest.mark.parametrize(
    "written",
    [
        profile(
            industry="software", employees=120, domains=["a.example"], arr={"amount": 1, "currency": "EUR"}
        ),
        profile(advisory_board=True, renews_at="2027-01-01T00:00:00Z", our_own={"any": ["thing"]}),
        profile(industry=None, technologies=None),
        stage(amount=12000, currency="EUR"),
        stage(amount=None),
        stage(currency="EUR"),
    ],
)
def test_what_is_taken(written: dict[str, Any]) -> None:
    assert both(written) == (True, True)


@pytest.mark.parametrize(
    "written",
    [
        profile(employees="many"),
        profile(employees=-1),
        profile(domains="a.example"),
        profile(advisory_board="yes"),
        profile(arr=12000),
        profile(arr={"amount": 12000}),
        profile(**{f"a{n}": n for n in range(201)}),
        stage(amount=12000),
        stage(amount=12000, currency=None),
        stage(amount=12000, currency="euro"),
        stage(outcome="wonn"),
        event("product.released", {"release": "1.2", "complexity": 11}),
        event("product.used", {"name": "x"}),
    ],
)
def test_what_is_refused(written: dict[str, Any]) -> None:
    assert both(written) == (False, False)


def test_the_attributes_that_are_known_are_named() -> None:
    attributes = SCHEMAS["events"]()["$defs"]["AccountProfileData"]["properties"]["attributes"]
    assert set(attributes["properties"]) == set(KnownAttributes.__struct_fields__)


def test_alerts_are_as_the_schema_says() -> None:
    alerts = Draft202012Validator(SCHEMAS["alerts"]())
    for alert in (trigger(), drift(), notice()):
        alerts.validate(json.loads(encode_alert(alert)))
    assert not alerts.is_valid({**json.loads(encode_alert(notice())), "kind": "rumour"})
