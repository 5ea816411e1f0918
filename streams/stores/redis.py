"""The store of distributed mode: Redis, one server or a cluster. docs/redis.md says which keys there are.

Rules beyond the contract's:
1. A load and a commit are one call of one script each, and so is everything else that must be of one moment.
2. All keys of a state partition lie in one slot (redis_keys.py), so that one script may change them on a cluster too.
3. The server remembers the layout's version and the partition counts. Others are refused: a key would be looked for in
   another partition than the one that it is in.
4. May be used by several threads at the same time, one for each state partition.
5. Every method raises StoreUnavailable (redis_connection.py), and tries nothing again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from math import inf
from typing import Any

import msgspec
from redis import exceptions as errors

from schemas.errors import Fenced, StateRefused
from schemas.redis_settings import RedisSettings
from streams.failpoints import reach
from streams.stores.contract import (
    Claim,
    Commit,
    Committed,
    Held,
    Ledger,
    Loaded,
    OutgoingKind,
    Source,
    Stored,
)
from streams.stores.redis_commit import CommitCall, alert_indexes
from streams.stores.redis_connection import Script, address_of, check_server, connect, reaching
from streams.stores.redis_keys import LAYOUT_VERSION, PartitionKeys, layout_key

ROW = 1
"""The row of every state: Redis finds states by their keys."""
VERSION_STEP = 1_000_000
"""A claim raises the version by up to so much (redis_claim.lua)."""
FORGET_AT_ONCE = 100
"""Old alerts removed with a commit, beyond twice as many as it brings."""

_CLAIM = Script("redis_claim")
_LAYOUT = Script("redis_layout")
_LOAD = Script("redis_load")
_COMMIT = Script("redis_commit")
_OUTGOING = Script("redis_outgoing")
_TRIM = Script("redis_trim")
_HELD = Script("redis_held")
_FORGET = Script("redis_forget")

_offsets = msgspec.json.Decoder(dict[str, int])
_ledger = msgspec.json.Decoder(Ledger)
_source = msgspec.json.Decoder(Source)


class RedisStore:
    """Keeps the contracts of Store, RelayStore and DriftStore.

    ``accounts`` and ``drift``: how many state partitions each stage has. Raises StateRefused for a server that holds the
    state of other counts or another layout, that is too old, or that throws keys away; StoreUnavailable.
    """

    def __init__(self, settings: RedisSettings, *, accounts: int, drift: int) -> None:
        self.address = address_of(settings)
        self._prefix = settings.key_prefix
        self._keep_alerts_s = settings.keep_alerts
        self._counts = {"accounts": accounts, "drift": drift}
        self._keys: dict[tuple[str, int], PartitionKeys] = {}
        self._client = connect(settings)
        try:
            check_server(self._client, self.address)
            self.check_layout()
        except BaseException:
            self._client.close()
            raise

    def check_layout(self) -> None:
        """Raises StateRefused if the server holds another layout than this store was opened with."""
        ours = (LAYOUT_VERSION, self._counts["accounts"], self._counts["drift"])
        with reaching(self.address):
            found = _LAYOUT.run(self._client, [layout_key(self._prefix)], ours)
        version, accounts, drift = (int(part or 0) for part in found)
        if version != LAYOUT_VERSION:
            raise StateRefused(
                f"the state in Redis has layout {version}; this program reads layout {LAYOUT_VERSION}",
                remedy="run the version of Plumbline that wrote it, or begin with another redis.key_prefix and replay",
            )
        if (version, accounts, drift) != ours:
            raise StateRefused(
                f"the state in Redis is for {accounts} partitions of events and {drift} of observations,"
                f" not for {ours[1]} and {ours[2]}",
                remedy="give the topics as many partitions as before, or begin with another redis.key_prefix and replay",
            )

    def claim(self, stage: str, partition: int) -> Claim:
        keys = self._of(stage, partition)
        with reaching(self.address):
            version, offsets, watermark, ledger = _CLAIM.run(
                self._client, [keys.head], [1 + secrets.randbelow(VERSION_STEP)]
            )
        reach("claim.after")
        return Claim(
            stage=stage,
            partition=partition,
            version=int(version),
            offsets={} if offsets is None else _offsets.decode(offsets),
            watermark=0.0 if watermark is None else float(watermark),
            ledger=Ledger() if ledger is None else _ledger.decode(ledger),
        )

    def load(
        self, claim: Claim, keys: Iterable[str], due_until: float | None, due_after: float = -inf
    ) -> Loaded:
        names = self._of(claim.stage, claim.partition)
        wanted = list(keys)
        until = "" if due_until is None else due_until
        with self._fenced(claim):
            found, dues, due, due_states = _LOAD.run(
                self._client,
                [names.head, names.states, names.timers],
                [claim.version, due_after, until, *wanted],
            )
        states = {
            key: Stored(state=state, row=ROW, due=None if at is None else float(at))
            for key, state, at in zip(wanted, chain(*found), chain(*dues), strict=True)
            if state is not None
        }
        due_keys = []
        for name, at, state in zip(due[::2], due[1::2], chain(*due_states), strict=True):
            key = name.decode()
            due_keys.append(key)
            states[key] = Stored(state=state, row=ROW, due=float(at))
        return Loaded(states=states, due_keys=due_keys)

    def commit(self, claim: Claim, commit: Commit) -> Committed:
        names = self._of(claim.stage, claim.partition)
        call = CommitCall(names, claim, commit)
        if commit.outbox:
            self._forget_alerts(names, claim.watermark, FORGET_AT_ONCE + 2 * len(commit.outbox))
        reach("commit.before")
        with self._fenced(claim):
            _COMMIT.run(self._client, call.keys, call.values)
        reach("commit.after")
        return Committed(
            claim=claim.after(commit),
            rows={write.key: ROW for write in commit.states if not write.row},
        )

    def next_due(self, claim: Claim) -> float | None:
        with reaching(self.address):
            first: Any = self._client.zrange(
                self._of(claim.stage, claim.partition).timers, 0, 0, withscores=True
            )
        return float(first[0][1]) if first else None

    def outgoing(
        self, stage: str, partition: int, kind: OutgoingKind, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        """See RelayStore."""
        names = self._of(stage, partition)
        with reaching(self.address):
            first, bodies = _OUTGOING.run(
                self._client, [names.head, names.outgoing(kind)], [kind, after, limit]
            )
        return list(enumerate(bodies, first))

    def trim(self, stage: str, partition: int, kind: OutgoingKind, until: int) -> None:
        """See RelayStore."""
        names = self._of(stage, partition)
        with reaching(self.address):
            _TRIM.run(self._client, [names.head, names.outgoing(kind)], [kind, until])

    def sources(self, claim: Claim) -> dict[int, Source]:
        """See DriftStore."""
        with reaching(self.address):
            found: Any = self._client.hgetall(self._of(claim.stage, claim.partition).sources)
        return {int(number): _source.decode(source) for number, source in found.items()}

    def held(self, claim: Claim, until: float, limit: int) -> list[Held]:
        """See DriftStore."""
        names = self._of(claim.stage, claim.partition)
        with self._fenced(claim):
            found, bodies = _HELD.run(
                self._client, [names.head, names.held, names.held_bodies], [claim.version, until, limit]
            )
        held = []
        for member, known, body in zip(found[::2], found[1::2], chain(*bodies), strict=True):
            source, _, sequence = member.partition(b":")
            held.append(Held(known=float(known), source=int(source), sequence=int(sequence), body=body))
        return held

    def held_count(self, claim: Claim) -> int:
        """See DriftStore."""
        with reaching(self.address):
            count: Any = self._client.zcard(self._of(claim.stage, claim.partition).held)
        return int(count)

    def close(self) -> None:
        self._client.close()

    def _forget_alerts(self, names: PartitionKeys, watermark: float, limit: int) -> None:
        """Removes alerts that are older than what is kept. Before the commit, so that its answer is the last word."""
        with reaching(self.address):
            ids: Any = self._client.zrange(
                names.alerts_by_time,
                "-inf",
                f"({watermark - self._keep_alerts_s!r}",
                byscore=True,
                offset=0,
                num=limit,
            )
            if not ids:
                return
            bodies: Any = self._client.hmget(names.alerts, ids)
            places = {names.alerts: 1}
            values: list[Any] = []
            for alert_id, body in zip(ids, bodies, strict=True):
                for key in (names.alerts, *(alert_indexes(names, body) if body else [names.alerts_by_time])):
                    values += (places.setdefault(key, len(places) + 1), alert_id)
            _FORGET.run(self._client, list(places), values)

    def _of(self, stage: str, partition: int) -> PartitionKeys:
        keys = self._keys.get((stage, partition))
        if keys is None:
            if not 0 <= partition < self._counts[stage]:
                raise StateRefused(
                    f"there is no state partition {partition} of stage {stage}: it has {self._counts[stage]}",
                    remedy="give the topics as many partitions as Redis has state for",
                )
            keys = self._keys[stage, partition] = PartitionKeys(self._prefix, stage, partition)
        return keys

    @contextmanager
    def _fenced(self, claim: Claim) -> Iterator[None]:
        """``reaching``, and Fenced where a script finds another version than the claim's."""
        with reaching(self.address):
            try:
                yield
            except errors.ResponseError as error:
                if str(error) == "FENCED":
                    raise Fenced(
                        f"state partition {claim.partition} of stage {claim.stage} has another owner now",
                        remedy="nothing is lost: the other owner goes on from the last commit",
                    ) from None
                raise
