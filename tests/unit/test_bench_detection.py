"""The benchmark's page: tables go between their markers and nowhere else. Its simulations are held beside the classes that
they stand for (test_bernoulli_mixture.py, test_cohort_hazard.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.detection import __main__ as command
from bench.detection.disturbed import disturbed
from bench.detection.tables import interval_of_part, interval_of_quantile, poisson_interval, table


def test_results_replace_what_stands_between_the_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{command.BEGINS}\nwhat was here\n{command.ENDS}\nafter\n", encoding="utf-8")
    arguments = ["bench", "--quick", "--only", "disturbed", "--seed", "2", "--page", str(page)]
    monkeypatch.setattr(sys, "argv", arguments)
    command.main()
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{command.BEGINS}\nSeed 2, 0.1 of the replicates")
    assert text.endswith(f"{command.ENDS}\nafter\n")
    assert "what was here" not in text
    assert disturbed(2, 0.1) in text


def test_a_part_of_the_tables_leaves_the_others_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = {name: title for name, (title, _) in command.TABLES.items()}
    page = tmp_path / "page.md"
    old = f"Seed 1\n\n**{titles['known']}**\n\nold known\n\n**{titles['disturbed']}**\n\nold disturbed"
    page.write_text(f"{command.BEGINS}\n{old}\n{command.ENDS}\n", encoding="utf-8")
    monkeypatch.setitem(command.TABLES, "disturbed", (titles["disturbed"], lambda seed, scale: "new one"))
    monkeypatch.setitem(command.TABLES, "early", (titles["early"], lambda seed, scale: "new early"))
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "early", "disturbed", "--page", str(page)])
    command.main()
    body = page.read_text(encoding="utf-8")
    assert body == (
        f"{command.BEGINS}\nSeed 1\n\n**{titles['known']}**\n\nold known\n\n**{titles['early']}**\n\nnew early\n\n"
        f"**{titles['disturbed']}**\n\nnew one\n{command.ENDS}\n"
    )


def test_a_page_without_markers_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--only", "disturbed", "--page", str(page)])
    with pytest.raises(SystemExit, match="no place for the results"):
        command.main()
    assert page.read_text(encoding="utf-8") == "nothing"


def test_intervals_are_the_exact_ones() -> None:
    assert poisson_interval(10, 1) == pytest.approx((4.795, 18.39), abs=0.01)
    assert poisson_interval(0, 2)[1] == pytest.approx(3.689 / 2, abs=0.001)
    assert interval_of_part(0, 10) == "0.0% (0.0%-30.8%)"
    assert interval_of_quantile(np.arange(1_000.0), 0.95).startswith("949 (")
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
