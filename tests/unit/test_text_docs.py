"""docs/text.md is what the bench prints, and its example can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.text.__main__ import HELD_OUT, HERE, MARKS, SEEDS, kinds_table, notes_table, rows_of, tickets_table
from detectors.text.ticket_kinds import KINDS
from schemas.icp import load_icp

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [notes_table, tickets_table, kinds_table])
def test_the_page_shows_what_is_measured(table: object) -> None:
    _, _, rest = PAGE.partition(MARKS[0])
    measured, _, _ = rest.partition(MARKS[1])

    assert callable(table)
    assert "\n".join(table()) in measured, "run python -m bench.text --write docs/text.md"


def test_the_example_of_own_phrases_can_be_read() -> None:
    example = re.search(r"```yaml\n(hedging:.*?)```", PAGE, re.DOTALL)
    assert example
    acme = (ROOT / "examples" / "acme" / "icp.yaml").read_text(encoding="utf-8")
    without = re.sub(r"^hedging:.*?\n\n", "", acme, flags=re.DOTALL | re.MULTILINE)

    assert set(load_icp(without + "\n" + example[1]).hedging) == {"fit", "timing", "price", "not_hedging"}


def test_what_is_held_out_was_not_made_with() -> None:
    seeds = {tuple(row[1:]) for row in rows_of(SEEDS)}
    tuned = {row[1] for row in rows_of(HERE / "notes_tuned.tsv")}

    assert not tuned & {row[1] for row in rows_of(HERE / "notes_held_out.tsv")}
    assert not seeds & {tuple(row[1].split(" | ")) for row in rows_of(HELD_OUT)}


def test_every_kind_has_as_many_seeds() -> None:
    kinds = [row[0] for row in rows_of(SEEDS)]

    assert {kind: kinds.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 42)
