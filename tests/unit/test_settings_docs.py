"""docs/settings.md and docs/icp.md say every key, every default and only conditions that are right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.condition_fields import fields_of
from schemas.conditions import OPERATORS, read_condition
from schemas.event_subjects import NEEDED
from schemas.events import EVENT_CLASSES
from schemas.json_schema import icp_schema, settings_schema
from schemas.yaml_file import read_yaml

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
ICP = (DOCS / "icp.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \|(.*?)\|(.*)\|$", re.MULTILINE)
SECTIONS = {
    "All settings": "",
    "Each of `tokens`": "Token",
    "Each of `endpoints`": "Endpoint",
    "Each of `subscriptions`": "Subscription",
    "`egress`": "Egress",
    "`drift`": "DriftSettings",
    "`dead_letters`": "DeadLetterSettings",
    "`kafka`": "KafkaSettings",
    "`redis`": "RedisSettings",
}


def section(text: str, title: str) -> str:
    return re.split(r"^##+ ", text.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(("title", "part"), SECTIONS.items())
def test_every_setting_is_documented_with_its_default(title: str, part: str) -> None:
    schema = settings_schema()
    fields: dict[str, Any] = (schema["$defs"][part] if part else schema)["properties"]
    rows = {name: default.strip() for name, default, _ in ROW.findall(section(SETTINGS, title))}
    assert list(rows) == list(fields)
    for name, field in fields.items():
        if "default" in field and rows[name] != "none":
            written, _ = read_yaml(rows[name].strip("`"), "x")
            assert written == field["default"], name


def test_every_key_of_the_icp_file_is_documented() -> None:
    schema = icp_schema()
    conditions = {"test", "fields", "account_condition", "event_condition", "condition"}
    parts = [schema, *(part for name, part in schema["$defs"].items() if name not in conditions)]
    for part in parts:
        for key in part.get("properties", {}):
            assert re.search(rf"`{key}`|[{{ ]{key}:", ICP), key


def test_trigger_and_alert_tables_have_all_keys_in_order() -> None:
    parts = icp_schema()["$defs"]
    for title, name in (("A trigger", "Trigger"), ("`alert`", "AlertRules"), ("A variant", "Variant")):
        assert [row[0] for row in ROW.findall(section(ICP, title))] == list(parts[name]["properties"]), title


def test_every_operator_and_event_field_is_documented() -> None:
    text = section(ICP, "Conditions")
    for operator in OPERATORS:
        assert f"`{operator}`" in text
    for event in set(EVENT_CLASSES) - {"account.profile", *NEEDED}:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{event}` |")]
        assert set(re.findall(r"`(\w+)`", row.replace("(`won` or `lost`)", ""))) == set(fields_of(event))


def test_conditions_in_the_documentation_are_right() -> None:
    block = ICP.split("<!-- conditions: each line is tested -->\n```yaml\n")[1].split("```")[0]
    lines = block.splitlines()
    assert len(lines) >= 10
    for line in lines:
        assert read_condition(read_yaml(line, "docs/icp.md")[0])
