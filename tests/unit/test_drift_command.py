"""plumbline drift: the table, one verdict in words with its chart, JSON, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import Interval, moment
from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.cli.drift import command
from streams.cli.drift_chart import ROWS, chart_lines
from streams.cli.drift_explain import facts
from streams.cli.drift_reading import read_segment
from streams.serving.views import PointView, VerdictView
from streams.web.drift_rows import drift_row
from tests.unit.serving_world import World

WEEK = 7 * 86400.0
START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    world = World(folder)
    world.drift()
    yield folder
    world.close()


def run(folder: Path, *arguments: str, columns: int = 100) -> Result:
    environment = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)], env=environment)


def first_table(output: str) -> list[str]:
    """The title and the table of the first signal; the next title is not indented."""
    title, *rest = output.splitlines()
    return [title, *takewhile(lambda line: line.startswith(" "), rest)]


def test_the_list_begins_with_what_drifts(folder: Path) -> None:
    lines = first_table(run(folder, "list").output)
    assert lines[0] == "plg.conversion_gap · paid conversion of activated accounts"
    assert lines[1].split() == ["segment", "state", "since", "before", "now", "statistic"]
    states = [line.replace("all accounts", "all").split()[1] for line in lines[2:]]
    assert states == sorted(states)
    assert states.count("drifting") < len(states)
    (content,) = [line for line in lines if "content" in line]
    assert "drifting" in content
    assert "±" in content
    assert content.count("%") == 2


def test_a_narrow_terminal_gets_the_table_without_the_statistic(folder: Path) -> None:
    lines = first_table(run(folder, "list", columns=66).output)
    assert lines[1].split() == ["segment", "state", "since", "before", "now"]
    assert len(lines) == 5
    assert all(len(line) <= 66 for line in lines)


def test_learning_says_what_is_missing(tmp_path: Path) -> None:
    World(tmp_path).close()
    out = " ".join(run(tmp_path, "list").output.split())
    assert "learning" in out
    assert "0 of 300 observations" in out


def test_json_is_what_the_api_says(folder: Path) -> None:
    verdicts = json.loads(run(folder, "list", "--json").stdout)["verdicts"]
    assert {verdict["segment"] for verdict in verdicts} >= {"all", "source:content", "source:referral"}
    shown = json.loads(
        run(folder, "explain", "plg.conversion_gap", "--segment", "source:content", "--json").stdout
    )
    assert shown["verdict"] == next(each for each in verdicts if each["segment"] == "source:content")
    assert shown["alerts"][0]["kind"] == "drift"


def test_one_verdict_in_words_with_its_chart(folder: Path) -> None:
    result = run(folder, "explain", "plg.conversion_gap", "--segment", "source:content", columns=72)
    out = result.output
    assert result.exit_code == 0
    for words in ("state", "drifting", "before", "95 %:", "where it alarms", "▲", "since", "DRIFTING", "█"):
        assert words in out, words
    assert all(len(line) <= 72 for line in out.splitlines())


def test_a_ratio_says_what_it_is_of(folder: Path) -> None:
    (verdict,) = read_segment(Settings(), folder, "plg.conversion_gap", "source:content").verdicts
    for unit, told in (("ratio", 1), ("share", 0)):
        as_unit = msgspec.structs.replace(verdict, unit=unit)
        told_of = [text for name, text in facts(as_unit, drift_row(as_unit)) if name == "×"]
        assert told_of == ["of what the baseline would give"] * told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope",), "plg.conversion_gap"),
        (("plg.conversion_gap", "--segment", "nope"), "all, source:content, source:referral"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    folder: Path, arguments: Sequence[str], words: str
) -> None:
    result = run(folder, "explain", *arguments, columns=200)
    assert result.exit_code == 2
    assert words in result.output


def test_a_directory_without_data_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "list")
    assert isinstance(result.exception, PlumblineError)
    assert "plumbline run" in result.exception.remedy


def verdict(points: list[tuple[int, float]], since: float | None = None) -> VerdictView:
    return VerdictView(
        signal="s",
        title="t",
        segment="all",
        state="watching",
        at=None,
        since=None if since is None else moment(since),
        since_margin_days=None,
        before=Interval(estimate=0.2, low=0.1, high=0.3, n=10),
        now=None,
        statistic=1.0,
        threshold=10.0,
        n=0,
        missing="",
        finding="",
        counted_out={},
        history=[
            PointView(at=moment(START + i * WEEK), n=n, total=n * mean, statistic=0.0)
            for i, (n, mean) in enumerate(points)
        ],
    )


def test_a_chart_rises_with_the_means() -> None:
    lines = chart_lines(verdict([(10, 0.0)] * 4 + [(10, 0.25)] * 4 + [(10, 0.5)] * 8), 60)
    heights = [
        sum(line.split("▕")[1].ljust(16)[column] not in " " for line in lines[:ROWS]) for column in range(16)
    ]
    assert heights[:4] == [0, 0, 0, 0]
    assert heights == sorted(heights)
    assert heights[-1] == ROWS
    assert lines[0].lstrip().startswith("50.0 %")
    assert lines[-1].split() == ["5", "Jan", "2026", "to", "20", "Apr", "2026"]


def test_no_chart_without_two_buckets_or_room() -> None:
    assert chart_lines(verdict([(10, 0.5)]), 80) == []
    assert chart_lines(verdict([(0, 0.0), (5, 0.1)]), 80) == []
    assert chart_lines(verdict([(5, 0.1)] * 9), 12) == []


@given(
    points=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=300),
    width=st.integers(0, 120),
    since=st.none() | st.floats(START - WEEK, START + 310 * WEEK),
)
def test_a_chart_keeps_to_its_width(points: list[tuple[int, float]], width: int, since: float | None) -> None:
    lines = chart_lines(verdict(points, since), width)
    drawn = lines[:ROWS]
    assert all(len(line) <= width for line in drawn)
    assert not lines or len(lines) in (ROWS + 1, ROWS + 2)
