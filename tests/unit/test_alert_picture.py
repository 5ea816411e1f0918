"""setup/alert_picture.py: how the README's pictures of alerts are retaken."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schemas.alerts import Alert
from streams.alert_text import alert_text
from tests.unit.delivery_alerts import drift, trigger

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "setup" / "alert_picture.py")]


@pytest.mark.parametrize("alert", [trigger(), drift()])
def test_a_picture_shows_the_alert_and_brings_nothing_from_elsewhere(alert: Alert) -> None:
    """As plumbline deliveries show --json gives it."""
    made = subprocess.run(
        [*COMMAND, "some-alert"],
        input=msgspec.json.encode({"alert": alert, "deliveries": []}),
        capture_output=True, cwd=ROOT, check=True, timeout=60,
    ).stdout.decode()  # fmt: skip
    body = made[made.index('<g class="some-alert-matrix"') :]
    shown = "".join(html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", body))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", alert_text(alert, 98))
    assert set(re.findall(r"https?://[^\"\s]+", made)) == {"http://www.w3.org/2000/svg"}


def test_without_a_name_it_says_how_it_is_used() -> None:
    said = subprocess.run(COMMAND, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert said.returncode == 1
    assert "setup/alert_picture.py NAME" in said.stderr
