"""The store in memory: for tests, and for replays that fit. Nothing outlives the process."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from math import inf

import msgspec
from msgspec import Struct

from detectors.effects import Listing
from schemas.errors import Fenced
from streams.stores.contract import (
    Claim,
    Commit,
    Committed,
    DeadLetter,
    Ledger,
    Loaded,
    OutboxRow,
    Stored,
)


class _Partition(Struct):
    claim: Claim
    states: dict[str, Stored] = {}


class MemoryStore:
    """Keeps the store contract (streams/stores/contract.py) in dictionaries."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self.outbox: dict[str, OutboxRow] = {}
        self.observations: list[bytes] = []
        self._dropped = 0
        self.dead_letters: list[DeadLetter] = []
        self.listings: dict[tuple[str, str], Listing] = {}

    def claim(self, stage: str, partition: int) -> Claim:
        held = self._partitions.get((stage, partition))
        if held is None:
            claim = Claim(
                stage=stage, partition=partition, version=1, offsets={}, watermark=0.0, ledger=Ledger()
            )
            held = self._partitions[stage, partition] = _Partition(claim)
        else:
            held.claim = msgspec.structs.replace(held.claim, version=held.claim.version + 1)
        return held.claim

    def load(
        self, claim: Claim, keys: Iterable[str], due_until: float | None, due_after: float = -inf
    ) -> Loaded:
        states = self._held(claim).states
        due: list[str] = []
        if due_until is not None:
            ordered = sorted(
                (stored.due, key)
                for key, stored in states.items()
                if stored.due is not None and due_after < stored.due <= due_until
            )
            due = [key for _, key in ordered]
        return Loaded(states={key: states[key] for key in (*keys, *due) if key in states}, due_keys=due)

    def commit(self, claim: Claim, commit: Commit) -> Committed:
        held = self._held(claim)
        for write in commit.states:
            held.states[write.key] = Stored(state=write.state, row=1, due=write.due)
        for listing in commit.listings:
            key = (listing.variant, listing.account)
            if listing.fit is None and key in self.listings:
                listing = msgspec.structs.replace(listing, fit=self.listings[key].fit)
            self.listings[key] = listing
        for row in commit.outbox:
            self.outbox.setdefault(row.id, row)
        self.observations.extend(commit.observations)
        self.dead_letters.extend(commit.dead_letters)
        held.claim = claim.after(commit)
        return Committed(claim=held.claim, rows={write.key: 1 for write in commit.states if not write.row})

    def next_due(self, claim: Claim) -> float | None:
        states = self._held(claim).states.values()
        return min((stored.due for stored in states if stored.due is not None), default=None)

    def together(self) -> AbstractContextManager[None]:
        """See streams/stores/contract.py. Nothing is taken back: a commit here fails only where its claim is of no more use."""
        return nullcontext()

    def read_observations(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """See streams/stores/sqlite.py."""
        first = max(after - self._dropped, 0)
        kept = self.observations[first : first + limit]
        return [(self._dropped + first + index, body) for index, body in enumerate(kept, start=1)]

    def drop_observations(self, until: int) -> None:
        """See streams/stores/sqlite.py."""
        del self.observations[: max(0, until - self._dropped)]
        self._dropped = max(self._dropped, until)

    def close(self) -> None:
        """Nothing to let go of."""

    def _held(self, claim: Claim) -> _Partition:
        held = self._partitions.get((claim.stage, claim.partition))
        if held is None or held.claim.version != claim.version or held.claim.offsets != claim.offsets:
            raise Fenced(
                f"state partition {claim.partition} of stage {claim.stage} has another owner now",
                remedy="nothing is lost: the other owner goes on from the last commit",
            )
        return held
