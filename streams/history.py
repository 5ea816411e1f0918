"""A history: events as JSON lines in files, read batch by batch, or a sample of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from schemas.errors import PlumblineError

READ_BYTES = 1 << 22

Progress = Callable[[int, int], None]
"""called with (bytes read, events received) after each batch"""


def batches(paths: Sequence[Path], size: int) -> Iterator[tuple[list[tuple[int, bytes]], int]]:
    """The lines of the files as records (offset, line) in batches, with the bytes that each batch took. Empty lines
    are passed over. Raises PlumblineError when a file can't be read."""
    offset = 0
    for path in paths:
        with _refusing(path), path.open("rb", buffering=READ_BYTES) as file:
            while lines := list(islice(file, size)):
                taken = sum(map(len, lines))
                if b"\n" in lines or b"\r\n" in lines:
                    lines = [line for line in lines if not line.isspace()]
                yield list(zip(range(offset, offset + len(lines)), lines, strict=True)), taken
                offset += len(lines)


def sample(paths: Sequence[Path], places: int, lines: int) -> Iterator[bytes]:
    """Lines from so many places in each file, evenly apart, so many at each. A short file's lines come more than once.
    Raises PlumblineError when a file can't be read."""
    for path in paths:
        with _refusing(path), path.open("rb") as file:
            size = path.stat().st_size
            for place in range(places):
                file.seek(size * place // places)
                if place:
                    file.readline()  # the rest of a line
                yield from islice(file, lines)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlumblineError(
            f"{path} can't be read: {error.strerror}", remedy="check the path and its permissions"
        ) from None
