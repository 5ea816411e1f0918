"""Reads the files that people write, within their size limit."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import FileRefused, Problem
from schemas.yaml_file import MAX_BYTES, decode_text


def read_written(path: Path) -> str:
    """The text of the file. Raises FileRefused where it is not there, not readable or not UTF-8."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # one more than read_yaml takes, so that it says so
    except OSError as error:
        reason = (error.strerror or "it can't be read").lower()
        problem = Problem(
            code="unreadable",
            what=f"the file can't be read: {reason}",
            remedy="check the path, and who may read it",
        )
        raise FileRefused(name, [problem]) from None
    return decode_text(raw, name)
