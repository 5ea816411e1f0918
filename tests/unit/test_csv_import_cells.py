"""Cells to values: numbers, times, lists, tables; what does not fit says in which column and what to write."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.csv_import.cells import CellRefused, ClockChanges, read_number, time_reader
from tests.unit.csv_importing import import_files, profiles, values_of


@pytest.mark.parametrize(
    ("text", "comma", "number"),
    [
        ("12", False, 12),
        ("-3", False, -3),
        ("1,234,567.5", False, 1234567.5),
        ("1.234.567,5", True, 1234567.5),
        ("1 234", False, 1234),
        ("1\u202f234,5", True, 1234.5),
        ("12'500", False, 12500),
        (".5", False, 0.5),
        ("5.", False, 5.0),
        ("1.2E+3", False, 1200.0),
        ("1,5", True, 1.5),
    ],
)
def test_numbers(text: str, comma: bool, number: float) -> None:
    read = read_number(text, decimal_comma=comma)
    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize(
    ("text", "comma"),
    [
        ("", False), (".", False), ("-", False), ("12,50", False), ("12.50", True), ("1,23,456", False),
        ("nan", False), ("inf", False), ("1e999", False), ("1_000", False), ("\u0661\u0662", False),
        ("0x10", False), ("$5", False), ("9" * 20, False), ("1" * 41, False), ("1 2", False),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_without_being_shown(text: str, comma: bool) -> None:
    with pytest.raises(CellRefused) as refused:
        read_number(text, decimal_comma=comma)
    assert refused.value.code == "not_a_number"
    assert not text.strip(".,-") or text not in str(refused.value.what)


@given(st.integers(-(10**15), 10**15), st.integers(0, 999), st.booleans())
def test_a_number_written_with_groups_is_read_back(whole: int, thousandths: int, comma: bool) -> None:
    written = f"{whole:,}.{thousandths:03d}"
    if comma:
        written = written.translate(str.maketrans(",.", ".,"))
    expected = float(f"{whole}.{thousandths:03d}")
    assert read_number(written, decimal_comma=comma) == expected


@pytest.mark.parametrize(
    ("value", "cell", "expected"),
    [
        ("'{v}'", "text", "text"),
        ("'{v}'", "  spaces ", "spaces"),
        ("'{v}'", "", None),
        ("'<{v}>'", "", None),
        ("'<{v}>'", "x", "<x>"),
        ("{column: v, type: number}", "1,234.5", 1234.5),
        ("{column: v, type: integer}", "100.0", 100),
        ("{column: v, type: boolean}", "Yes", True),
        ("{column: v, type: boolean}", "f", False),
        ("{column: v, type: list}", "a; b;;c ", ["a", "b", "c"]),
        ("{column: v, separator: '|'}", "a|b", ["a", "b"]),
        ("{column: v, currency: EUR}", "10", {"amount": 10, "currency": "EUR"}),
        ("{column: v, currency: '{id}', remove: ['$', US]}", "US$ 10.5", {"amount": 10.5, "currency": "ABC"}),
        ("{column: v, format: '%d.%m.%Y'}", "24.12.2026", "2026-12-23T23:00:00Z"),
        ("{column: v, format: ['%d.%m.%Y', iso]}", "2026-12-24T10:00:00.250+01:00", "2026-12-24T09:00:00.250000Z"),
        ("{column: v, format: unix}", "1700000000", "2023-11-14T22:13:20Z"),
        ("{column: v, format: unix_ms}", "1700000000500", "2023-11-14T22:13:20.500000Z"),
        ("{column: v, case: upper}", "eur", "EUR"),
        ("{column: v, values: {a: 1, b: null}, else: keep}", "a", 1),
        ("{column: v, values: {a: 1, b: null}, else: keep}", "b", None),
        ("{column: v, values: {a: 1, b: null}, else: keep}", "c", "c"),
        ("{column: v, values: {a: x}, else: other}", "c", "other"),
        ("{column: v, values: {a: x}, else: omit}", "c", None),
        ("{column: v, values: {a: x}, case: lower}", "A", "x"),
        ("{column: v, empty: none}", "", "none"),
        ("{column: [w, v]}", "second", "second"),
        ("{template: '{v} {id}', case: lower}", "a", "a abc"),
        ("7", "", 7),
        ("[a, b]", "", ["a", "b"]),
        ("{column: v, type: text}", "007", "007"),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_the_mapping_says(tmp_path: Path, value: str, cell: str, expected: object) -> None:
    table = f'id,at,v,w\nABC,2026-11-01T00:00:00Z,"{cell}",\n'
    outcome = import_files(tmp_path, profiles(value), {"a.csv": table})
    assert outcome.rejects == []
    assert values_of(outcome) == [expected]


@pytest.mark.parametrize(
    ("value", "cell", "code"),
    [
        ("{column: v, type: number}", "about 5", "not_a_number"),
        ("{column: v, type: integer}", "1.5", "not_whole"),
        ("{column: v, type: boolean}", "maybe", "not_boolean"),
        ("{column: v, currency: euro}", "5", "not_a_currency"),
        ("{column: v, format: '%d.%m.%Y'}", "12/24/2026", "bad_time"),
        ("{column: v, format: unix}", "1e300", "bad_time"),
        ("{column: v, values: {a: b}}", "c", "not_in_table"),
        ("{column: v, empty: refuse}", "", "empty_cell"),
    ],
)
def test_a_cell_that_does_not_fit_is_reported_with_its_place(
    tmp_path: Path, value: str, cell: str, code: str
) -> None:
    table = f"id,at,v\ngood,2026-11-01T00:00:00Z,\nsecret-id,2026-11-01T00:00:00Z,{cell}\n"
    outcome = import_files(tmp_path, profiles(value), {"a.csv": table})
    reject = next(one for one in outcome.rejects if one["line"] == "3")
    assert (reject["file"], reject["column"], reject["code"]) == ("a.csv", "v", code)
    assert reject["remedy"]
    assert "secret-id" in reject["row"]
    reason = next(one for one in outcome.imported.reasons if one.code == code)
    told = f"{reason.what} {reason.remedy}"
    assert "secret-id" not in told
    assert not cell or cell not in told


@pytest.mark.parametrize(
    ("text", "utc", "skipped", "repeated"),
    [
        ("2026-03-29 02:30", "2026-03-29T01:30", 1, 0),  # Berlin's clock jumps from 02:00 to 03:00
        ("2026-03-29 01:59", "2026-03-29T00:59", 0, 0),
        ("2026-03-29 03:00", "2026-03-29T01:00", 0, 0),
        ("2026-10-25 02:30", "2026-10-25T00:30", 0, 1),  # and shows 02:00 to 03:00 twice
        ("2026-10-25 03:00", "2026-10-25T02:00", 0, 0),
    ],
)
def test_local_times_around_a_change_of_the_clock(text: str, utc: str, skipped: int, repeated: int) -> None:
    changes = ClockChanges()
    read = time_reader(("%Y-%m-%d %H:%M",), "Europe/Berlin", changes)
    assert read(text) == read(text) == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (changes.skipped, changes.repeated) == (2 * skipped, 2 * repeated)


@given(st.floats(86_400, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)))
def test_a_local_time_that_the_clock_showed_is_read_as_that_time(moment: datetime) -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    changes = ClockChanges()
    read = time_reader(("iso",), "America/Sao_Paulo", changes)(moment.isoformat())
    shown = read.astimezone(zone).replace(tzinfo=None)
    assert shown == moment or (changes.skipped == 1 and shown - moment == timedelta(hours=1))


@given(st.datetimes())
def test_no_time_within_the_calendar_breaks_the_reader(moment: datetime) -> None:
    read = time_reader(("iso",), "Pacific/Auckland", ClockChanges())
    if 2 <= moment.year <= 9998:
        assert abs(read(moment.isoformat()).replace(tzinfo=None) - moment) < timedelta(days=1)
    else:
        with contextlib.suppress(CellRefused):  # at its very ends a zone leads out of the calendar
            read(moment.isoformat())


def test_a_time_without_any_zone_is_refused(tmp_path: Path) -> None:
    mapping = profiles("x").replace("time_zone: Europe/Berlin", "")
    outcome = import_files(
        tmp_path, mapping, {"a.csv": "id,at\nA,2026-11-01T00:00:00\nB,2026-11-01T00:00:00Z\n"}
    )
    assert [one["code"] for one in outcome.rejects] == ["no_zone"]
    assert len(outcome.events) == 1
