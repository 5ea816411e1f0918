"""Where each thing stands in a file that a person wrote: path -> line and column, both counted from 1."""

from __future__ import annotations

import re

from msgspec import Struct

from schemas.errors import Problem

Path = tuple[str | int, ...]
"""From the file's root: keys as written, and places in lists counted from 0."""

_PLAIN_KEY = re.compile(r"[\w][\w .*/+-]{0,59}")


class Place(Struct, frozen=True):
    line: int
    column: int


class Positions:
    """The places of all keys and values of one file."""

    def __init__(self) -> None:
        self._values: dict[Path, Place] = {(): Place(1, 1)}
        self._keys: dict[Path, Place] = {}
        self._collections: set[Path] = set()

    def add_key(self, path: Path, place: Place) -> None:
        self._keys[path] = place

    def add_value(self, path: Path, place: Place, *, collection: bool) -> None:
        self._values[path] = place
        if collection:
            self._collections.add(path)

    def written(self, path: Path) -> Path:
        """The parts of ``path`` that are in the file; what is not there (a missing key) is left out."""
        here: Path = ()
        for part in path:
            if (*here, part) in self._values:
                here = (*here, part)
        return here

    def locate(self, path: Path, *, on_key: bool = False) -> Place:
        """Where to point: at a value; at the key of a list, of a mapping or of nothing; at the parent of what is missing."""
        here = self.written(path)
        if here in self._keys and (on_key or here in self._collections):
            return self._keys[here]
        return self._values[here]

    def describe(self, path: Path, *, on_key: bool = False) -> tuple[str, Place | None]:
        """In words, and as a place when it is in the file."""
        place = self.locate(path, on_key=on_key)
        shown = self.shown(path)
        return f"line {place.line}, column {place.column}" + (f" ({shown})" if shown else ""), place

    def shown(self, path: Path) -> str:
        """``variants[0].triggers[1].half_life``; the last part is shown even if it is not in the file."""
        here = self.written(path)
        if path and here[-1:] != path[-1:] and isinstance(path[-1], str):
            here = (*here, path[-1])
        return show_path(here)


def show_path(path: Path) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{show_key(part)}"
    return text


def show_key(key: str) -> str:
    """A key as it may be printed: short, on one line, without control characters."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    return ascii(key if len(key) <= 40 else key[:39] + "…")


def problem_at(
    positions: Positions, path: Path, *, code: str, what: str, remedy: str = "", on_key: bool = False
) -> Problem:
    """The problem with its place, as ``line 12, column 5 (variants[0].triggers[1].half_life)``."""
    where, place = positions.describe(path, on_key=on_key)
    line, column = (place.line, place.column) if place is not None else (None, None)
    return Problem(code=code, what=what, where=where, remedy=remedy, line=line, column=column)
