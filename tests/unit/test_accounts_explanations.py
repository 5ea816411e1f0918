"""Stories of accounts, told in YAML, and the alerts that they bring: as JSON and as people read them.

To renew the golden files after a wanted change, run this file with PLUMBLINE_RENEW_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from schemas.alerts import Alert, TriggerAlert, decode_alert, encode_alert
from schemas.icp import load_icp
from schemas.settings import Settings
from streams.alert_text import alert_text
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore

FOLDER = Path(__file__).parent.parent / "golden" / "explanations"
STORIES = sorted(path.name.removesuffix(".story.yaml") for path in FOLDER.glob("*.story.yaml"))
WIDTH = 100


def data_of(told: dict[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """The event's type and data for a line of a story."""
    match told:
        case {"profile": attributes}:
            return "account.profile", {"attributes": attributes}
        case {"visit": path}:
            return "web.visit", {"visitor_id": "v-1", "url": f"https://acme.example{path}", "path": path}
        case {"invited": user}:
            return "product.event", {"name": "user_invited", "user_id": user}
        case {"product": name}:
            return "product.event", {"name": name}
        case {"ticket": subject}:
            return "support.ticket", {"ticket_id": f"t-{number}", "subject": subject}
        case {"note": note}:
            return "crm.stage_changed", {"opportunity_id": "o-1", "to_stage": "evaluating", "note": note}
    raise ValueError(f"a story does not know {sorted(told)}")


def events(story: dict[str, Any]) -> list[bytes]:
    lines = []
    for number, told in enumerate(story["events"], 1):
        kind, data = data_of(told, number)
        lines.append(
            msgspec.json.encode(
                {
                    "specversion": "1.0",
                    "id": f"e{number}",
                    "source": "story",
                    "type": kind,
                    "subject": story["account"],
                    "time": told["at"],
                    "data": data,
                }
            )
        )
    return lines


def alerts_of(name: str) -> list[Alert]:
    story = YAML(typ="safe", pure=True)
    story.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    told = story.load((FOLDER / f"{name}.story.yaml").read_text())
    pipeline = Pipeline(MemoryStore(), [load_icp((FOLDER / "icp.yaml").read_text())], Settings(), None)
    results = pipeline.process(list(enumerate(events(told), 1)))
    until = msgspec.convert(told["until"], datetime).timestamp()
    results += pipeline.fire_timers(until)
    assert pipeline.ledger.dead_lettered == pipeline.ledger.late == 0
    return [alert for result in results for alert in result.effects.alerts]


def rounded(value: Any) -> Any:
    """Floating point may differ in the last digits from machine to machine."""
    match value:
        case float():
            return pytest.approx(value, abs=1e-9)
        case dict():
            return {key: rounded(entry) for key, entry in value.items()}
        case list():
            return [rounded(entry) for entry in value]
    return value


@pytest.mark.parametrize("name", STORIES)
def test_golden(name: str) -> None:
    alerts = alerts_of(name)
    assert alerts
    lines = [msgspec.json.format(encode_alert(alert), indent=2).decode() for alert in alerts]
    told = {
        "json": "[\n" + ",\n".join(lines) + "\n]\n",
        "txt": "\n\n".join(alert_text(a, WIDTH) for a in alerts) + "\n",
    }
    for ending, text in told.items():
        file = FOLDER / f"{name}.{ending}"
        if os.environ.get("PLUMBLINE_RENEW_GOLDEN") == "1":
            file.write_text(text, encoding="utf-8")
    assert json.loads(told["json"]) == rounded(
        json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    )
    assert told["txt"] == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STORIES)
def test_what_is_in_the_files_is_alerts_whose_parts_add_up(name: str) -> None:
    for raw in msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=list[msgspec.Raw]):
        alert = decode_alert(bytes(raw))
        if isinstance(alert, TriggerAlert):
            assert sum(part.contribution for part in alert.parts) == pytest.approx(alert.trigger, abs=1e-9)
            for reason in alert.why_now:
                left = sum(one.contribution for one in reason.evidence)
                assert left == pytest.approx(reason.contribution, abs=1e-9)


def test_there_are_files_for_each_story_and_no_others() -> None:
    expected = {"icp.yaml"} | {f"{n}.{ending}" for n in STORIES for ending in ("story.yaml", "json", "txt")}
    assert {path.name for path in FOLDER.iterdir()} == expected
    assert len(STORIES) >= 4
