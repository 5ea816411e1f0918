"""Why a row can't be used."""

from __future__ import annotations


class RowRefused(ValueError):
    """A row does not fit. ``column`` names the cell, ``""`` where it is the whole row; no text holds what a cell holds."""

    def __init__(self, code: str, what: str, remedy: str, column: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.remedy = remedy
        self.column = column
