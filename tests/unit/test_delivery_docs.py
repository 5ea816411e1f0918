"""docs/webhooks.md against the code that it describes."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.duration import HOUR
from schemas.settings import Settings
from streams.delivery.policy import MAX_TRIES, Result, backoff_ceiling_s
from streams.delivery.sender import TIMEOUT_S, USER_AGENT
from streams.delivery.subscriptions import Route, judge
from tests.unit.delivery_alerts import AT, drift, trigger

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_every_result_is_explained() -> None:
    named = set(re.findall(r"`([a-z_]+)`", TEXT))
    assert {result.value for result in Result} - {Result.UNREADABLE} <= named


def test_the_figures_are_the_codes() -> None:
    ceilings = [backoff_ceiling_s(tries) for tries in range(1, MAX_TRIES)]
    written = re.search(r"their ceiling \(([^)]*)\): (\d+) hours", TEXT.replace("\n", " "))
    assert written is not None
    units = {"s": 1, "min": 60, "h": 3600}
    assert [
        sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)\b", part))
        for part in written[1].split(", ")
    ] == ceilings
    assert int(written[2]) == round(sum(ceilings) / 2 / HOUR)
    assert f"within {TIMEOUT_S:.0f} seconds" in TEXT
    assert USER_AGENT in TEXT
    assert f"webhook-timestamp: {AT.timestamp():.0f}" in TEXT


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_the_settings_shown_are_good_settings(block: str) -> None:
    data: dict[str, Any] = YAML(typ="safe").load(StringIO(block))
    for endpoint in data.get("endpoints", []):
        endpoint["secrets"] = ["whsec_" + "A" * 32]
    settings = Settings.model_validate(data)
    if settings.subscriptions:
        sdr, growth = settings.subscriptions
        now = AT.timestamp()
        assert judge(trigger(), sdr, now) is judge(drift(), growth, now) is Route.SEND
        assert judge(trigger(quadrant="nurture"), sdr, now) is Route.OTHER_QUADRANT
