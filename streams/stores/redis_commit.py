"""A commit as the keys and values that redis_commit.lua takes.

Rules:
1. Every key that the script touches is among its KEYS, with the type that it must have: a cluster sends it to the right
   node, and a key of another type is found before anything is written.
2. A score is never NaN: Redis would refuse it in the midst of the script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isnan
from typing import Any

import msgspec
from msgspec import Struct

from detectors.accounts import NOT_ACCOUNTS
from streams.stores.contract import (
    Claim,
    Commit,
    DeadLetter,
    Held,
    Intake,
    OutboxRow,
    StateWrite,
    encode_dead_letter,
)
from streams.stores.redis_keys import FIT_UNKNOWN, RECENT_DEAD_LETTERS, PartitionKeys

FACTS = ("account", "variant", "signal")
"""What alerts are looked up by, besides kind and time."""


class _Facts(Struct):
    """What an encoded alert is about."""

    account: str | None = None
    variant: str | None = None
    signal: str | None = None


class _Kinded(_Facts):
    kind: str | None = None


_facts = msgspec.json.Decoder(_Facts)
_kinded = msgspec.json.Decoder(_Kinded)
_json = msgspec.json.Encoder(order="sorted")


def encode_offsets(offsets: dict[str, int]) -> bytes:
    """The same offsets are always the same bytes: the fence compares them."""
    return _json.encode(offsets)


def held_member(held: Held) -> str:
    """How one observation held back is called: its order as text is that of (source, sequence)."""
    return f"{held.source:010d}:{held.sequence:020d}"


def alert_indexes(keys: PartitionKeys, body: bytes, kind: str | None = None) -> list[str]:
    """The sorted sets that hold the alert. ``kind``: if it is not in the body."""
    facts = _kinded.decode(body)
    kind = kind or facts.kind
    found = [] if kind is None else [keys.alerts_of("kind", kind)]
    found += [keys.alerts_of(fact, value) for fact in FACTS if (value := getattr(facts, fact)) is not None]
    return [*found, keys.alerts_by_time]


class CommitCall:
    """``keys`` and ``values`` of one call of redis_commit.lua."""

    def __init__(self, names: PartitionKeys, claim: Claim, commit: Commit) -> None:
        self.keys: list[str] = []
        self._types: list[str] = []
        self._places: dict[str, int] = {}
        self._names = names
        self._counters: list[Any] = []
        self._commands: list[Any] = []
        for key, kind in (
            (names.head, "hash"),
            (names.states, "hash"),
            (names.alerts, "hash"),
            (names.outgoing("alerts"), "list"),
        ):
            self._place(key, kind)
        states = self._states(claim.stage, commit.states)
        alerts = self._alerts(commit.outbox)
        self._listings(commit)
        self._observations(commit.observations)
        self._dead_letters(commit.dead_letters)
        if commit.intake is not None:
            self._intake(commit.intake)
        self.values: list[Any] = [
            claim.version,
            encode_offsets(claim.offsets),
            encode_offsets({**claim.offsets, **commit.offsets}),
            repr(commit.watermark),
            msgspec.json.encode(commit.ledger),
            "".join(f"{kind}," for kind in self._types),
            len(self._counters) // 3,
            *self._counters,
            *states,
            *alerts,
            *self._commands,
        ]

    def _place(self, key: str, kind: str) -> int:
        """The key's place among KEYS, counted from 1."""
        place = self._places.get(key)
        if place is None:
            self.keys.append(key)
            self._types.append(kind)
            place = self._places[key] = len(self.keys)
        return place

    def _call(self, command: str, key: str, kind: str, values: Sequence[Any]) -> None:
        if values:
            self._commands += [command, self._place(key, kind), len(values), *values]

    def _rank(self, command: str, key: str, pairs: Sequence[Any]) -> None:
        """``pairs``: score, member, score, member, ..."""
        if any(map(isnan, pairs[::2])):
            raise ValueError("a time or a rank is not a number")
        self._call(command, key, "zset", pairs)

    def _count(self, key: str, field: str, by: int) -> None:
        self._counters += [self._place(key, "hash"), field, by]

    def _states(self, stage: str, writes: Sequence[StateWrite]) -> list[Any]:
        accounts: list[Any] = []
        others: list[Any] = []
        due: list[Any] = []
        no_more: list[str] = []
        counts = stage == "accounts"
        for write in writes:
            key = write.key
            (accounts if counts and not key.startswith(NOT_ACCOUNTS) else others).extend((key, write.state))
            if write.due_changed:
                if write.due is None:
                    no_more.append(key)
                else:
                    due += (write.due, key)
        self._rank("ZADD", self._names.timers, due)
        self._call("ZREM", self._names.timers, "zset", no_more)
        return [len(accounts) // 2, len(others) // 2, *accounts, *others]

    def _alerts(self, rows: Sequence[OutboxRow]) -> list[Any]:
        values: list[Any] = [len(rows)]
        for row in rows:
            if isnan(row.at):
                raise ValueError("an alert's time is not a number")
            indexes = alert_indexes(self._names, row.body, row.kind)
            values += [row.id, row.at, row.body, len(indexes)]
            values += [self._place(key, "zset") for key in indexes]
        return values

    def _listings(self, commit: Commit) -> None:
        names = self._names
        ranks: dict[str, list[Any]] = {}
        times: dict[str, list[Any]] = {}
        fits: dict[str, list[Any]] = {}
        without: dict[str, list[Any]] = {}
        for x in commit.listings:
            ranks.setdefault(x.variant, []).extend((x.bound + x.at / x.envelope_s, x.account))
            times.setdefault(x.variant, []).extend((x.at, x.account))
            if x.fit is None:
                without.setdefault(x.variant, []).extend((FIT_UNKNOWN, x.account))
            else:
                fits.setdefault(x.variant, []).extend((-x.fit, x.account))
        for variant in ranks:
            self._rank("ZADD", names.rank(variant), ranks[variant])
            self._rank("ZADD", names.listed(variant), times[variant])
            self._rank("ZADD", names.fit(variant), fits.get(variant, ()))
            self._rank("ZADD NX", names.fit(variant), without.get(variant, ()))

    def _observations(self, bodies: Sequence[bytes]) -> None:
        if bodies:
            self._count(self._names.head, "observations", len(bodies))
            self._call("RPUSH", self._names.outgoing("observations"), "list", bodies)

    def _dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        names = self._names
        self._count(names.head, "dead_letters", len(letters))
        for reason, count in Counter(letter.reason for letter in letters).items():
            self._count(names.dead_letter_reasons, reason, count)
        encoded = [encode_dead_letter(letter) for letter in letters]
        self._call("RPUSH", names.outgoing("dead_letters"), "list", encoded)
        recent = [
            encode_dead_letter(msgspec.structs.replace(letter, body=b""))
            for letter in letters[-RECENT_DEAD_LETTERS:]
        ]
        self._call("LPUSH", names.recent_dead_letters, "list", recent)
        self._call("LTRIM", names.recent_dead_letters, "list", (0, RECENT_DEAD_LETTERS - 1))

    def _intake(self, intake: Intake) -> None:
        names = self._names
        waiting = [(held_member(held), held) for held in intake.held]
        released = [held_member(held) for held in intake.released]
        scores = [part for member, held in waiting for part in (held.known, member)]
        self._rank("ZADD", names.held, scores)
        bodies = [part for member, held in waiting for part in (member, held.body)]
        self._call("HSET", names.held_bodies, "hash", bodies)
        self._call("ZREM", names.held, "zset", released)
        self._call("HDEL", names.held_bodies, "hash", released)
        sources = [
            part for number, source in intake.sources.items() for part in (number, _json.encode(source))
        ]
        self._call("HSET", names.sources, "hash", sources)
