"""Accounts by trigger or by fit: exactly the first ones as of now, without scoring every account.

By trigger. A listing's ``rank`` is log2 of a bound of the score, moved to a common time: ``2^(rank - now/envelope)``
bounds the account's score now (detectors/effects.py). Accounts are read in order of rank and scored; once the bound of
the next is below the last score that is wanted, no account further down can come in.

By fit. Fit changes with the profile alone, so the stored order is the order.

Rules:
1. The stored order is relied on only where it was written under the screen, fit and triggers in force (``listed_under``,
   written by relisting.py). Else every account is scored: slower, and right.
2. Listings from before the version in force came into force are scored one by one, whatever their place.
3. A list by trigger has accounts with a score of MIN_TRIGGER at least: the others have nothing to say now.
4. An account is scored as of now, or as of its own newest event where that is a little ahead of this machine's clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from detectors.account_state import AccountState, VariantState, decode_state, present
from detectors.scoring import CompiledVariant, Score
from streams.serving.contract import Snapshot
from streams.serving.versions import scoring_of
from streams.serving.views import Order

MIN_TRIGGER = 0.05
"""Points. What is below it would be shown as 0.0."""
_SLACK = 1 + 1e-9
"""What rounding can take from a bound."""


class Scored(NamedTuple):
    """An account with its scores. ``key`` orders it within the list, ties by account."""

    key: float
    account: str
    state: AccountState
    score: Score


class Place(NamedTuple):
    """A place in a list, and as of when (Unix seconds) the list is ordered."""

    as_of: float
    key: float
    account: str


class AccountLists:
    """The lists of one variant within one snapshot.

    ``after``: begin behind this place. ``with_out``: with those that the screen puts out or that are disqualified.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        variant: CompiledVariant,
        now: float,
        stale_before: float,
        after: Place | None = None,
        *,
        with_out: bool = True,
    ) -> None:
        self._snapshot = snapshot
        self._variant = variant
        self._now = now
        self._stale_before = stale_before
        self._after = after
        self._with_out = with_out

    def first(self, order: Order, limit: int) -> list[Scored]:
        """The first ``limit`` accounts behind ``after``, in order."""
        if not self._is_in_order():
            every = (
                scored
                for scored in self._score(self._snapshot.account_states(), order)
                if is_listed(self._variant, scored.state) and self._wanted(scored, order)
            )
            return heapq.nsmallest(limit, every, key=_place)
        stale = [scored for scored in self._score(self._stale_states(), order) if self._wanted(scored, order)]
        found = self._by_rank(limit, stale) if order == "trigger" else self._by_fit(limit)
        return heapq.nsmallest(limit, [*found, *stale], key=_place)

    def _is_in_order(self) -> bool:
        return self._snapshot.listed_under(self._variant.name) == scoring_of(self._variant)

    def _by_rank(self, limit: int, others: Iterable[Scored]) -> list[Scored]:
        envelope_s = self._variant.envelope_s
        best = heapq.nlargest(limit, (scored.key for scored in others))
        heapq.heapify(best)
        found = []
        for account, rank, at, raw in self._snapshot.by_rank(self._variant.name):
            bound = _exp2(rank - self._now / envelope_s) * _SLACK
            if bound < MIN_TRIGGER or (len(best) == limit and bound < best[0]):
                break
            if at < self._stale_before:
                continue
            for scored in self._score([(account, raw)], "trigger"):
                if self._wanted(scored, "trigger"):
                    found.append(scored)
                    (heapq.heappush if len(best) < limit else heapq.heappushpop)(best, scored.key)
        return found

    def _by_fit(self, limit: int) -> list[Scored]:
        # Who has no profile has no stored fit: it is that of an empty profile, the same for all of them.
        empty = self._variant.fit.judge({})
        without = empty.score if empty.out is None else -1.0
        after = None if self._after is None else (self._after.key, self._after.account)
        found: list[Scored] = []
        for account, _, at, raw in self._snapshot.by_fit(self._variant.name, without, after):
            if len(found) == limit:
                break
            if at >= self._stale_before:
                scored = self._score([(account, raw)], "fit")
                found.extend(each for each in scored if self._wanted(each, "fit"))
        return found

    def _score(self, states: Iterable[tuple[str, bytes]], order: Order) -> Iterator[Scored]:
        key_of: Callable[[Score], float] = _trigger_key if order == "trigger" else _fit_key
        for account, raw in states:
            state = decode_state(raw)
            score = self._variant.score(state, present(state), max(self._now, state.now))
            yield Scored(key_of(score), account, state, score)

    def _wanted(self, scored: Scored, order: Order) -> bool:
        if order == "trigger" and scored.key < MIN_TRIGGER:
            return False
        if not self._with_out and is_out(self._variant, scored):
            return False
        after = self._after
        return after is None or (-scored.key, scored.account) > (-after.key, after.account)

    def _stale_states(self) -> Iterator[tuple[str, bytes]]:
        if self._stale_before == float("-inf"):
            return iter(())
        return self._snapshot.listed_before(self._variant.name, self._stale_before)


def is_listed(variant: CompiledVariant, state: AccountState) -> bool:
    """Whether the account has a place in the variant's lists: it has a profile, or an event that a trigger wanted."""
    return bool(state.attributes) or any(trigger.key in state.cells for trigger in variant.triggers)


def is_out(variant: CompiledVariant, scored: Scored) -> bool:
    """Whether this can't become a customer of the variant: screened out, or disqualified."""
    standing = scored.state.variants.get(variant.name, VariantState())
    return scored.score.fit.out is not None or bool(variant.disqualified_by(standing, present(scored.state)))


def _place(scored: Scored) -> tuple[float, str]:
    return -scored.key, scored.account


def _trigger_key(score: Score) -> float:
    return score.trigger


def _fit_key(score: Score) -> float:
    return score.fit.score if score.fit.out is None else -1.0


def _exp2(exponent: float) -> float:
    """2^exponent, without an overflow for what is far in the future."""
    return float(2.0 ** min(exponent, 1000.0))
