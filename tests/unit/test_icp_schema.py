"""The JSON Schemas: in step with the code, right for what people write, and useful in an editor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from schemas.json_schema import icp_schema, settings_schema
from schemas.yaml_file import read_yaml
from streams.cli.schema import SCHEMAS, command, schema_text

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme"

CAUGHT = [  # broken cases that an editor marks by the schema alone
    "at-least-one",
    "at-least-without-within",
    "bands",
    "date-without-time",
    "duration-without-unit",
    "empty-value",
    "event-and-field-misspelt",
    "event-in-fit-and-objection",
    "event-in-screen",
    "keep-and-drop",
    "lifecycle-without-event",
    "list-at-the-top",
    "list-without-operator",
    "mapping-for-list",
    "misspelt-fading",
    "misspelt-key",
    "missing-because",
    "name-with-spaces",
    "no-fading",
    "number-in-quotes",
    "operator-misspelt",
    "short-because",
    "source-name",
    "ticket-kinds",
    "time-without-offset",
    "trigger-without-event",
    "two-fadings",
    "unknown-key",
    "value-that-never-comes",
    "version-is-a-number",
    "within-without-at-least",
]


def errors(schema: dict[str, Any], text: str) -> list[str]:
    data, _ = read_yaml(text, "x")
    return [error.message for error in Draft202012Validator(schema).iter_errors(data)]


def test_file_beside_the_sample_is_in_step() -> None:
    text = (ACME / "icp.schema.json").read_text(encoding="utf-8")
    assert text == schema_text("icp"), "run: plumbline schema icp > examples/acme/icp.schema.json"


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_every_schema_is_one(name: str) -> None:
    result = CliRunner().invoke(command, [name])
    assert result.exit_code == 0
    schema = json.loads(result.output)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"].startswith("Plumbline")
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/icp.yaml")), ids=lambda path: path.parent.name)
def test_sample_icp_files_fit(path: Path) -> None:
    assert errors(icp_schema(), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [ACME / "plumbline.yaml", ROOT / "deploy" / "plumbline.yaml"], ids=str)
def test_sample_settings_files_fit(path: Path) -> None:
    assert errors(settings_schema(), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("case", CAUGHT)
def test_broken_files_do_not_fit(case: str) -> None:
    text = (ROOT / "tests" / "cases" / "icp" / f"{case}.yaml").read_text(encoding="utf-8")
    assert errors(icp_schema(), text)


@pytest.mark.parametrize(
    "text",
    [
        "listen: 8460",
        "late_after: 30",
        "drift: {false_alarms_per_year: 20}",
        "drift: {false_alarms_per_year: 0}",
        "endpoints: [{name: a, url: https://x.example/, secrets: []}]",
        "tokens: [{name: A B, token: x}]",
        "subscriptions: [{endpoint: a, kinds: [triger]}]",
        "lisen: 127.0.0.1:8460",
        "max_event_bytes: 10",
    ],
)
def test_broken_settings_do_not_fit(text: str) -> None:
    assert errors(settings_schema(), text)


@pytest.mark.parametrize("schema", [icp_schema(), settings_schema()], ids=["icp", "settings"])
def test_every_key_has_a_description_for_the_editor(schema: dict[str, Any]) -> None:
    conditions = {"test", "fields", "account_condition", "event_condition", "condition"}
    parts = {name: part for name, part in schema["$defs"].items() if name not in conditions}
    for name, part in {"": schema, **parts}.items():
        for key, field in part.get("properties", {}).items():
            referred = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
            assert field.get("description") or referred.get("description"), f"{name}.{key}"


def test_defaults_and_examples_are_as_people_write_them() -> None:
    parts = icp_schema()["$defs"]
    assert parts["AlertRules"]["properties"]["cooldown"]["default"] == "7d"
    assert parts["Trigger"]["properties"]["half_life"]["examples"] == ["7d"]
    assert "for" in parts["Blocker"]["properties"]
    for part in parts.values():
        for field in part.get("properties", {}).values():
            for example in field.get("examples", []) if isinstance(field, dict) else []:
                Draft202012Validator({**field, "$defs": parts}).validate(example)
