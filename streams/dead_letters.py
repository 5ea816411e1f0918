"""Events that could not be used, as a file: one JSON object a line, with the reason and the event as it came."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.errors import PlumblineError
from streams.stores.contract import DeadLetter


class Reject(Struct, kw_only=True, omit_defaults=True):
    """One line of the file. ``event`` is the text as it came; what is no UTF-8 is in ``event_base64`` instead."""

    topic: str
    offset: int
    reason: str
    detail: str
    event: str | None = None
    event_base64: str | None = None


def reject_of(letter: DeadLetter) -> Reject:
    event = encoded = None
    try:
        event = letter.body.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        encoded = base64.b64encode(letter.body).decode()
    return Reject(
        topic=letter.topic,
        offset=letter.offset,
        reason=letter.reason,
        detail=letter.detail,
        event=event,
        event_base64=encoded,
    )


def write_rejects(path: Path, letters: Iterable[DeadLetter]) -> None:
    """Writes the whole file or nothing."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as out:
        for letter in letters:
            out.write(msgspec.json.encode(reject_of(letter)) + b"\n")
    partial.replace(path)


def read_rejects(path: Path) -> Iterator[Reject]:
    """Raises PlumblineError when the file is not one of rejects."""
    decoder = msgspec.json.Decoder(Reject)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield decoder.decode(line)
                except ValueError as error:
                    raise PlumblineError(
                        f"{path}, line {number}: not a line of a rejects file: {error}",
                        remedy="give the file that plumbline replay named, ending in .rejects.jsonl",
                    ) from None
    except OSError as error:
        raise PlumblineError(f"{path} can't be read: {error.strerror}", remedy="check the path") from None
