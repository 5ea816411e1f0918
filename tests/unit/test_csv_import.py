"""The import as a whole: which events, in which order, with which ids; what is rejected, and that it all adds up."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import FileRefused, PlumblineError
from schemas.event_reader import decode_event
from schemas.mapping import load_mapping
from streams.csv_import.importing import run_import
from streams.csv_import.plan import make_plan
from tests.unit.csv_importing import NOW, Outcome, import_files, profiles, values_of

DEALS = """
files:
  - file: "*deals*.csv"
    as: deals
    key: deal
    when: {Test: {exists: false}}
    events:
      - type: crm.stage_changed
        subject: "{account}"
        time: "{opened}"
        data: {opportunity_id: "{deal}", to_stage: new, amount: "{amount}", currency: EUR}
      - type: crm.stage_changed
        when: {stage: {in: [won, lost]}, amount: {more_than: 0}}
        subject: "{account}"
        time: "{closed}"
        data: {opportunity_id: "{deal}", to_stage: "{stage}", outcome: "{stage}"}
  - file: "*accounts.csv"
    as: accounts
    source: https://crm.example
    key: account
    events:
      - type: account.profile
        id: "profile-{account}"
        subject: "{account}"
        time: "{at}"
        data: {attributes.open.roles: {column: roles, type: integer}}
"""
HEADER = "deal,account,opened,closed,stage,amount,Test\n"
ROWS = (
    "1,A,2026-03-01T00:00:00Z,2026-03-05T00:00:00Z,won,100,\n"
    "2,B,2026-02-01T00:00:00Z,,open,100,\n"
    "3,A,2026-01-01T00:00:00Z,2026-03-01T00:00:00Z,lost,0,\n"
    "4,C,2026-01-01T00:00:00Z,,,,yes\n"
)
ACCOUNTS = "account,at,roles\nA,2026-03-01T00:00:00Z,3\n"


def imported(folder: Path, rows: str = ROWS) -> Outcome:
    return import_files(folder, DEALS, {"accounts.csv": ACCOUNTS, "deals-march.csv": HEADER + rows})


def test_rows_become_events_in_the_order_of_time(tmp_path: Path) -> None:
    outcome = imported(tmp_path)
    assert [
        (event["time"][:10], event["subject"], event["data"].get("to_stage")) for event in outcome.events
    ] == [
        ("2026-01-01", "A", "new"),
        ("2026-02-01", "B", "new"),
        ("2026-03-01", "A", "new"),
        ("2026-03-01", "A", None),
        ("2026-03-05", "A", "won"),
    ]
    profile = outcome.events[3]
    assert (profile["id"], profile["source"]) == ("profile-A", "https://crm.example")
    assert profile["data"] == {"attributes": {"open": {"roles": 3}}}
    assert outcome.imported.events == {"account.profile": 1, "crm.stage_changed": 4}
    deals, accounts = outcome.imported.files
    assert (deals.read, deals.used, deals.left_out, deals.rejected) == (4, 3, 1, 0)
    assert (accounts.read, accounts.used) == (1, 1)


def test_what_import_writes_replay_reads(tmp_path: Path) -> None:
    for line in imported(tmp_path).output.read_bytes().splitlines():
        decode_event(line, now=NOW)


def test_the_same_import_gives_the_same_bytes(tmp_path: Path) -> None:
    first = imported(tmp_path).output.read_bytes()
    second = import_files(tmp_path, DEALS, {"deals-march.csv": HEADER + ROWS, "accounts.csv": ACCOUNTS})
    assert second.output.read_bytes() == first


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    imported(tmp_path)
    mapping = load_mapping(DEALS)
    twice = [tmp_path / "accounts.csv", tmp_path / ".." / tmp_path.name / "accounts.csv"]
    plan = make_plan(mapping, DEALS, "m", twice)
    assert [file.path for file in plan.files] == twice[:1]
    assert plan.unused == ["*deals*.csv"]


def test_ids_stay_when_the_file_is_renamed_grows_or_has_other_columns(tmp_path: Path) -> None:
    before = {event["id"] for event in imported(tmp_path).events}
    header = HEADER.strip() + ",more\n"
    rows = "9,Z,2026-01-01T00:00:00Z,,open,1,,x\n" + "".join(f"{line},y\n" for line in ROWS.splitlines())
    (tmp_path / "deals-march.csv").unlink()
    after = import_files(tmp_path, DEALS, {"new-deals.csv": header + rows, "accounts.csv": ACCOUNTS})
    assert {event["id"] for event in after.events} > before


def test_a_condition_that_cannot_read_its_number_rejects_the_row(tmp_path: Path) -> None:
    outcome = imported(tmp_path, "1,A,2026-03-01T00:00:00Z,2026-03-05T00:00:00Z,won,1.0.0,\n")
    assert [(one["code"], one["column"]) for one in outcome.rejects] == [("not_a_number", "amount")]
    assert outcome.imported.files[0].rejected == 1


def test_a_row_becomes_all_of_its_events_or_none(tmp_path: Path) -> None:
    outcome = imported(tmp_path, "1,A,2026-03-01T00:00:00Z,yesterday,won,5,\n")
    assert [(one["line"], one["column"], one["code"]) for one in outcome.rejects] == [
        ("2", "closed", "bad_time")
    ]
    assert [event["type"] for event in outcome.events] == ["account.profile"]


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("1,,2026-03-01T00:00:00Z,,open,5,", "empty_cell", "account"),
        (",A,2026-03-01T00:00:00Z,,open,5,", "empty_cell", "deal"),
        ("1,A,,,open,5,", "empty_cell", "opened"),
        ("1,A,2026-03-01T00:00:00Z,,open,-5,", "bad_value", "amount"),
        (f"1,{'A' * 300},2026-03-01T00:00:00Z,,open,5,", "bad_value", "account"),
        ("1,visitor:7,2026-03-01T00:00:00Z,,open,5,", "wrong_subject", "account"),
        ("1,A,2039-03-01T00:00:00Z,,open,5,", "in_future", "opened"),
        ("1,A,1960-03-01T00:00:00Z,,open,5,", "bad_time", "opened"),
        ("1,A,2026-03-01T00:00:00Z,2026-03-01T00:00:00Z,won,5,", None, None),
    ],
)
def test_what_no_event_may_hold_is_told_by_its_column(
    tmp_path: Path, row: str, code: str | None, column: str | None
) -> None:
    rejects = imported(tmp_path, row + "\n").rejects
    assert [(one["code"], one["column"]) for one in rejects] == ([] if code is None else [(code, column)])


def test_without_a_key_rows_alike_are_so_many_events_but_repeats_in_another_file(tmp_path: Path) -> None:
    table = "id,at,v\n" + "A,2026-11-01T00:00:00Z,login\n" * 3
    outcome = import_files(
        tmp_path, profiles("'{v}'"), {"a.csv": table, "b.csv": table + table.split("\n", 1)[1]}
    )
    assert len(outcome.events) == 6
    assert outcome.imported.repeats == 3
    ids = [event["id"] for event in outcome.events]
    assert len(set(ids)) == 6
    assert sorted(one.rpartition("-")[2] for one in ids) == ["1", "2", "3", "4", "5", "6"]


def test_with_a_key_the_same_row_twice_is_a_repeat_and_another_content_is_rejected(tmp_path: Path) -> None:
    table = "id,at,v\nA,2026-11-01T00:00:00Z,x\nB,2026-11-01T00:00:00Z,x\nA,2026-11-01T00:00:00Z,x\nA,2026-11-01T00:00:00Z,y\n"
    outcome = import_files(tmp_path, profiles("'{v}'", "key: id"), {"a.csv": table})
    assert values_of(outcome) == ["x", "x"]
    assert outcome.imported.repeats == 1
    (reject,) = outcome.rejects
    assert (reject["line"], reject["code"], "line 2" in reject["what"]) == ("5", "same_id", True)
    assert json.loads(reject["row"])["v"] == "y"
    (count,) = outcome.imported.files
    assert (count.read, count.used, count.rejected) == (4, 3, 1)


def test_strict_writes_the_rejects_but_no_events(tmp_path: Path) -> None:
    table = "id,at,v\nA,2026-11-01T00:00:00Z,x\nB,never,x\n"
    outcome = import_files(tmp_path, profiles("'{v}'"), {"a.csv": table}, strict=True)
    assert not outcome.imported.written
    assert not outcome.output.exists()
    assert len(outcome.rejects) == 1


def test_an_older_rejects_file_goes_when_nothing_is_rejected(tmp_path: Path) -> None:
    good, bad = "id,at,v\nA,2026-11-01T00:00:00Z,x\n", "id,at,v\nA,never,x\n"
    assert import_files(tmp_path, profiles("'{v}'"), {"a.csv": bad}).rejects
    outcome = import_files(tmp_path, profiles("'{v}'"), {"a.csv": good})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "events.jsonl"]
    assert outcome.imported.rejects_file is None


def test_columns_with_dots_and_other_words_of_the_condition_language(tmp_path: Path) -> None:
    table = "id,at,v,event,a.b\nA,2026-11-01T00:00:00Z,x,login,1\nB,2026-11-01T00:00:00Z,x,logout,1\nC,2026-11-01T00:00:00Z,x,login,no\n"
    outcome = import_files(tmp_path, profiles("'{v}'", "when: {event: login, a.b: true}"), {"a.csv": table})
    assert [event["subject"] for event in outcome.events] == ["A"]


def test_every_problem_of_mapping_and_files_comes_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        import_files(
            tmp_path,
            profiles("'{w}'", "key: [id, region]"),
            {"a.csv": "id,at\n", "b.csv": "id,when,w\n", "c.txt": "x\n"},
        )
    assert sorted(problem.what for problem in refused.value.problems) == [
        "a.csv has no column region",
        "a.csv has no column w",
        "b.csv has no column at",
        "b.csv has no column region",
        "no entry fits c.txt",
    ]
    assert not (tmp_path / "events.jsonl").exists()


def test_the_output_must_be_no_input_and_its_folder_must_be_there(tmp_path: Path) -> None:
    mapping = profiles("'{v}'").replace('"*.csv"', '"*"')
    with pytest.raises(PlumblineError, match="read and written at once"):
        import_files(tmp_path, mapping, {"events.jsonl": "id,at,v\n"})
    loaded = load_mapping(mapping)
    plan = make_plan(loaded, mapping, "m", [tmp_path / "events.jsonl"])
    with pytest.raises(PlumblineError, match="can't be written"):
        run_import(
            loaded, plan, tmp_path / "no" / "out.jsonl", strict=False, now=NOW, progress=lambda *_: None
        )


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(CELLS, st.sampled_from(["2026-11-01", "2026-01-05T10:00", "never", ""]), CELLS), max_size=12
    )
)
def test_whatever_the_cells_hold_rows_add_up_and_events_are_sound(
    tmp_path: Path, rows: list[tuple[str, str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("id", "at", "v"), *rows])
    outcome = import_files(tmp_path, profiles("'{v}'"), {"a.csv": text.getvalue()})
    (count,) = outcome.imported.files
    assert count.read == count.used + count.left_out + count.rejected
    assert count.rejected == len(outcome.rejects)
    assert count.used == len(outcome.events)
    assert count.read == sum(any(cell.strip() for cell in row) for row in rows)
    assert [event["time"] for event in outcome.events] == sorted(event["time"] for event in outcome.events)
