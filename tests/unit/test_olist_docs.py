"""docs/olist.md, and what docs/detection.md says of Olist, against the data and the program. Skips where the data is not there."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.signals.contract import ALL
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.alerts import DriftAlert, Notice
from schemas.observations import Observation
from schemas.settings import Settings
from streams.history import batches
from streams.icp_files import load_icps
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "olist"
PAGE = (ROOT / "docs" / "olist.md").read_text(encoding="utf-8")
DETECTION = (ROOT / "docs" / "detection.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
SHOWN = dict(re.findall(r"^```text title=(\S+)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE))
WRITTEN = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
"""what ``--json`` says of all: as the files are, and with the decisions"""
OTHER_SIGNAL = re.compile(
    r"(learning|watching|drifting|resolved|suspended|ill) (?!plg\.conversion_gap )[a-z]+\.[a-z_]+ "
)
SPEED = re.compile(r"in [\d.]+ s \([\d,]+ k/s\)")

pytestmark = pytest.mark.skipif(
    not (DATA / "leads.csv").exists() or not (DATA / "deals.csv").exists(),
    reason="the Olist files are not at ../shared/data/olist (see examples/olist/README.md)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the reader has it: the two files beside the examples."""
    made = tmp_path_factory.mktemp("olist")
    for name in ("leads.csv", "deals.csv"):
        shutil.copyfile(DATA / name, made / name)
    shutil.copytree(ROOT / "examples" / "olist", made / "examples" / "olist")
    return made


@pytest.fixture(scope="module")
def said(folder: Path) -> list[list[str]]:
    """The lines that the page's commands print, run in their order."""
    return [lines(run(command.strip(), folder)) for command in COMMANDS]


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    settings = dict(word.split("=", 1) for word in words if word.startswith("PLUMBLINE_"))
    words = words[len(settings) :]
    assert words[0] == "plumbline"
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words[1:]],
        cwd=folder,
        env={**os.environ, "COLUMNS": "110", "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def lines(text: str) -> list[str]:
    """Without what differs from run to run (how fast it was), and without other signals, which have their own pages; the
    longest name of a segment sets the columns, so blanks are one."""
    shown = [" ".join(SPEED.sub("", line).split()) for line in text.rstrip("\n").split("\n")]
    return [line for line in shown if not OTHER_SIGNAL.match(line)]


def test_the_commands_print_what_stands_below_them(said: list[list[str]]) -> None:
    assert list(SHOWN) == ["import", "replay", "ended"]
    assert said == [lines(SHOWN["import"]), lines(SHOWN["replay"])]


def test_what_is_counted_in_and_out_is_what_json_says(folder: Path, said: list[list[str]]) -> None:
    report = msgspec.json.decode(run(COMMANDS[1].strip() + " --json -o alerts.jsonl", folder))
    whole = whole_of(report)
    assert msgspec.json.decode(WRITTEN[0]) == {"n": whole["n"], "counted_out": whole["counted_out"]}
    assert report["ledger"]["received"] == report["ledger"]["applied"] == 17_684
    assert f"{whole['baseline']['n']:,} of\nthem" in PAGE
    told = [msgspec.json.decode(line) for line in (folder / "alerts.jsonl").read_bytes().splitlines()]
    ill = [alert for alert in told if alert["kind"] == "data_health"]
    assert {(alert["type"], alert["symptom"]) for alert in ill} == {
        ("account.profile", "silent"),
        ("product.event", "silent"),
    }
    assert {(alert["since"], alert["at"][:10]) for alert in ill} == {("2018-05-31T04:00:00Z", "2018-06-06")}


@pytest.mark.parametrize("by_horizon", [60], indirect=True)
def test_what_the_silence_touched_adds_up_to_all_leads(
    by_horizon: tuple[int, list[Observation]], said: list[list[str]]
) -> None:
    _, observations = by_horizon
    began, found = (datetime(2018, *day, tzinfo=UTC).timestamp() for day in ((5, 31, 4), (6, 6, 4)))
    left_out = Counter(each.measure for each in observations if each.at >= began and each.known >= found)
    counted = msgspec.json.decode(WRITTEN[0])
    kept = counted.pop("n") + sum(counted["counted_out"].values()) - counted["counted_out"]["data_health"]
    matured = left_out["paid_given_activated"] + left_out["sales_led"]
    sign_ups, won = left_out["activated_given_signed_up"], left_out["conversion_seen"]
    assert sum(left_out.values()) == counted["counted_out"]["data_health"]
    assert kept + matured == 8000
    assert (
        f"{matured:,} leads that became mature later, {sign_ups} sign-ups that\ndid, and {won} wins." in PAGE
    )


def test_a_list_that_was_meant_to_end_leaves_the_signal_alone(folder: Path, said: list[list[str]]) -> None:
    command = with_decisions(folder)
    assert lines(run(command, folder))[-10:] == lines(SHOWN["ended"])
    report = msgspec.json.decode(run(command + " --json", folder))
    whole = whole_of(report)
    assert msgspec.json.decode(WRITTEN[1]) == {"n": whole["n"], "counted_out": whole["counted_out"]}
    assert whole["n"] + sum(whole["counted_out"].values()) == report["accounts"] == 8000
    assert "data_health" not in report["alerts"]["by_kind"]
    assert not {row["state"] for row in report["drift"]} & {"suspended", "ill"}
    assert report["ledger"]["applied"] == 17_686


def test_said_after_the_finding_it_ends_the_suspension_only(folder: Path, said: list[list[str]]) -> None:
    report = msgspec.json.decode(run(with_decisions(folder, "2018-06-07T04:00:00Z") + " --json", folder))
    whole = whole_of(report)
    assert msgspec.json.decode(WRITTEN[0]) == {"n": whole["n"], "counted_out": whole["counted_out"]}
    assert whole["state"] == "watching"
    assert report["alerts"]["by_kind"]["data_health"] == 4


def with_decisions(folder: Path, at: str = "2018-06-01T04:00:00Z") -> str:
    """The command that replays the history with the page's two decisions in it, made at ``at``."""
    (ended,) = re.findall(r"```jsonl\n(.*?)```", PAGE, flags=re.DOTALL)
    assert ended.count("2018-06-01T04:00:00Z") == 2
    decisions = ended.replace("2018-06-01T04:00:00Z", at).splitlines()
    events = [*(folder / "olist.jsonl").read_text().splitlines(), *decisions]
    events.sort(key=lambda line: str(msgspec.json.decode(line)["time"]))
    (folder / "ended.jsonl").write_text("\n".join(events) + "\n")
    return COMMANDS[1].strip().replace("olist.jsonl", "ended.jsonl")


def whole_of(report: dict[str, Any]) -> dict[str, Any]:
    """The verdict of the signal for all."""
    return next(
        row for row in report["drift"] if (row["signal"], row["segment"]) == (ConversionGap.name, ALL)
    )


def rows_of(table_head: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    table = PAGE[PAGE.index(table_head) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def leads() -> Iterator[tuple[date, str, int | None]]:
    """(day of first contact, origin, days to the win)"""
    with (DATA / "deals.csv").open(newline="") as file:
        won = {row["mql_id"]: datetime.fromisoformat(row["won_date"]).date() for row in csv.DictReader(file)}
    with (DATA / "leads.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["first_contact_date"])
            end = won.get(row["mql_id"])
            yield day, row["origin"], None if end is None else (end - day).days


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def test_the_months_are_those_of_the_files() -> None:
    counts: dict[str, list[int]] = {}
    for day, _, days in leads():
        count = counts.setdefault(day.isoformat()[:7], [0] * 5)
        count[0] += 1
        if days is not None:
            for column, within in enumerate((9999, 30, 60, 90), start=1):
                count[column] += days <= within
    assert rows_of("| month of the lead |") == [
        [month, f"{count[0]:,}", *(percent(won, count[0]) for won in count[1:])]
        for month, count in sorted(counts.items())
    ]


def test_the_sources_are_those_of_the_files() -> None:
    counts: dict[str, list[int]] = {}
    for day, origin, days in leads():
        if day >= date(2018, 1, 1):
            name = "(empty or unknown)" if origin in ("", "unknown") else origin
            count = counts.setdefault(name, [0, 0])
            count[0] += 1
            count[1] += days is not None and 0 <= days <= 30
    assert rows_of("| `origin` |") == [
        [name, f"{count:,}", percent(won, count)]
        for name, (count, won) in sorted(counts.items(), key=lambda entry: -entry[1][0])
    ]


@pytest.fixture(scope="module", params=[30, 60, 90])
def by_horizon(
    request: pytest.FixtureRequest, folder: Path, said: list[list[str]]
) -> tuple[int, list[Observation]]:
    """What the history tells the signal with a horizon of so many days."""
    settings = Settings.model_validate({"drift": {"horizon": f"{request.param}d"}})
    pipeline = Pipeline(MemoryStore(), load_icps([ROOT / "examples/olist/icp.yaml"]), settings, None)
    return request.param, [
        observation
        for batch, _ in batches([folder / "olist.jsonl"], 10_000)
        for observation in pipeline.process(batch)[0].effects.observations
        if observation.signal == ConversionGap.name
    ]


@pytest.mark.parametrize(("budget", "threshold", "column"), [(1, 2_671_543, 1), (12, 222_629, 2)])
def test_each_horizon_says_what_stands_in_the_tables(
    by_horizon: tuple[int, list[Observation]], budget: int, threshold: int, column: int
) -> None:
    days, observations = by_horizon
    drift = Settings.model_validate({"drift": {"horizon": f"{days}d", "false_alarms_per_year": budget}}).drift
    signal = ConversionGap.configured(drift, 10 * drift.max_segments)
    state = signal.new_state()
    highest, told = 0.0, []
    for observation in observations:
        told += signal.step(state, observation)
        highest = max(highest, state.segment(ALL).paid.statistic)
    watch = state.segment(ALL).paid.state.watch
    assert watch is not None
    assert watch.threshold == pytest.approx(threshold, abs=1)
    assert f"{threshold:,}" in PAGE
    (row,) = (row for row in rows_of("| horizon |") if row[0].startswith(f"{days} days"))
    assert row[column] == said_of(told, highest)
    assert f"| {' | '.join(row)} |" in DETECTION


def said_of(told: Sequence[DriftAlert | Notice], highest: float) -> str:
    drifts = [alert for alert in told if isinstance(alert, DriftAlert)]
    if not drifts:
        return f"quiet, {highest:,.0f} at most"
    first, *later = drifts
    findings = [notice.finding for notice in told if isinstance(notice, Notice)]
    parts = [
        f"drifting since {first.since.date()} (±{first.since_margin_days:.0f} days)",
        *findings,
        f"told on {first.at.day} {first.at:%B}",
        *(f"{alert.state} on {alert.at.day} {alert.at:%B}" for alert in later),
    ]
    return ", ".join(parts)
