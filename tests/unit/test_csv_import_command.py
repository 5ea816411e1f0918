"""``plumbline import`` as a user runs it, on the samples that docs/import.md walks through."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.mapping import EventMapping, FileMapping, Mapping
from schemas.mapping_values import Value

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "examples" / "import"


def plumbline(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("plumbline"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "rows", "events"),
    [
        (
            "hubspot",
            {"read": 10, "used": 8, "left_out": 1, "rejected": 1},
            {"account.profile": 4, "crm.stage_changed": 9},
        ),
        (
            "salesforce",
            {"read": 8, "used": 5, "left_out": 0, "rejected": 3},
            {"account.profile": 2, "crm.stage_changed": 5},
        ),
    ],
)
def test_the_samples_come_in(tmp_path: Path, name: str, rows: dict[str, int], events: dict[str, int]) -> None:
    folder = SAMPLES / name
    run = plumbline(
        tmp_path,
        "import",
        "-m",
        folder / "mapping.yaml",
        *folder.glob("*.csv"),
        "-o",
        "events.jsonl",
        "--json",
    )
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["rows"] == rows
    assert summary["events"] == events
    assert summary["rejects_file"] == "events.rejects.csv"
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == sum(events.values())


def test_the_summary_for_people_tells_what_was_rejected_and_no_cell(tmp_path: Path) -> None:
    folder = SAMPLES / "hubspot"
    run = plumbline(
        tmp_path, "import", "-m", folder / "mapping.yaml", *folder.glob("*.csv"), "-o", "events.jsonl"
    )
    assert run.returncode == 0
    assert re.search(r"companies\.csv +5 +4 +0 +1", run.stdout)
    assert re.search(r"crm\.stage_changed +9", run.stdout)
    assert "1 row rejected: companies.csv:6, column Number of Employees: not a number" in run.stdout
    assert "the clock skipped, counted from before the jump: 1" in run.stdout
    assert "about 200" not in run.stdout + run.stderr
    assert "Litware" not in run.stdout + run.stderr


def test_strict_fails_and_writes_no_events(tmp_path: Path) -> None:
    folder = SAMPLES / "hubspot"
    run = plumbline(
        tmp_path, "import", "-m", folder / "mapping.yaml", *folder.glob("*.csv"), "-o", "e.jsonl", "--strict"
    )
    assert run.returncode == 1
    assert "1 row was rejected" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["e.rejects.csv"]


def test_a_wrong_mapping_exits_with_2_and_shows_the_places(tmp_path: Path) -> None:
    mapping = (SAMPLES / "hubspot" / "mapping.yaml").read_text().replace("{Deal owner}", "{Owner}")
    (tmp_path / "m.yaml").write_text(mapping)
    arguments = ("import", "-m", "m.yaml", SAMPLES / "hubspot" / "deals.csv", "-o", "e.jsonl")
    run = plumbline(tmp_path, *arguments)
    assert run.returncode == 2
    assert "m.yaml: 3 problems" in run.stderr
    assert "deals.csv has no column Owner (did you mean Deal owner?)" in run.stderr
    as_json = plumbline(tmp_path, *arguments, "--json")
    assert as_json.returncode == 2
    problems = json.loads(as_json.stdout)["problems"]
    assert [problem["code"] for problem in problems] == ["no_column"] * 3
    assert all(problem["line"] and problem["column"] for problem in problems)
    assert [path.name for path in tmp_path.iterdir()] == ["m.yaml"]


def test_a_mapping_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"files: \xff")
    run = plumbline(tmp_path, "import", "-m", "m.yaml", SAMPLES / "hubspot" / "deals.csv", "-o", "e.jsonl")
    assert run.returncode == 2
    assert "line 1, column 8" in run.stderr


def test_the_guide_shows_the_samples_as_they_are(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "import.md").read_text()
    blocks = re.findall(r"```(?:csv|yaml) title=(\S+)\n(.*?)```", guide, re.DOTALL)
    assert {name for name, _ in blocks} >= {
        "hubspot/companies.csv",
        "hubspot/deals.csv",
        "hubspot/mapping.yaml",
    }
    for name, text in blocks:
        sample = (SAMPLES / name).read_bytes()
        assert text == sample.decode("cp1252" if name == "salesforce/stage-history.csv" else "utf-8")
    told = re.search(r"```text title=summary\n(.*?)```", guide, re.DOTALL)
    assert told is not None
    folder = SAMPLES / "hubspot"
    run = plumbline(
        tmp_path, "import", "-m", folder / "mapping.yaml", *folder.glob("*.csv"), "-o", "events.jsonl"
    )
    assert [line.rstrip() for line in run.stdout.splitlines()] == told[1].splitlines()


def test_the_guide_names_every_key_of_a_mapping() -> None:
    guide = (ROOT / "docs" / "import.md").read_text()
    reference = guide[guide.index("## Reference") :]
    for model in (Mapping, FileMapping, EventMapping, Value):
        for name, info in model.model_fields.items():
            assert f"`{info.alias or name}`" in reference
