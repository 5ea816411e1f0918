"""Watches how the account partitions come on, and how long each stood still while there was work."""

from __future__ import annotations

import threading
import time

from tests.services.workers import Deployment

EVERY_S = 0.05


class Progress:
    """``with Progress(deployment) as progress``: looks until the end of the block. Only what has come on once counts."""

    def __init__(self, mine: Deployment) -> None:
        self._mine = mine
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._received = self._look()
        self._since = list(self._received)
        self._moved_at = [0.0] * len(self._received)
        self.longest_pause_s = 0.0

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def begin(self) -> None:
        """``everywhere`` is asked from here on."""
        self._since = self._look()

    def everywhere(self) -> bool:
        """Whether every partition has come on since ``begin``."""
        return all(now > then for now, then in zip(self._look(), self._since, strict=True))

    def _look(self) -> list[int]:
        return [self._mine.ledger_of("accounts", number).received for number in range(self._mine.partitions)]

    def _watch(self) -> None:
        while not self._done.wait(EVERY_S):
            received, now = self._look(), time.monotonic()
            for number, (new, old) in enumerate(zip(received, self._received, strict=True)):
                if new > old:
                    if self._moved_at[number]:
                        self.longest_pause_s = max(self.longest_pause_s, now - self._moved_at[number])
                    self._moved_at[number] = now
            self._received = received
