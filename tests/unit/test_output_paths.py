"""Where commands write: nothing that they read is overwritten, and a wrong path is said before the work, not after it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import BadInput
from streams.cli.import_csv import command as import_csv
from streams.cli.replay import command as replay
from tests.unit.simulated import ICP, ROOT, write_history

HUBSPOT = ROOT / "examples" / "import" / "hubspot"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_history(tmp_path / "events.jsonl", accounts=20, malformed=3)
    shutil.copy(ICP, tmp_path / "icp.yaml")
    (tmp_path / "plumbline.yaml").write_text("icp: [icp.yaml]\n", encoding="utf-8")
    for name in ("mapping.yaml", "companies.csv", "deals.csv"):
        shutil.copy(HUBSPOT / name, tmp_path)
    return tmp_path


def replayed(folder: Path, *options: str) -> Result:
    paths = [option.format(folder=folder) for option in options]
    return CliRunner().invoke(replay, [str(folder / "events.jsonl"), *paths])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("-o", "{folder}/events.jsonl"), "read and written at once"),
        (("-o", "{folder}/sub/../events.jsonl"), "read and written at once"),
        (("--rejects", "{folder}/events.jsonl"), "read and written at once"),
        (("--icp", "{folder}/icp.yaml", "-o", "{folder}/icp.yaml"), "read and written at once"),
        (("--settings", "{folder}/plumbline.yaml", "-o", "{folder}/icp.yaml"), "read and written at once"),
        (
            ("--settings", "{folder}/plumbline.yaml", "-o", "{folder}/plumbline.yaml"),
            "read and written at once",
        ),
        (("-o", "{folder}/a.jsonl", "--rejects", "{folder}/a.jsonl"), "the same file"),
        (("-o", "{folder}/none/a.jsonl"), "does not exist"),
        (("--rejects", "{folder}/none/a.jsonl"), "does not exist"),
        (("-o", "{folder}/pipe"), "not a regular file"),
        (("-o", "{folder}"), "not a regular file"),
    ],
)
def test_a_replay_writes_over_nothing_that_it_reads(
    folder: Path, options: tuple[str, ...], what: str
) -> None:
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    if not {"--icp", "--settings"} & set(options):
        options = (*options, "--icp", str(ICP))
    result = replayed(folder, *options)
    assert isinstance(result.exception, BadInput)
    assert what in str(result.exception)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_an_import_does_not_write_over_its_mapping(folder: Path) -> None:
    before = (folder / "mapping.yaml").read_bytes()
    files = [str(folder / name) for name in ("companies.csv", "deals.csv")]
    mapping = str(folder / "mapping.yaml")
    result = CliRunner().invoke(import_csv, ["--mapping", mapping, *files, "-o", mapping])
    assert isinstance(result.exception, BadInput)
    assert (folder / "mapping.yaml").read_bytes() == before


def test_rejects_of_an_earlier_replay_go_when_all_events_can_be_used(folder: Path) -> None:
    rejects = folder / "events.rejects.jsonl"
    assert replayed(folder, "--icp", str(ICP)).exit_code == 0
    assert len(rejects.read_bytes().splitlines()) == 3
    write_history(folder / "events.jsonl", accounts=20, malformed=0)
    assert replayed(folder, "--icp", str(ICP)).exit_code == 0
    assert not rejects.exists()
