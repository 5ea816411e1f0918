"""Reading long sorted sets in order, several at the same time, piece by piece, while others write to them.

Rules:
1. A piece is read by position, with one entry before it. Where the end of the piece before does not fall between the two,
   the set has changed, and the place is sought anew by (score, member). So nothing that stayed where it was is left out
   or comes twice.
2. What several sets are asked for at the same time goes in one pipeline: as many round trips for a hundred state
   partitions as for one.
3. Pieces double from FIRST to MOST entries: a short list costs little, a long one few round trips.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

FIRST = 64
MOST = 1024
TRIES = 10
"""looks at a place before it is taken as it is; each one fails only if the set changed just before that place"""

Command = Callable[[Any], object]
"""Puts one command into a pipeline."""
T = TypeVar("T")
Steps = Generator[list[Command], list[Any], T]
"""Sends commands and is given the replies, several times, until it has its answer."""


class Entry(NamedTuple):
    member: str
    score: float


class Range:
    """One sorted set at ``key``, ascending by (score, member) or all reversed, from behind an entry on."""

    def __init__(self, key: str, *, descending: bool = False, behind: Entry | None = None) -> None:
        self._key = key
        self._descending = descending
        self._last = behind
        self._sought = behind is None
        self._position = 0
        self._size = FIRST
        self.ended = False

    def piece(self) -> Steps[list[Entry]]:
        """The next entries; empty at the end."""
        for _ in range(TRIES):
            if not self._sought:
                yield from self._seek()
            first = max(self._position - 1, 0)
            last = self._position + self._size - 1
            (raw,) = yield [self._between(first, last)]
            read = [Entry(member.decode(), float(score)) for member, score in raw]
            before, found = read[: self._position - first], read[self._position - first :]
            if (
                len(before) == self._position - first
                and not any(self._is_behind(entry) for entry in before)
                and all(self._is_behind(entry) for entry in found[:1])
            ):
                break
            self._sought = False
        else:
            found = [entry for entry in found if self._is_behind(entry)]
        self.ended = len(found) < self._size
        self._size = min(2 * self._size, MOST)
        self._position += len(found)
        self._last = found[-1] if found else self._last
        return found

    def _is_behind(self, entry: Entry) -> bool:
        if self._last is None:
            return True
        one, other = (entry.score, entry.member), (self._last.score, self._last.member)
        return one < other if self._descending else one > other

    def _seek(self) -> Steps[None]:
        """Sets the position to the first entry behind ``_last``, by halving among those of the same score."""
        if self._last is None:
            return
        member, score = self._last
        same = repr(score)
        better = (f"({same}", "+inf") if self._descending else ("-inf", f"({same}")
        low, ties = yield [self._count(*better), self._count(same, same)]
        high = low + ties
        while low < high:
            middle = (low + high) // 2
            (found,) = yield [self._between(middle, middle)]
            if not found:
                high = middle
                continue
            name = found[0][0].decode()
            if name >= member if self._descending else name <= member:
                low = middle + 1
            else:
                high = middle
        self._position = low
        self._sought = True

    def _between(self, first: int, last: int) -> Command:
        return lambda pipe: pipe.zrange(self._key, first, last, desc=self._descending, withscores=True)

    def _count(self, low: str, high: str) -> Command:
        return lambda pipe: pipe.zcount(self._key, low, high)


def together(client: Any, steps: Sequence[Steps[T]]) -> list[T]:
    """Runs all of them, what they send at the same time in one pipeline; their answers in the same order."""
    answers: dict[int, T] = {}
    waiting: dict[int, list[Any] | None] = dict.fromkeys(range(len(steps)))
    while waiting:
        pipe = client.pipeline(transaction=False)
        sent: dict[int, int] = {}
        for number, replies in waiting.items():
            try:
                commands = next(steps[number]) if replies is None else steps[number].send(replies)
            except StopIteration as done:
                answers[number] = done.value
                continue
            for command in commands:
                command(pipe)
            sent[number] = len(commands)
        received = iter(pipe.execute() if sent else ())
        waiting = {number: list(islice(received, count)) for number, count in sent.items()}
    return [answers[number] for number in range(len(steps))]


def entries(client: Any, ranges: Sequence[Range]) -> list[Iterator[Entry]]:
    """The entries of each range, in order. All first pieces are read at once, further ones when they are needed."""
    pieces = together(client, [each.piece() for each in ranges])
    return [_all(client, each, piece) for each, piece in zip(ranges, pieces, strict=True)]


def _all(client: Any, each: Range, piece: list[Entry]) -> Iterator[Entry]:
    yield from piece
    while not each.ended:
        (piece,) = together(client, [each.piece()])
        yield from piece
