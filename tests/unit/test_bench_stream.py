"""The arithmetic of the stream benchmark: marks, speeds, the page that results go to."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.events import write
from bench.stream.job import ICP
from bench.stream.latency import percentile
from bench.stream.live_events import endless, profile, visit
from bench.stream.measuring import Result, Size
from bench.stream.meter import Mark, Meter, Speed, speed_of
from bench.stream.report import BEGIN, END, put, throughput
from schemas.event_reader import EventReader
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore

ROOT = Path(__file__).resolve().parents[2]


def trail(*points: tuple[int, float, float]) -> list[Mark]:
    return [
        Mark(applied=applied, duplicate=0, wall_s=wall, processor_s=processor)
        for applied, wall, processor in points
    ]


def test_the_speed_is_taken_from_the_first_mark_or_a_later_one_to_the_last() -> None:
    speed = speed_of([trail((1, 0.0, 5.0), (20, 4.0, 6.0), (120, 6.0, 7.0), (220, 8.0, 10.0))], after=20)
    assert speed == Speed(events=200, wall_s=4.0, processor_s=4.0)
    assert speed.rate == 50.0
    assert speed.cost == pytest.approx(20_000.0)


def test_two_processes_are_measured_while_both_are_at_work() -> None:
    one = trail((0, 0.0, 0.0), (50, 1.0, 1.0), (100, 2.0, 2.0), (150, 3.0, 3.0), (200, 4.0, 4.0))
    two = trail((0, 2.0, 1.0), (50, 3.0, 2.0))
    # The second begins at 2 s and is done at 3 s: 50 events of each in that second.
    assert speed_of([one, two]) == Speed(events=100, wall_s=1.0, processor_s=2.0)


def test_an_arm_of_which_a_process_did_nothing_has_no_speed() -> None:
    with pytest.raises(ValueError, match="none of the events"):
        speed_of([trail((100, 1.0, 1.0)), []])


def test_processes_that_took_turns_have_no_speed_together() -> None:
    with pytest.raises(ValueError, match="at the same time"):
        speed_of([trail((50, 1.0, 1.0), (100, 2.0, 2.0)), trail((50, 3.0, 1.0), (100, 4.0, 2.0))])


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_marks_count_everything_and_end_with_the_last_event(portions: list[int]) -> None:
    total = sum(portions)
    ours, theirs = os.pipe()
    try:
        meter = Meter(total, theirs)
        for portion in portions:
            meter.took(portion)
        written = os.read(ours, 1 << 20).split(b"\n")
    finally:
        os.close(ours)
        os.close(theirs)
    marks = [msgspec.json.decode(line, type=Mark) for line in written if line]
    assert marks[-1].applied == total
    assert [mark.applied for mark in marks] == sorted({mark.applied for mark in marks})


def test_a_repeat_is_told_at_once() -> None:
    ours, theirs = os.pipe()
    try:
        meter = Meter(1_000_000, theirs)
        meter.took(1)
        os.read(ours, 1 << 16)
        meter.took(0, 1)
        assert msgspec.json.decode(os.read(ours, 1 << 16), type=Mark).duplicate == 1
    finally:
        os.close(ours)
        os.close(theirs)


def result(rate: float, cost: float) -> Result:
    speed = Speed(events=1000, wall_s=1000 / rate, processor_s=cost * 1000 / 1e6)
    return Result(speed=speed, services={"java": 3.0, "redis-server": 1.5})


def test_ratios_are_taken_within_a_round() -> None:
    results = {
        "plumbline": [result(1000.0, 10.0), result(3000.0, 30.0), result(2000.0, 20.0)],
        "bytewax": [result(1000.0, 20.0), result(1000.0, 30.0), result(1000.0, 10.0)],
    }
    text = throughput(results, Size(long=1000, short=100, rounds=3))
    assert "| worker / Bytewax | 1.2 | 2.00 (1.00-3.00) | yes | 1.00 (0.50-2.00) |" in text
    assert "Faust with a table |" not in text  # was not measured: neither a row nor a goal


def test_what_else_is_on_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    put(page, "new")
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_the_performance_page_has_the_place_for_the_results() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.index(BEGIN) < text.index(END)


def test_the_load_has_no_end_no_repeats_and_the_present_as_its_time(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    write(50, 5, 1.1, 0.0, 1, lines)
    began = time.time()
    read = EventReader(now=began + 60).read
    events = [read(line) for line in itertools.islice(endless(lines), 120)]
    assert len({event.id for _, _, event in events}) == 120
    assert all(began - 0.001 <= at for _, at, _ in events)
    written = [read(line) for line in lines.read_bytes().splitlines()]
    assert [(subject, event.data) for subject, _, event in events[:50]] == [
        (subject, event.data) for subject, _, event in written
    ]


def test_a_probe_raises_its_one_alert_with_the_second_visit() -> None:
    pipeline = Pipeline(MemoryStore(), load_icps([ICP]), Settings(), time.time)
    alerts = [
        len(pipeline.process([(offset, event)])[0].alerts)
        for offset, event in enumerate((profile(7), visit(7, "first"), visit(7, "second")), start=1)
    ]
    assert alerts == [0, 0, 1]


@given(st.lists(st.floats(0, 10), min_size=1).map(sorted), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    ordered: list[float], share: float
) -> None:
    found = percentile(ordered, share)
    assert sum(value <= found for value in ordered) >= share * len(ordered)
    assert sum(value < found for value in ordered) < share * len(ordered)
