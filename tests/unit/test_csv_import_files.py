"""CSV files as they come: broken, hostile, or just odd. What is in doubt is refused, nothing is lost without a word."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from schemas.errors import FileRefused, PlumblineError
from streams.csv_import.tables import Table
from tests.unit.csv_importing import import_files, profiles, values_of

HEADER = "id,at,v\n"
AT = "2026-11-01T00:00:00Z"
TEXT = profiles("'{v}'")


def row(name: str, value: str = "x") -> str:
    return f"{name},{AT},{value}\n"


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "no_header", 1),
        (b"\n\n", "no_header", 1),
        (b" , ,\n", "no_header", 1),
        ((HEADER + row("A") + row("B", "a\0b")).encode(), "nul", 3),
        (HEADER.encode() + row("A").encode() + b"B," + AT.encode() + b",caf\xe9\n", "encoding", 3),
        (codecs.BOM_UTF16_LE + HEADER.encode("utf-16-le"), "encoding", 1),
        ((HEADER + row("A") + row("B", '"never closed') + row("C")).encode(), "open_quote", 3),
        ((HEADER + row("A", '"' + "x" * 140_000 + '"')).encode(), "too_large", 2),
        ((HEADER + row("A") + "x" * 1_100_000).encode(), "too_large", 3),
        ((HEADER + row("A") + '"' + "line\n" * 300_000).encode(), "too_large", 3),
    ],
)
def test_what_puts_the_file_in_doubt_is_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes, code: str, line: int
) -> None:
    with pytest.raises(FileRefused) as refused:
        import_files(tmp_path, TEXT, {"a.csv": content})
    (problem,) = refused.value.problems
    assert (refused.value.name, problem.code, problem.line) == ("a.csv", code, line)
    assert problem.remedy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_a_byte_order_mark_of_another_encoding_says_which_it_is(tmp_path: Path) -> None:
    """A spreadsheet writes "CSV UTF-8" with one."""
    content = codecs.BOM_UTF8 + (HEADER + row("A", "café")).encode()
    with pytest.raises(FileRefused) as refused:
        import_files(tmp_path, "encoding: cp1252\n" + TEXT, {"a.csv": content})
    (problem,) = refused.value.problems
    assert (problem.code, problem.remedy) == ("encoding", "write `encoding: utf-8` in the mapping")


def test_a_byte_that_is_not_in_the_encoding_is_found_with_its_column(tmp_path: Path) -> None:
    content = HEADER.encode() + b"x" * 300_000 + b"\n" + b"B,caf\xe9\n"
    with pytest.raises(FileRefused) as refused:
        import_files(tmp_path, TEXT, {"a.csv": content})
    assert (refused.value.problems[0].line, refused.value.problems[0].column) == (3, 6)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252"), ("shift_jis", "shift_jis")],
)
def test_encodings(tmp_path: Path, encoding: str, written: str) -> None:
    value = "é" if encoding != "shift_jis" else "日本"
    content = (HEADER + row("A", value)).encode(written)
    outcome = import_files(tmp_path, profiles("'{v}'", f"encoding: {encoding}"), {"a.csv": content})
    assert values_of(outcome) == [value]


def test_rows_that_cannot_be_cut_into_columns_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    table = (
        HEADER
        + row("A")
        + "too,few\n"
        + f"B,{AT},x,too many\n"
        + f'C,{AT},"quoted "badly" here"\n'
        + f'D,{AT},"a ""quote"", a comma,\nand a line"\n'
        + "\n , ,\n"
        + row("E")
        + "Copyright 2026\n"
    )
    outcome = import_files(tmp_path, TEXT, {"a.csv": table})
    assert [(one["line"], one["code"]) for one in outcome.rejects] == [
        ("3", "bad_csv"),
        ("4", "bad_csv"),
        ("5", "bad_csv"),
        ("11", "bad_csv"),
    ]
    assert outcome.rejects[0]["row"] == "too,few"
    assert {event["subject"] for event in outcome.events} == {"A", "D", "E"}
    assert 'a "quote", a comma,\nand a line' in values_of(outcome)
    (count,) = outcome.imported.files
    assert (count.read, count.used, count.left_out, count.rejected) == (7, 3, 0, 4)


def test_a_quote_that_swallows_lines_tells_down_to_where(tmp_path: Path) -> None:
    table = HEADER + row("A", '"open') + row("B") + row("C", '"closed"') + row("D")
    outcome = import_files(tmp_path, TEXT, {"a.csv": table})
    (reject,) = outcome.rejects
    assert (reject["line"], "down to line 4" in reject["what"]) == ("2", True)
    assert "B," in reject["row"]
    assert "C," in reject["row"]
    assert [event["subject"] for event in outcome.events] == ["D"]


@pytest.mark.parametrize("delimiter", [",", ";", "\\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    sign = delimiter.replace("\\t", "\t")
    table = (HEADER + row("A")).replace(",", sign)
    outcome = import_files(tmp_path, profiles("'{v}'", f'delimiter: "{delimiter}"'), {"a.csv": table})
    assert values_of(outcome) == ["x"]


def test_lines_may_end_in_any_way_and_names_have_spaces_around_them(tmp_path: Path) -> None:
    for ending in ("\r\n", "\r", "\n"):
        table = (" id , at ,v \n" + row("A") + row("B").rstrip("\n")).replace("\n", ending)
        outcome = import_files(tmp_path, TEXT, {"a.csv": table})
        assert [event["subject"] for event in outcome.events] == ["A", "B"]
        assert outcome.rejects == []


def test_the_rejects_file_holds_no_formula(tmp_path: Path) -> None:
    outcome = import_files(tmp_path, TEXT, {"=cmd.csv": HEADER + "=HYPERLINK(1)\n"})
    (reject,) = outcome.rejects
    assert reject["file"] == "'=cmd.csv"
    assert reject["row"] == "'=HYPERLINK(1)"


def test_a_file_that_is_gone_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match="can't be read"):
        Table(tmp_path / "none.csv", encoding="utf-8", delimiter=",")
