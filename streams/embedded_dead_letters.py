"""The dead letters of the embedded service, in its file; put back into its event log.

While the service runs it alone may write to the log, so events then go to it over HTTP; else straight into the log. Marks
are written after the events are durable: a crash between the two leaves letters that can be put back once more, which
does no harm.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from yarl import URL

from schemas.errors import PlumblineError
from schemas.observations import OBSERVATIONS
from streams.dead_letters import Letter, place_of
from streams.gateway.sink import Accepted
from streams.log_or_service import put_events
from streams.stores.contract import DeadLetter
from streams.stores.sqlite import open_database

AT_ONCE = 500
_MARKS = "CREATE TABLE IF NOT EXISTS redriven (seq INTEGER PRIMARY KEY, at REAL NOT NULL)"


class EmbeddedShelf:
    """``url`` and ``token``: how a running service is reached. Keeps DeadLetterShelf."""

    def __init__(
        self, directory: Path, url: URL, token: str | None, now: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._path = directory / "plumbline.db"
        self._url = url
        self._token = token
        self._now = now
        if not self._path.exists():
            raise PlumblineError(
                f"there is no data in {directory}",
                remedy="name the service's directory with --data-dir, or a rejects file with --file",
            )

    def letters(self, *, with_bodies: bool = True) -> list[Letter]:
        with closing(open_database(self._path)) as db:
            db.execute(_MARKS)
            rows = db.execute(
                "SELECT d.topic, d.offset, d.reason, d.detail, iif(?, d.body, x''), r.at FROM dead_letters d"
                " LEFT JOIN redriven r ON r.seq = d.seq ORDER BY d.seq",
                (with_bodies,),
            )
            return [_letter(DeadLetter(*row[:5]), row[5]) for row in rows]

    def put_back(self, chosen: Sequence[tuple[Letter, Accepted]]) -> Iterator[int]:
        for first in range(0, len(chosen), AT_ONCE):
            portion = chosen[first : first + AT_ONCE]
            self._append([event.line for _, event in portion])
            with closing(open_database(self._path)) as db:
                self._mark(db, [letter.letter for letter, _ in portion])
            yield len(portion)

    def _append(self, lines: list[bytes]) -> None:
        refused = put_events(self._directory, lines, self._url, self._token)
        if refused:
            raise PlumblineError(
                f"the service refuses {len(refused)} of {len(lines)} events",
                remedy="it may run another version or other settings than this command: restart it first",
            )

    def _mark(self, db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(_MARKS)
        db.executemany(
            "INSERT OR REPLACE INTO redriven SELECT seq, ? FROM dead_letters WHERE topic = ? AND offset = ?",
            [(self._now(), letter.topic, letter.offset) for letter in letters],
        )
        db.execute("COMMIT")


def _letter(letter: DeadLetter, redriven_at: float | None) -> Letter:
    return Letter(
        place=place_of(letter),
        letter=letter,
        observation=letter.topic == OBSERVATIONS,
        redriven_at=redriven_at,
    )
