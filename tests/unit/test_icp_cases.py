"""Broken ICP files: each gets exactly the problems that its header expects, with place, words and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.errors import FileRefused
from schemas.icp import load_icp

CASES = sorted((Path(__file__).parents[1] / "cases" / "icp").glob("*.yaml"))

_EXPECT = re.compile(
    r"^# expect: (?P<code>\w+) (?P<line>\d+):(?P<column>\d+) (?P<what>.*) \| (?P<remedy>.*)$"
)


def expected(text: str) -> list[tuple[str, ...]]:
    """What the header lists, in the order in which it must come."""
    matches = [_EXPECT.match(line) for line in text.splitlines() if line.startswith("# expect:")]
    assert all(matches), "a header line is not `# expect: code line:column what | remedy`"
    return [match.groups() for match in matches if match]


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_problem_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    with pytest.raises(FileRefused) as refused:
        load_icp(text, path.name)

    problems = refused.value.problems
    found = [(p.code, str(p.line), str(p.column), p.what, p.remedy) for p in problems]
    assert found == expected(text)
    assert all(p.where.startswith(f"line {p.line}, column {p.column}") for p in problems)
    assert all(p.remedy for p in problems), "every problem says what to write instead"
    assert refused.value.exit_code == 2
