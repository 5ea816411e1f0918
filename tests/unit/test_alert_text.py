"""What people read, against golden files: to renew them after a wanted change, run with PLUMBLINE_RENEW_GOLDEN=1."""

from __future__ import annotations

import os
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import Alert, Part
from streams.alert_text import alert_text
from streams.terminal_text import printable
from tests.unit.delivery_alerts import (
    AT,
    activation_missed,
    blocked,
    blocker_ended,
    data_health,
    drift,
    notice,
    trigger,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "alerts"
ALERTS: dict[str, Alert] = {
    "trigger": trigger(),
    "trigger-bare": trigger(
        account_name="", quadrant="discover", why_them=[], expect=[], reach=[], why_now=[], parts=[]
    ),
    "trigger-full": trigger(
        blockers=[blocked()],
        trigger=26.25,
        threshold=20.0,
        parts=[
            *trigger().parts,
            Part(name="asks-for-help-leaving", contribution=-40.0),
            Part(name="hiring-dispatchers", contribution=5.0),
            Part(name="faded-away", contribution=0.01),
        ],
    ),
    "blocker-ended": blocker_ended(),
    "activation-missed": activation_missed(),
    "drift": drift(),
    "drift-resolved": drift(state="resolved", segment="all"),
    "notice": notice(),
    "data-health": data_health(),
}


@pytest.mark.parametrize("name", ALERTS)
def test_golden(name: str) -> None:
    text = alert_text(ALERTS[name], 100) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("PLUMBLINE_RENEW_GOLDEN") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_there_is_a_golden_file_for_each_and_no_other() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
@pytest.mark.parametrize("width", [0, 40, 60, 200])
def test_lines_keep_to_the_width(name: str, width: int) -> None:
    assert max(map(len, alert_text(ALERTS[name], width).splitlines())) <= max(width, 40)


@given(
    text=st.text() | st.sampled_from(["\x1b[2J", "\x1b]0;x\x07", "\u202eevil", "a\rb", "a\n\nb", "\x9b31m"])
)
def test_nothing_from_outside_reaches_the_terminal_as_a_command(text: str) -> None:
    for alert in (
        trigger(account_name=text, next=text, variant=text, quadrant=text),
        drift(what=text, segment=text, state=text),
    ):
        assert all(sign.isprintable() for sign in alert_text(alert, 80).replace("\n", ""))
    assert "\n" not in printable(text)


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    assert alert_text(trigger(at=elsewhere), 80) == alert_text(trigger(), 80)
