"""Writes the lists of one state partition in Redis anew after the ICP file has changed; relisting.py says what for.

Who owns the partition keeps its lists in order, since its commits write places by its own ICP file: ``Lists.take_over``
after each claim, before the first commit. Until that is through, every account of the cluster is scored for a list: slow,
and right.

Rules:
1. While places are written, ``listed_under`` holds a word of this writer's own, and nobody relies on the order. Whoever
   begins later puts in another word, and this writer stops: two ICP files in one cluster, while it is being renewed, cost
   time and never give a wrong order.
2. A place is written only while the account's state is the one that it was made from (redis_relist.lua); else the account
   is read again. So a place from here never replaces a newer one of the processor's.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import structlog

from detectors.scoring import CompiledVariant
from schemas.errors import PlumblineError, StoreUnavailable
from schemas.icp import ICP
from schemas.settings import Settings
from streams.serving.redis_lists import listed_before
from streams.serving.relisting import PAUSE_S, listings_of
from streams.serving.versions import Versions, scoring_of
from streams.stores.redis_connection import Script, address_of, connect, reaching
from streams.stores.redis_keys import PartitionKeys

CHUNK = 500
"""States a script: a few thousandths of a second, which is what others may have to wait."""
TRIES = 100
"""How often accounts are read again that have changed meanwhile."""

States = Iterable[tuple[str, bytes]]
_RELIST = Script("redis_relist")
_log = structlog.get_logger("plumbline.lists")


class _Ended(Exception):
    """Asked to stop, or the lists are in other hands."""


class Lists:
    """The lists of a worker's state partitions. ``now`` gives the present in Unix seconds."""

    def __init__(self, settings: Settings, icps: Sequence[ICP], now: Callable[[], float]) -> None:
        self._settings = settings.redis
        self._versions = Versions(icps, settings.late_after)
        self._now = now
        self._client = connect(settings.redis)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lists")
        self._closing = threading.Event()

    def take_over(self, partition: int) -> None:
        """To be called with a claim that nothing was committed with. Quick: what there is to write is written in a thread
        of its own, while commits go on. Raises StoreUnavailable."""
        self._thread.submit(self._run, self.begin(partition), partition)

    def begin(self, partition: int) -> Relisting:
        """From here on nobody relies on what another ICP file wrote. Quick; raises StoreUnavailable."""
        keys = PartitionKeys(self._settings.key_prefix, "accounts", partition)
        relisting = Relisting(self._client, address_of(self._settings), keys, self._versions, self._now())
        relisting.begin()
        return relisting

    def close(self) -> None:
        """Ends what is under way, within a chunk."""
        self._closing.set()
        self._thread.shutdown()
        self._client.close()

    def _run(self, relisting: Relisting, partition: int) -> None:
        try:
            written = relisting.run(self._closing.wait)
        except PlumblineError as error:
            _log.warning("lists_not_written", partition=partition, reason=error.what, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001 - a fault in here must not end the worker; lists stay right, and slow
            _log.error("lists_not_written", partition=partition, reason=type(error).__name__)
        else:
            if written:
                _log.info("lists_written", partition=partition, places=written)


class Relisting:
    """The lists of one state partition, under the ICP file in force at ``now`` (Unix seconds)."""

    def __init__(
        self, client: Any, address: str, keys: PartitionKeys, versions: Versions, now: float
    ) -> None:
        self._client = client
        self._address = address
        self._keys = keys
        self._icp = versions.in_force(now)
        self._stale_before = versions.stale_before(self._icp)
        self._now = now
        self._word = f"being written {secrets.token_hex(16)}"

    def begin(self) -> None:
        """Raises StoreUnavailable."""
        with reaching(self._address):
            behind = [variant.name for variant in self._icp.variants if not self._in_order(variant)]
            if behind:
                self._client.hset(self._keys.listed_under, mapping=dict.fromkeys(behind, self._word))

    def run(self, pause: Callable[[float], bool]) -> int | None:
        """Writes what is to be written; how many places. At once if there is nothing.

        ``pause`` waits so many seconds between two chunks; if it says True, that is the end. The answer is None then, and
        when another owner has taken the lists over. Raises StoreUnavailable, also when states change faster than they are
        read.
        """
        try:
            with reaching(self._address):
                return self._run(pause)
        except _Ended:
            return None

    def _run(self, pause: Callable[[float], bool]) -> int:
        behind = [variant for variant in self._icp.variants if not self._in_order(variant)]
        written = self._write(behind, self._every_state(), self._word, pause) if behind else 0
        for variant in behind:
            self._put(variant, [], self._word, scoring_of(variant))
        if self._stale_before > float("-inf"):
            for variant in self._icp.variants:
                stale = listed_before(self._client, [self._keys], variant.name, self._stale_before)
                written += self._write([variant], stale, scoring_of(variant), pause)
        return written

    def _write(
        self, variants: list[CompiledVariant], states: States, word: str, pause: Callable[[float], bool]
    ) -> int:
        written = 0
        source = iter(states)
        while chunk := list(islice(source, CHUNK)):
            for variant in variants:
                written += self._put(variant, chunk, word, word)
            if pause(PAUSE_S):
                raise _Ended
        return written

    def _put(self, variant: CompiledVariant, states: States, word: str, next_word: str) -> int:
        """Writes the places of these accounts, and ``next_word`` in the place of ``word``."""
        written = 0
        for _ in range(TRIES):
            values: list[str | bytes | int | float] = [variant.name, word, next_word]
            for account, raw in states:
                digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
                for place in listings_of([variant], account, raw, self._now):
                    fit = 0.0 if place.fit is None else place.fit
                    rank = place.bound + place.at / place.envelope_s
                    values += [account, digest, rank, -fit, place.at]
            keys = self._keys
            changed = _RELIST.run(
                self._client,
                [
                    keys.states,
                    keys.listed_under,
                    keys.rank(variant.name),
                    keys.fit(variant.name),
                    keys.listed(variant.name),
                ],
                values,
            )
            if changed is None:
                raise _Ended
            written += (len(values) - 3) // 5 - len(changed)
            if not changed:
                return written
            found = zip(changed, self._client.hmget(keys.states, changed), strict=True)
            states = [(account.decode(), raw) for account, raw in found if raw is not None]
        raise StoreUnavailable(
            "accounts change faster than their places in the lists can be written",
            remedy="lists are right meanwhile, and slow; they are written when the partition has its next owner",
        )

    def _in_order(self, variant: CompiledVariant) -> bool:
        found: bytes | None = self._client.hget(self._keys.listed_under, variant.name)
        return found is not None and found.decode() == scoring_of(variant)

    def _every_state(self) -> Iterator[tuple[str, bytes]]:
        for account, raw in self._client.hscan_iter(self._keys.states, count=CHUNK):
            yield account.decode(), raw
