"""plumbline simulate and the benchmark stream, as a user runs them; and the order of arrival behind both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import PlumblineError
from schemas.event_reader import decode_event
from streams.cli.simulate import command
from streams.simulation.ordering import ArrivalOrder
from streams.simulation.scenario import LEVERS
from streams.simulation.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def small(folder: Path, *more: object, scenario: str = "healthy") -> Result:
    out = folder / "events.jsonl"
    return run("--scenario", scenario, "--accounts", 40, "--days", 60, "-o", out, *more)


def test_json_is_the_truth_beside_the_file(tmp_path: Path) -> None:
    result = small(tmp_path, "--json", "--seed", 9)
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "truth.json").read_text())
    assert summary["seed"] == 9
    assert summary["lines"] == len((tmp_path / "events.jsonl").read_text().splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "truth.json"]


def test_a_person_reads_what_was_planted_and_when(tmp_path: Path) -> None:
    result = small(tmp_path, "--drift-at", "2026-10-10T00:00:00+02:00", scenario="plg-silent-drift")
    assert result.exit_code == 0
    assert re.search(
        r"planted: paid_given_activated x 0.5 in content from 2026-10-09T22:00:00Z", result.stdout
    )


def test_until_and_days_bound_the_history(tmp_path: Path) -> None:
    result = small(tmp_path, "--until", "2027-03-01T12:30:00+01:00", "--json")
    truth = json.loads(result.stdout)
    assert (truth["begins"], truth["ends"]) == ("2026-12-31T11:30:00Z", "2027-03-01T11:30:00Z")
    times = [
        decode_event(raw).time.isoformat() for raw in (tmp_path / "events.jsonl").read_bytes().splitlines()
    ]
    assert min(times) >= "2026-12-31T11:30:00"
    assert max(times) < "2027-03-01T11:30:00"


def test_truth_goes_where_it_is_asked_to(tmp_path: Path) -> None:
    assert small(tmp_path, "--truth", tmp_path / "planted.json").exit_code == 0
    assert (tmp_path / "planted.json").is_file()
    assert not (tmp_path / "truth.json").exists()


def test_activity_multiplies_the_use(tmp_path: Path) -> None:
    low = json.loads(small(tmp_path, "--activity", 0.5, "--json").stdout)["events_by_type"]["product.event"]
    high = json.loads(small(tmp_path, "--activity", 4, "--json").stdout)["events_by_type"]["product.event"]
    assert high > 4 * low


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--until", "2026-11-01"), "time with an offset"),
        (("--until", "soon"), "time with an offset"),
        (("--until", "1969-01-01T00:00:00Z"), "between 2015"),
        (("--accounts", "0"), "accounts"),
        (("--days", "0"), "days"),
        (("--seed", "-1"), "seed"),
        (("--activity", "0"), "activity"),
        (("--scenario", "gloomy"), "plg-silent-drift"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, more: tuple[str, str], says: str) -> None:
    result = small(tmp_path, *more)
    assert result.exit_code == 2
    assert says in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scenario", "more", "says"),
    [
        ("healthy", ("--drift-at", "2026-10-01T00:00:00Z"), "nothing is planted"),
        ("plg-silent-drift", ("--drift-at", "2026-01-01T00:00:00Z"), "not within the history"),
        ("plg-silent-drift", ("--drift-at", "2026-11-02T00:00:00Z"), "not within the history"),
        ("healthy", ("--truth", "{folder}/events.jsonl"), "same file"),
        ("healthy", ("--truth", "{folder}/none/truth.json"), "does not exist"),
        ("healthy", ("-o", "/dev/null", "--truth", "{folder}/truth.json"), "not a regular file"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, scenario: str, more: tuple[str, ...], says: str
) -> None:
    result = small(tmp_path, *(part.format(folder=tmp_path) for part in more), scenario=scenario)
    assert isinstance(result.exception, PlumblineError)
    assert result.exception.exit_code == 2
    assert result.exception.remedy
    assert says in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@given(
    arrivals=st.lists(
        st.tuples(st.integers(1_600_000_000, 1_600_900_000), st.text("abcé\udcff", min_size=1, max_size=4)),
        min_size=1,
        max_size=60,
    ),
    hold=st.integers(1, 40),
    batch=st.integers(1, 20),
)
def test_order_is_that_of_arrival_however_often_it_spills(
    arrivals: list[tuple[int, str]], hold: int, batch: int
) -> None:
    counted: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        order = ArrivalOrder(Path(folder), hold=hold)
        for first in range(0, len(arrivals), batch):
            some = arrivals[first : first + batch]
            order.add([second for second, _ in some], [text for _, text in some])
        path = Path(folder) / "out"
        with path.open("wb") as out:
            order.write(out, counted.append)
        written = path.read_bytes()
        assert [each.name for each in Path(folder).iterdir()] == ["out"]
    expected = "".join(f"{text}\n" for _, text in sorted(arrivals))
    assert written == expected.encode("utf-8", "surrogateescape")
    assert sum(counted) == order.total == len(arrivals)


def bench(folder: Path, *more: str) -> tuple[dict[str, float], list[bytes]]:
    path = folder / "bench.jsonl"
    arguments = ("--events", "20000", "--accounts", "1000", "-o", str(path), *more)
    done = subprocess.run(
        [sys.executable, "-m", "bench.events", *arguments], cwd=ROOT, check=True, capture_output=True
    )
    return json.loads(done.stdout), path.read_bytes().splitlines()


def test_the_benchmark_stream_has_its_mix_and_skew(tmp_path: Path) -> None:
    shape, lines = bench(tmp_path, "--skew", "1.1", "--seed", "4")
    found = [decode_event(raw) for raw in lines]
    assert len(found) == 20_000
    types = Counter(str(type(event).__struct_config__.tag) for event in found)
    for name, share in (
        ("product.event", 0.70),
        ("web.visit", 0.20),
        ("account.profile", 0.04),
        ("support.ticket", 0.03),
        ("crm.stage_changed", 0.03),
    ):
        assert types[name] / 20_000 == pytest.approx(share, rel=0.15)
    times = [event.time for event in found]
    assert times == sorted(times)
    assert len({(event.source, event.id) for event in found}) == 20_000
    accounts = Counter(event.subject for event in found)
    top = sum(count for _, count in accounts.most_common(10)) / 20_000
    assert shape["share_of_top_1_percent"] == pytest.approx(top)
    assert 0.35 < top < 0.60
    assert bench(tmp_path, "--skew", "1.1", "--seed", "4")[1] == lines


def test_a_hot_account_has_the_share_asked_for(tmp_path: Path) -> None:
    shape, lines = bench(tmp_path, "--hot-share", "0.5")
    (_, count), *_ = Counter(decode_event(raw).subject for raw in lines).most_common(1)
    assert count / 20_000 == shape["share_of_the_busiest"] == pytest.approx(0.5, abs=0.02)


def test_the_page_lists_every_scenario_lever_and_option() -> None:
    page = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
    for lever, multiplies in LEVERS.items():
        assert f"| `{lever}` | {multiplies}" in page
    for scenario in SCENARIOS:
        assert f"`{scenario}`" in page
    for parameter in command.params:
        assert any(f"`{option}`" in page for option in parameter.opts), parameter.name
