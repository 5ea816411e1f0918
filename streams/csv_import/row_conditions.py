"""Row conditions made runnable over the cells of a row.

Rules:
1. An empty cell is not there.
2. A test with a number reads the cell as a number, one with true or false as such; a cell that can't be read so is
   refused: a row that is left out because of a wrong decimal sign would be lost without a word.
3. Cells are read only when a test looks at them, so that one test can stand guard for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from detectors.matching import compile_node
from schemas.conditions import AllOf, AnyOf, Node, Not, Test
from schemas.mapping import compared_as
from streams.csv_import.cells import CellRefused, read_boolean, read_number
from streams.csv_import.refusal import RowRefused

RowPredicate = Callable[[list[str]], bool]


def compile_row_condition(node: Node, columns: Mapping[str, int], *, decimal_comma: bool) -> RowPredicate:
    """A predicate over the cells of a row. Every column must be in ``columns``. Raises RowRefused when called."""
    readers: dict[str, tuple[int, str, Callable[[str], Any]]] = {}

    def number(text: str) -> float:
        return read_number(text, decimal_comma=decimal_comma)

    by_kind: dict[str, Callable[[str], Any]] = {"text": str, "number": number, "boolean": read_boolean}

    def renamed(part: Node) -> Node:
        # By place rather than by name: a name could hold a dot, which leads deeper in the condition language.
        if isinstance(part, Test):
            kind = compared_as(part)
            index = columns[part.field]
            name = f"{kind}{index}"
            readers[name] = (index, part.field, by_kind[kind])
            return Test(name, part.operator, part.operand)
        if isinstance(part, Not):
            return Not(renamed(part.of))
        of = tuple(renamed(child) for child in part.of)
        return AllOf(of) if isinstance(part, AllOf) else AnyOf(of)

    predicate = compile_node(renamed(node))
    return lambda cells: predicate(_Cells(cells, readers))


class _Cells(Mapping[str, Any]):
    """A row as the condition sees it."""

    def __init__(
        self, cells: list[str], readers: Mapping[str, tuple[int, str, Callable[[str], Any]]]
    ) -> None:
        self._cells = cells
        self._readers = readers

    def __getitem__(self, name: str) -> Any:
        index, column, read = self._readers[name]
        text = self._cells[index]
        if not text:
            raise KeyError(name)
        try:
            return read(text)
        except CellRefused as error:
            raise RowRefused(error.code, f"{error.what}, as `when` needs it", error.remedy, column) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)
