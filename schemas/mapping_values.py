"""Where a field of an event gets its value from: a column, a template over columns, or a constant, and how it is read.

Rules:
1. Short forms mean the long one: ``"{Deal ID}"`` is ``{column: Deal ID}``, ``"{first}-{last}"`` is ``{template: ...}``,
   anything without braces is ``{constant: ...}``. A brace itself is written twice.
2. A template of which one column is empty is empty.
3. A time is never guessed: what has no offset of its own needs a time zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.written import Misfit, Written

MAX_COLUMNS = 5
MAX_TABLE = 1000
MAX_FORMATS = 5

ReadAs = Literal["text", "number", "integer", "boolean", "time", "list", "money"]


class Column(Struct, frozen=True):
    name: str


Template = tuple[str | Column, ...]

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[^{}]+|[{}]")


def read_template(text: str) -> Template:
    """The texts and columns of ``text`` in their order. Raises Misfit where the braces do not pair."""
    pieces: list[str | Column] = []
    for match in _PIECES.finditer(text):
        piece = match[0]
        if match[1] is not None:
            pieces.append(Column(match[1].strip()))
            continue
        if piece in ("{", "}"):
            raise Misfit(
                "a brace stands alone",
                "write {column name} for a column, and {{ or }} for a brace itself",
                code="template",
            )
        literal = piece[0] if piece in ("{{", "}}") else piece
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += literal
        else:
            pieces.append(literal)
    return tuple(pieces)


def columns_of(template: Template) -> list[str]:
    return [piece.name for piece in template if isinstance(piece, Column)]


_DIRECTIVES = frozenset("aAdbBmyYHIpMSfzj%")
_ISO = "iso"
_UNIX = ("unix", "unix_ms")


def carries_zone(time_format: str) -> bool:
    """Whether every time in this format says its own offset. ISO 8601 may or may not: that is seen row by row."""
    return time_format in (_ISO, *_UNIX) or "%z" in time_format


def time_format(written: Any) -> Any:
    """Refuses what would be guessed, or would depend on the machine's language. Raises Misfit."""
    if not isinstance(written, str) or written in (_ISO, *_UNIX):
        return written
    found = re.findall(r"%(.?)", written)
    used = set(found) - {"%"}
    for directive in found:
        if directive == "Z":
            raise _format_misfit(
                "%Z (a zone's short name) is ambiguous", "use %z for offsets like -0300, or `time_zone`"
            )
        if directive not in _DIRECTIVES:
            raise _format_misfit(f"a time format has no %{directive}", "write it like %d/%m/%Y %H:%M")
    if not used:
        raise _format_misfit(
            "this is not a time format", "write iso, unix, unix_ms or a pattern like %d/%m/%Y"
        )
    if not used & {"y", "Y"}:
        raise _format_misfit("the format has no year", "add %Y (2026) or %y (26)")
    if "j" not in used and not ("d" in used and used & {"m", "b", "B"}):
        raise _format_misfit("the format has no day", "it needs %d and a month (%m, %b or %B), or %j")
    if "I" in used and "p" not in used:
        raise _format_misfit("%I is a 12-hour clock without am or pm", "use %H, or add %p")
    if "p" in used and "I" not in used:
        raise _format_misfit("%p does nothing beside %H", "use %I for a 12-hour clock")
    return written


def _format_misfit(what: str, remedy: str) -> Misfit:
    return Misfit(what, remedy, code="time_format")


def _zone(written: Any) -> Any:
    if isinstance(written, str):
        try:
            ZoneInfo(written)  # constant data that comes with the program, like a table in code
        except (LookupError, ValueError, OSError):
            raise Misfit(
                "there is no such time zone",
                "use a name like Europe/Berlin, America/Sao_Paulo or UTC",
                code="time_zone",
            ) from None
    return written


def _template(written: Any) -> Any:
    return read_template(written) if isinstance(written, str) else written


def _scalar(written: Any) -> Any:
    if isinstance(written, str | int | float | bool):
        return written
    raise Misfit("this must be a text, a number, or true or false", "write one value", code="wrong_type")


def listed(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


def _constant(written: Any) -> Any:
    if isinstance(written, list) and all(isinstance(one, str | int | float | bool) for one in written):
        return written
    return _scalar(written)


TimeZone = Annotated[str, BeforeValidator(_zone), Field(examples=["Europe/Berlin"])]
TimeFormat = Annotated[str, BeforeValidator(time_format)]
ColumnName = Annotated[str, Field(min_length=1, max_length=300)]
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
TextTemplate = Annotated[
    Any,
    BeforeValidator(_template),
    WithJsonSchema({"type": "string", "examples": ['"{Deal ID}"', '"{Region}-{Deal ID}"']}),
]


class Value(Written):
    """Exactly one of column, template and constant; the rest says how it is read."""

    column: (
        Annotated[
            list[ColumnName],
            BeforeValidator(listed, json_schema_input_type=ColumnName | list[ColumnName]),
            Field(min_length=1, max_length=MAX_COLUMNS),
        ]
        | None
    ) = None
    """A column of the CSV; of several, the first that is not empty."""
    template: TextTemplate | None = None
    """Text with columns in braces, like "{Date} {Time}"."""
    constant: (
        Annotated[
            Any,
            BeforeValidator(_constant),
            WithJsonSchema({"type": ["string", "number", "boolean", "array"]}),
        ]
        | None
    ) = None
    """The same value for every row."""
    type: ReadAs | None = None
    """How the cell is read; without it, as the event's field asks."""
    remove: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=20)]],
        BeforeValidator(listed, json_schema_input_type=str | list[str]),
    ] = Field(default_factory=list, max_length=20)
    """Texts that are taken out of the cell first, like "$"."""
    case: Literal["lower", "upper"] | None = None
    """Write the text in small or capital letters (e-mail domains as account ids)."""
    values: dict[str, Scalar | None] = Field(default_factory=dict, max_length=MAX_TABLE)
    """A table from what the cell holds to what the event gets; nothing (null) leaves the field out."""
    else_: Annotated[Scalar, Field(alias="else")] = "refuse"
    """What to do with a cell that is not in `values`: keep it, omit the field, refuse the row, or a constant."""
    empty: Scalar | None = None
    """What to do with an empty cell: omit the field, refuse the row, or a constant. Fields that must be there refuse."""
    separator: Annotated[str, Field(min_length=1, max_length=5)] | None = None
    """What stands between the entries of a list; ; without it."""
    format: (
        Annotated[
            list[TimeFormat],
            BeforeValidator(listed, json_schema_input_type=str | list[str]),
            Field(min_length=1, max_length=MAX_FORMATS),
        ]
        | None
    ) = None
    """How a time is written: iso (the default), unix, unix_ms, or a pattern like "%d/%m/%Y %H:%M"; of several, the first that fits."""
    time_zone: TimeZone | None = None
    """Where the clock hangs that wrote the time, when it has no offset of its own."""
    currency: TextTemplate | None = None
    """For money: three letters like EUR, or a column like "{Currency}"."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        given = [name for name in ("column", "template", "constant") if written.get(name) is not None]
        if len(given) != 1:
            yield Misfit(
                "exactly one of column, template and constant says where the value comes from",
                "write it like {column: Amount}" if not given else "take out " + " and ".join(given[1:]),
                code="value_source",
            )
        if given == ["constant"]:
            for name in written:
                if name not in ("constant", "template", "column"):
                    yield Misfit(
                        f"`{name}` does nothing beside a constant",
                        "take it out",
                        (name,),
                        code="useless",
                        on_key=True,
                    )
        if "else" in written and not written.get("values"):
            yield Misfit(
                "`else` does nothing without `values`",
                "add `values: {...}` or take it out",
                ("else",),
                code="useless",
                on_key=True,
            )

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(self.format) if self.format else (_ISO,)


def spelled_out(written: Any) -> Any:
    """The long form of what may be written short. Raises Misfit."""
    if isinstance(written, Mapping):
        return written
    if written is None:
        raise Misfit("nothing is given here", 'write a column like "{Amount}", or a constant', code="empty")
    if isinstance(written, str):
        template = read_template(written)
        if len(template) == 1 and isinstance(template[0], Column):
            return {"column": template[0].name}
        if columns_of(template):
            return {"template": written}
        return {"constant": "".join(str(piece) for piece in template)}
    return {"constant": written}


FieldValue = Annotated[
    Value,
    BeforeValidator(
        spelled_out, json_schema_input_type=str | float | bool | list[str | float | bool] | Value
    ),
]
"""A Value, in its long or in a short form."""


def read_as(written: Mapping[str, Any], kind: str) -> str:
    """How a value for a field of ``kind`` is read: as it says itself, as its own options show, or as the field asks."""
    if written.get("type") is not None:
        return str(written["type"])
    if kind != "any":
        return kind
    for option, reading in (
        ("currency", "money"),
        ("format", "time"),
        ("time_zone", "time"),
        ("separator", "list"),
    ):
        if written.get(option) is not None:
            return reading
    return "text"
