"""The runs of the benchmark of scenarios are kept in a file: none is made twice, and none is mistaken for another."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest

from bench.scenarios import results
from bench.scenarios.results import Kept, add, commit_of, digest_of, kept_in
from bench.scenarios.rounds import Run, Said, Told

ROOT = Path(__file__).parents[2]
NAME = "slg-hedged-notes"


def of_seed(seed: int, events: int = 1, scenario: str = NAME) -> Run:
    return Run(
        scenario=scenario,
        seed=seed,
        said=[Said("drift", "slg.hedged_language", "all", "drifting", 12.5)],
        told=[Told("slg.hedged_language", "hedged", "", 1.0, 1.0, -3.25, 4.5, True)] * 3,
        missing={},
        ramp_days=0.0,
        events=events,
        seconds=1.0,
    )


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert kept_in(path) == {}
    add(path, "abc", of_seed(1))
    add(path, "def", of_seed(2))
    assert kept_in(path) == {(NAME, 1): ("abc", of_seed(1)), (NAME, 2): ("def", of_seed(2))}


def test_of_two_runs_with_one_name_the_later_holds(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    add(path, "abc", of_seed(1))
    add(path, "def", of_seed(1, events=2))
    assert kept_in(path) == {(NAME, 1): ("def", of_seed(1, events=2))}


def test_a_run_of_other_parameters_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.jsonl"
    add(path, "abc", of_seed(1))
    larger = msgspec.structs.replace(results.size_of(results.SCENARIOS[NAME]), accounts=9999)
    monkeypatch.setattr(results, "size_of", lambda scenario: larger)
    assert kept_in(path) == {}


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    add(path, "abc", of_seed(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    add(path, "abc", of_seed(2))
    spoilt = Kept("abc", digest_of(NAME), of_seed(3), b"not compressed")
    with path.open("ab") as file:
        file.write(msgspec.json.encode(spoilt) + b"\n")
    assert set(kept_in(path)) == {(NAME, 1), (NAME, 2)}


def many(path: Path, first: int) -> None:
    for seed in range(first, first + 50):
        add(path, "abc", of_seed(seed))


def test_several_processes_add_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    context = get_context("fork")
    workers = [context.Process(target=many, args=(path, first)) for first in (0, 50, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert {seed for _, seed in kept_in(path)} == set(range(150))


def test_a_tree_without_git_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == results.UNKNOWN


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.scenarios", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_the_command_runs_one_scenario_once_and_says_what_it_found(tmp_path: Path) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "runs.jsonl"
    page.write_text("head\n<!-- bench.scenarios begins -->\nold\n<!-- bench.scenarios ends -->\ntail\n")
    asked = (NAME, "--seeds", 1, "--jobs", 1, "--results", kept)
    done = command(*asked, "--write", page)
    assert done.returncode == 0, done.stderr
    assert f"1/1 {NAME} seed 1: " in done.stderr
    written = page.read_text()
    assert f"| `{NAME}` | slg.hedged_language |" in written
    assert "old" not in written
    assert written.startswith("head\n")
    assert written.endswith("tail\n")
    again = command(*asked)
    assert again.stderr == ""
    assert again.stdout == done.stdout
    partly = command(NAME, "--seeds", 2, "--results", kept, "--from-results")
    assert partly.returncode == 0
    assert "**1 of 2 runs are missing.**" in partly.stdout
    assert "1 of 2 runs are not in" in partly.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["gloomy"], 2, "there is no scenario gloomy"),
        ([NAME, "--jobs", "0"], 2, "nothing is asked for"),
        ([NAME, "--from-results"], 2, "need --results"),
        ([NAME, "--results", "none.jsonl", "--from-results"], 1, "none of these runs is there"),
        ([NAME, "--results", "none.jsonl", "--from-results", "--again"], 2, "give one of them"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], status: int, says: str) -> None:
    refused = command(*arguments)
    assert refused.returncode == status
    assert says in refused.stderr
