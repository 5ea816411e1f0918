"""Where commands write: what can't be right is refused before the work begins, and before anything is overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from schemas.errors import BadInput


def refuse_outputs(outputs: Mapping[str, Path], inputs: Iterable[Path] = ()) -> None:
    """``outputs``: paths by the option that names them. Raises BadInput for one that is no regular file, has no folder, is
    read by the command itself, or is named twice."""
    read = {path.resolve() for path in inputs}
    written: dict[Path, str] = {}
    for option, path in outputs.items():
        if path.exists() and not path.is_file():
            raise BadInput(f"{path} is not a regular file", remedy=f"name a file with {option}")
        if not path.parent.is_dir():
            raise BadInput(f"the folder {path.parent} does not exist", remedy="create it, or write elsewhere")
        if path.resolve() in read:
            raise BadInput(f"{path} is read and written at once", remedy=f"name another file with {option}")
        other = written.setdefault(path.resolve(), option)
        if other != option:
            raise BadInput(f"{other} and {option} name the same file", remedy=f"give {option} another path")
