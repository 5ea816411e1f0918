"""The mapping file: how CSV exports become one event history.

Rules:
1. A mapping is refused as a whole, with all its problems at once, before a row is read; load_mapping is the way in.
2. One row may become several events; several files may feed one account, since the subject names it.
3. Row conditions are written in the condition language, over the file's columns. An empty cell is not there.
4. Settings of a file stand before those at the top.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.condition_schema import condition_definitions
from schemas.conditions import AllOf, AnyOf, Node, Not, Test, read_condition
from schemas.events import EVENT_CLASSES
from schemas.file_positions import show_key
from schemas.json_schema import file_schema
from schemas.mapping_checks import event_misfits, file_misfits, mapping_misfits
from schemas.mapping_values import ColumnName, FieldValue, TextTemplate, TimeZone, listed
from schemas.written import Misfit, Written
from schemas.yaml_file import validate

MAX_FILES = 50
MAX_EVENTS = 20
MAX_FIELDS = 200

Encoding = Literal[
    "utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-2", "iso-8859-15", "cp1250", "cp1251", "mac-roman",
    "shift_jis", "gb18030", "big5", "euc-kr",
]  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")


def _delimiter(written: Any) -> Any:
    if written in _DELIMITERS:
        return written
    raise Misfit("this can't stand between cells", 'write ",", ";", "|" or "\\t" (a tab)', code="delimiter")


Delimiter = Annotated[
    str, BeforeValidator(_delimiter), WithJsonSchema({"type": "string", "enum": list(_DELIMITERS)})
]


def fields_in(node: Node) -> Iterable[Test]:
    """The tests in a condition."""
    if isinstance(node, Test):
        return [node]
    if isinstance(node, Not):
        return fields_in(node.of)
    return [test for child in node.of for test in fields_in(child)]


def _row_condition(written: Any) -> Node:
    if isinstance(written, Test | AllOf | AnyOf | Not):
        return written
    node = read_condition(written, "row").of_account
    for test in fields_in(node):
        operands = test.operand if isinstance(test.operand, list) else [test.operand]
        if len({_compared_as(operand) for operand in operands}) > 1:
            raise Misfit(
                f"`{show_key(test.field)}` is compared with texts and numbers at once",
                'write all of them as texts, in quotes, like ["1", "2a"]',
                (),
                code="condition",
            )
    return node


def _compared_as(operand: Any) -> str:
    if isinstance(operand, bool):
        return "boolean"
    return "number" if isinstance(operand, int | float) else "text"


def compared_as(test: Test) -> str:
    """``text``, ``number`` or ``boolean``: how the cell is read for this test, which its operand shows."""
    if test.operator == "exists":
        return "text"
    return _compared_as(test.operand[0] if isinstance(test.operand, list) else test.operand)


RowCondition = Annotated[Node, BeforeValidator(_row_condition), WithJsonSchema({"$comment": "row_condition"})]


class EventMapping(Written):
    """One event that a row becomes."""

    type: Annotated[
        str, Field(examples=["crm.stage_changed"], json_schema_extra={"enum": sorted(EVENT_CLASSES)})
    ]
    """The event's type: plumbline schema events shows them."""
    when: RowCondition | None = None
    """Only rows that fulfil this become this event."""
    id: TextTemplate | None = None
    """The event's id; without it, made from the row's key."""
    subject: Annotated[FieldValue, Field(examples=['"{Account ID}"'])]
    """The account's id, like "{Account ID}"."""
    time: Annotated[FieldValue, Field(examples=['{column: Close Date, format: "%d/%m/%Y"}'])]
    """When it happened, like {column: Close Date, format: "%d/%m/%Y"}."""
    data: dict[str, FieldValue] = Field(default_factory=dict, max_length=MAX_FIELDS)
    """The event's fields, with dots for what lies deeper: attributes.industry, properties.plan."""

    @classmethod
    def misfits(cls, written: abc.Mapping[str, Any]) -> Iterable[Misfit]:
        return event_misfits(written)


def _pattern(written: Any) -> Any:
    if isinstance(written, str) and ("/" in written or "\\" in written):
        raise Misfit(
            "the pattern is for the file's name alone",
            "take the folder out, and give the file's path on the command line",
            code="file_pattern",
        )
    return written


class FileMapping(Written):
    """How the rows of one kind of file become events."""

    file: Annotated[
        str, BeforeValidator(_pattern), Field(min_length=1, max_length=200, examples=['"*deals.csv"'])
    ]
    """Which files: a pattern over the file's name, with * and ?."""
    as_: Annotated[str, Field(alias="as", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["deals"])]
    """The export's name. It goes into the events' source and ids, so it should stay as it is."""
    source: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """The CloudEvents source; urn:plumbline:import:<as> without it."""
    key: (
        Annotated[
            list[ColumnName],
            BeforeValidator(listed, json_schema_input_type=ColumnName | list[ColumnName]),
            Field(min_length=1, max_length=20),
        ]
        | None
    ) = None
    """The columns that name a row once for all; the whole row without it."""
    when: RowCondition | None = None
    """Only rows that fulfil this are used."""
    time_zone: TimeZone | None = None
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    decimal_comma: Annotated[bool, Field(strict=True)] | None = None
    events: Annotated[list[EventMapping], Field(min_length=1, max_length=MAX_EVENTS)]

    @classmethod
    def misfits(cls, written: abc.Mapping[str, Any]) -> Iterable[Misfit]:
        return file_misfits(written)

    @property
    def event_source(self) -> str:
        return self.source or f"urn:plumbline:import:{self.as_}"


class Mapping(Written):
    """A whole mapping file."""

    time_zone: TimeZone | None = None
    """Where the clock hangs that wrote times without an offset."""
    encoding: Encoding = "utf-8"
    """How the files' characters are stored; Excel often writes cp1252 or utf-16."""
    delimiter: Delimiter = ","
    """What stands between the cells."""
    decimal_comma: Annotated[bool, Field(strict=True)] = False
    """Numbers are written 1.234,50 rather than 1,234.50."""
    files: Annotated[list[FileMapping], Field(min_length=1, max_length=MAX_FILES)]

    @classmethod
    def misfits(cls, written: abc.Mapping[str, Any]) -> Iterable[Misfit]:
        return mapping_misfits(written)


def load_mapping(text: str, name: str = "mapping.yaml") -> Mapping:
    """The mapping in ``text``. Raises FileRefused with all problems, each with line, column and what to write."""
    return validate(Mapping, text, name)


def mapping_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of mapping files."""
    schema = file_schema(Mapping, "Plumbline: mapping file")
    here = {"$ref": "#/$defs/row_condition"}
    several = {"type": "array", "minItems": 1, "items": here}
    schema["$defs"] |= {
        "test": condition_definitions()["test"],
        "row_condition": {
            "description": "On the row: columns to a value or to operators, like {Amount: {more_than: 0}}.",
            "type": "object",
            "minProperties": 1,
            "properties": {"any": several, "all": several, "not": here},
            "additionalProperties": {"$ref": "#/$defs/test"},
        },
    }
    return schema
