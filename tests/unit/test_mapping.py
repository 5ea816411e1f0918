"""What a sound mapping comes to, and its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from schemas.conditions import AllOf
from schemas.conditions import Test as FieldTest
from schemas.errors import FileRefused
from schemas.event_fields import NoSuchField, event_field, names_of
from schemas.events import EVENT_CLASSES
from schemas.mapping import load_mapping, mapping_schema
from schemas.mapping_values import Column, read_template

ROOT = Path(__file__).parent.parent.parent
SAMPLES = [
    ROOT / "examples" / name
    for name in ("olist/mapping.yaml", "import/hubspot/mapping.yaml", "import/salesforce/mapping.yaml")
]

SHORT = """
time_zone: Europe/Berlin
files:
  - file: "*.csv"
    as: deals
    when: {event: signup, any: [{Owner.name: Ada}, {account: {in: [1, 2]}}]}
    events:
      - type: crm.stage_changed
        subject: "{Region}-{Account}"
        time: "{Closed}"
        data: {opportunity_id: "{{{Deal}}}", to_stage: "{{won}}"}
"""


def test_short_forms_mean_the_long_ones() -> None:
    event = load_mapping(SHORT).files[0].events[0]
    assert event.subject.template == (Column("Region"), "-", Column("Account"))
    assert event.time.column == ["Closed"]
    assert event.time.formats == ("iso",)
    assert event.data["opportunity_id"].template == ("{", Column("Deal"), "}")
    assert event.data["to_stage"].constant == "{won}"


def test_a_row_condition_may_name_columns_that_mean_something_in_other_conditions() -> None:
    node = load_mapping(SHORT).files[0].when
    assert isinstance(node, AllOf)
    assert node.of[0] == FieldTest("event", "equals", "signup")


def test_the_source_is_made_from_the_name_unless_given() -> None:
    assert load_mapping(SHORT).files[0].event_source == "urn:plumbline:import:deals"
    given = SHORT.replace("as: deals", "as: deals\n    source: https://crm.example/eu")
    assert load_mapping(given).files[0].event_source == "https://crm.example/eu"


@pytest.mark.parametrize("path", SAMPLES, ids=[str(path.relative_to(ROOT)) for path in SAMPLES])
def test_the_samples_are_sound_and_fit_the_schema(path: Path) -> None:
    text = path.read_text()
    load_mapping(text, path.name)
    jsonschema.Draft202012Validator(mapping_schema()).validate(YAML(typ="safe", pure=True).load(text))
    hint = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / hint).resolve() == ROOT / "examples" / "import" / "mapping.schema.json"


def test_the_schema_in_the_examples_is_the_one_of_the_code() -> None:
    written = json.loads((ROOT / "examples/import/mapping.schema.json").read_text())
    assert written == mapping_schema(), (
        "write it anew: plumbline schema mapping > examples/import/mapping.schema.json"
    )


def test_the_schema_itself_is_valid_and_refuses_what_it_can() -> None:
    schema = mapping_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sound = YAML(typ="safe", pure=True).load(SHORT)
    validator.validate(sound)
    for broken in (
        {**sound, "filse": []},
        {**sound, "delimiter": "::"},
        {"files": []},
        {"files": [{**sound["files"][0], "as": "Not A Name"}]},
        {"files": [{**sound["files"][0], "events": [{"type": "crm.stage", "subject": "x", "time": "y"}]}]},
    ):
        assert not validator.is_valid(broken)


def test_every_name_offered_for_an_event_type_is_one() -> None:
    for event in EVENT_CLASSES:
        for name in names_of(event):
            assert event_field(event, name.replace("<name>", "anything")).kind


@pytest.mark.parametrize(
    ("event", "name", "kind"),
    [
        ("account.profile", "attributes.arr", "money"),
        ("account.profile", "attributes.arr.amount", "number"),
        ("account.profile", "attributes.customer_since", "time"),
        ("account.profile", "attributes.open_roles.data_engineer", "any"),
        ("crm.stage_changed", "amount", "number"),
        ("product.released", "complexity", "integer"),
        ("product.released", "features", "list"),
        ("product.event", "properties.plan.name", "any"),
        ("web.visit", "campaign.medium", "text"),
    ],
)
def test_a_field_is_read_as_its_event_type_says(event: str, name: str, kind: str) -> None:
    assert event_field(event, name).kind == kind


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("account.profile", "attributes"),
        ("account.profile", "attributes."),
        ("account.profile", "attributes.tier.level"),
        ("account.profile", "attributes.a.b.c.d.e.f"),
        ("crm.stage_changed", ""),
        ("crm.stage_changed", "note.text"),
        ("product.event", "properties"),
        ("web.visit", "campaign"),
        ("web.visit", "campaign.mediun"),
    ],
)
def test_what_is_no_field_is_refused(event: str, name: str) -> None:
    with pytest.raises(NoSuchField) as refused:
        event_field(event, name)
    assert refused.value.near


def test_braces_pair() -> None:
    assert read_template("a{{b}}{ c d }") == ("a{b}", Column("c d"))
    assert read_template("") == ()


def test_a_mapping_that_blows_up_is_refused() -> None:
    many = "\n".join(f"          attributes.a{i}: x" for i in range(300))
    text = f"""files:
  - file: "*"
    as: wide
    events:
      - type: account.profile
        subject: "{{id}}"
        time: "{{at}}"
        data:
{many}
"""
    with pytest.raises(FileRefused, match="at most 200"):
        load_mapping(text)
