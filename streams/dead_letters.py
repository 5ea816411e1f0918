"""Events that could not be used: where they lie, and as a file of one JSON object a line, with the reason and the event
as it came. Observations too, which Plumbline writes itself: one that it can't use is a fault of its own."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from schemas.errors import BadInput
from streams.gateway.sink import Accepted
from streams.stores.contract import DeadLetter


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter where it lies. ``place`` names it on the command line; ``partition`` is its topic's, in distributed
    mode. ``observation``: it is one, and no event. ``redriven_at``: when it was put back last (Unix seconds)."""

    place: str
    letter: DeadLetter
    observation: bool = False
    partition: int | None = None
    redriven_at: float | None = None


class DeadLetterShelf(Protocol):
    """Where dead letters lie: in the embedded service's file, or in a topic."""

    def letters(self, *, with_bodies: bool = True) -> list[Letter]:
        """All, in order of arrival. Raises PlumblineError."""
        ...

    def put_back(self, chosen: Sequence[tuple[Letter, Accepted]]) -> Iterator[int]:
        """Puts the events back to where they came from, durably, and marks their letters; gives how many after each
        portion. After an error the portions before are put back and marked. Raises PlumblineError."""
        ...


class Reject(Struct, kw_only=True, omit_defaults=True):
    """One line of the file. ``event`` is the text as it came; what is no UTF-8 is in ``event_base64`` instead."""

    topic: str
    offset: int
    reason: str
    detail: str
    event: str | None = None
    event_base64: str | None = None
    place: str = ""
    partition: int | None = None
    redriven_at: datetime | None = None


def place_of(letter: DeadLetter) -> str:
    """In one process: events and observations are numbered each for themselves, so a number alone could name two."""
    return f"{letter.topic}:{letter.offset}"


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


def reject_of_letter(letter: Letter) -> Reject:
    reject = reject_of(letter.letter)
    reject.place = letter.place
    reject.partition = letter.partition
    if letter.redriven_at is not None:
        reject.redriven_at = datetime.fromtimestamp(letter.redriven_at, UTC).replace(microsecond=0)
    return reject


def write_rejects(path: Path, letters: Iterable[DeadLetter]) -> None:
    """Writes the whole file or nothing."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as out:
        for letter in letters:
            reject = reject_of_letter(Letter(place=place_of(letter), letter=letter))
            out.write(msgspec.json.encode(reject) + b"\n")
    partial.replace(path)


def read_rejects(path: Path) -> Iterator[Reject]:
    """Raises BadInput when the file is not one of rejects."""
    decoder = msgspec.json.Decoder(Reject)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield decoder.decode(line)
                except ValueError as error:
                    raise BadInput(
                        f"{path}, line {number}: not a line of a rejects file: {error}",
                        remedy="give the file that plumbline replay named, ending in .rejects.jsonl",
                    ) from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}", remedy="check the path") from None
