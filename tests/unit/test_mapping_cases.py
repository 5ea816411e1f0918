"""Broken mapping files, each with its problems beside it: ``NAME.yaml`` and ``NAME.expected``.

A case that begins with ``# csv: a,b`` is a sound mapping that does not fit a CSV file with these columns. Expected is
one problem a line: ``line:column code: what (remedy)``; of what all files share (shape, YAML) only ``line:column code``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import FileRefused, Problem
from schemas.mapping import load_mapping
from streams.csv_import.plan import make_plan

CASES = Path(__file__).parent.parent / "cases" / "mapping"
FILES = sorted(CASES.glob("*.yaml"))
PREFIX = "# csv: "


def problems_of(path: Path, folder: Path) -> list[str]:
    text = path.read_text()
    table = folder / "table.csv"
    table.write_text(text.splitlines()[0].removeprefix(PREFIX) + "\n")
    with pytest.raises(FileRefused) as refused:
        make_plan(load_mapping(text, path.name), text, path.name, [table])
    return [
        f"{problem.line}:{problem.column} {problem.code}: {problem.what}"
        + (f" ({problem.remedy})" if problem.remedy else "")
        for problem in refused.value.problems
    ]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_broken_mapping_is_refused_with_all_its_problems(path: Path, tmp_path: Path) -> None:
    expected = path.with_suffix(".expected").read_text().splitlines()
    assert expected, "a case without problems shows nothing"
    found = problems_of(path, tmp_path)
    shown = [
        problem if ":" in wanted.partition(" ")[2] else problem.partition(": ")[0]
        for problem, wanted in zip(found, expected, strict=False)
    ]
    assert shown == expected
    assert len(found) == len(expected)


def test_there_are_enough_cases_and_none_without_its_yaml() -> None:
    assert len(FILES) >= 12
    assert {path.stem for path in CASES.glob("*.expected")} == {path.stem for path in FILES}


SOUND = (CASES / "columns.yaml").read_text()


@given(
    st.text(max_size=200)
    | st.builds(
        lambda start, length, put: SOUND[:start] + put + SOUND[start + length :],
        st.integers(0, len(SOUND)),
        st.integers(0, 40),
        st.text(max_size=10),
    )
)
def test_whatever_is_written_the_answer_is_a_mapping_or_problems_with_places(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        mapping = load_mapping(text)
    except FileRefused as refused:
        mapping, problems = None, refused.problems
    assert (mapping is None) == bool(problems)
    assert all(problem.line and problem.what for problem in problems)
