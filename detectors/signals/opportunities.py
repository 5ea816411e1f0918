"""Opportunities from creation to closing: what slg.cycle_spread and slg.aged_win_rate hear of them.

The account half tells each opportunity twice: ``opened`` when it is first heard of, and ``won`` or ``lost`` when it closes.
So what is still open is known in the drift half, as exposure, at the cost of no timer. Rules:
1. An opportunity is created at its ``opened_at``, else when the first stage change is heard of it. One that is older than
   HEARD_WITHIN by then is left out (``left_truncated``): others as old have closed unheard, so only the slow ones would be
   seen. One that is first heard of at its closing was never open (``closed_at_once``).
2. Owner (``rep``) and amount band are those of the creation. The band is the ICP file's ``bands: amount``, in its currency by
   the settings' ``currency_rates``; a currency without a rate and a deal without an amount are bands of their own.
3. Those created by one account in one burst (bursts.py) are one: the first one speaks for all.
4. A closing counts once; what comes after it (reopened, closed again) changes nothing. A late event that closes is told when
   it comes, with its own age; a late creation changes nothing any more.
5. At most MAX_KNOWN opportunities of an account are known at a time; more are left out (``too_many_open``). A closed one is
   forgotten after CLOSED_FOR; one that nobody has touched for UNTOUCHED_FOR makes room for a new one.
6. What is closed in bulk (bulk_closings.py) becomes ``closed_in_bulk``: it was open until then, and no more is known of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, cast

import msgspec
from msgspec import Struct

from detectors.signals.bulk_closings import BulkClosings
from detectors.signals.bursts import BurstRule
from detectors.signals.contract import AccountFacts, AccountOutput
from detectors.signals.marks import mark_of
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.new_opportunities import (
    CLOSED_FOR,
    MAX_KNOWN,
    NOBODY,
    UNTOUCHED_FOR,
)
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_state import SegmentedState
from schemas.duration import DAY
from schemas.events import Envelope, StageChanged, StageChangedData
from schemas.observations import Observation
from schemas.settings import DriftSettings

OPENED, WON, LOST = "opened", "won", "lost"
IN_BULK = "closed_in_bulk"
SEEN = "stage_change_seen"
HEARD_WITHIN = 7 * DAY
LONGEST_DAYS = 36_500.0
NO_BANDS, NO_AMOUNT, NO_RATE = "any amount", "no amount", "no rate"
_LEFT_OUT = ("left_truncated", "closed_at_once", "too_many_open", "same_burst")


class Deal(Struct, array_like=True):
    """An opportunity by a digest of its id. Unix seconds: ``created`` (-1: it is left out), ``newest`` creation in its burst,
    when it was ``heard`` of last. ``band`` and ``rep`` are those of its creation."""

    mark: int
    heard: float
    created: float = -1.0
    newest: float = -1.0
    band: str = ""
    rep: str = ""
    closed: bool = False


class Deals(Struct, array_like=True):
    """What is remembered of one account."""

    known: list[Deal] = []


class FollowsDeals(Protocol):
    """What its monitors do besides."""

    def forget_open(self, until: float) -> None:
        """Until then (Unix seconds) it could not be heard which deals closed: of those created before, nothing more is known."""
        ...


class OpportunitySignal(SegmentedSignal):
    """A signal whose monitors are told ``opened``, ``won``, ``lost`` and ``closed_in_bulk``: ``began`` is the creation,
    ``value`` the days until the closing, ``stratum`` the amount band."""

    needs: Mapping[str, frozenset[str]] = {
        "crm.stage_changed": frozenset({"opportunity_id", "outcome", "amount"})
    }
    hears: frozenset[type[Envelope]] = frozenset({StageChanged})
    memory: type[Struct] | None = Deals

    measures: ClassVar[Mapping[str, Values]] = {
        OPENED: SHARE,
        WON: Values(0.0, LONGEST_DAYS),
        LOST: Values(0.0, LONGEST_DAYS),
        **dict.fromkeys((SEEN, *_LEFT_OUT), SHARE),
    }
    left_out: ClassVar[frozenset[str]] = frozenset(_LEFT_OUT)
    uncounted: ClassVar[frozenset[str]] = frozenset({WON, LOST})
    recorded_by: ClassVar[Mapping[str, str]] = dict.fromkeys((OPENED, WON, LOST), SEEN)
    dimensions: ClassVar[tuple[str, ...]] = ("rep",)
    shared: ClassVar[type[Struct] | None] = BulkClosings

    def __init__(
        self,
        promise: Promise,
        *,
        max_segments: int = 12,
        bursts: BurstRule = BurstRule(),  # noqa: B008  # frozen
        rates: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(promise, max_segments=max_segments)
        self._bursts = bursts
        self._rates = dict(rates or {})

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            bursts=BurstRule(settings.burst_gap, settings.burst_longest),
            rates=settings.currency_rates,
        )

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        change, memory = event.data, facts.memory
        output.recorded(SEEN, at)
        mark = mark_of(change.opportunity_id)
        for deal in memory.known:
            if deal.mark == mark:
                break
        else:
            self._open(facts, memory.known, mark, change, at, output)
            return
        deal.heard = max(deal.heard, at)
        if change.outcome is None or deal.closed:
            return
        deal.closed = True
        if deal.created < 0:
            return
        closed = max(at, deal.created)
        output.observe(
            change.outcome,
            at=closed,
            began=deal.created,
            value=(closed - deal.created) / DAY,
            segments={"rep": deal.rep, "closer": change.owner_id or deal.rep},
            stratum=deal.band,
        )

    def _open(
        self,
        facts: AccountFacts,
        known: list[Deal],
        mark: int,
        change: StageChangedData,
        at: float,
        output: AccountOutput,
    ) -> None:
        rep = change.owner_id or NOBODY
        created = min(change.opened_at.timestamp(), at) if change.opened_at is not None else at
        reason = ""
        if len(known) >= MAX_KNOWN:
            _forget(known, facts.now)
        if len(known) >= MAX_KNOWN:
            reason = "too_many_open"
        else:
            deal = Deal(mark, at, closed=change.outcome is not None)
            if at - created > HEARD_WITHIN:
                reason = "left_truncated"
            elif deal.closed:
                reason = "closed_at_once"
            elif _joins_a_burst(known, created, self._bursts):
                reason = "same_burst"
            else:
                deal.created = deal.newest = created
                deal.rep = rep
                deal.band = amount_band(
                    change.amount, change.currency, facts.icp(created).bands.amount, self._rates
                )
            known.append(deal)
        if reason:
            output.observe(reason, at=at, began=at, value=1.0, segments={"rep": rep})
            return
        output.observe(OPENED, at=at, began=created, value=1.0, segments={"rep": rep}, stratum=known[-1].band)

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        if observation.measure in (WON, LOST):
            closings: BulkClosings = state.shared
            closer = observation.segments.get("closer", NOBODY)
            if closings.in_bulk(closer, observation.measure, observation.at):
                return (msgspec.structs.replace(observation, measure=IN_BULK),)
        return (observation,)

    def interrupted(self, state: SegmentedState, until: float) -> None:
        for segment in state.segments.values():
            cast(FollowsDeals, segment.monitor).forget_open(until)

    def _told(
        self,
        measure: str,
        at: float,
        created: float,
        number: int,
        *,
        value: float = 1.0,
        band: str = NO_BANDS,
    ) -> Observation:
        """An observation for the conformance checks."""
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=created,
            value=value,
            account=f"account-{number}",
            segments={"rep": ("anna", "ben", "cleo")[number % 3], "closer": f"closer-{number % 12}"},
            stratum=band,
        )


def amount_band(
    amount: float | None, currency: str | None, bounds: Sequence[str], rates: Mapping[str, float]
) -> str:
    """``up to 10000 EUR``, ``10000-50000 EUR``, ``over 50000 EUR``. ``bounds``: upper ones, rising, as the ICP file writes
    them; ``rates``: what one unit of a currency is worth in that of the bounds."""
    if not bounds:
        return NO_BANDS
    if amount is None:
        return NO_AMOUNT
    unit = bounds[0].rpartition(" ")[2]
    rate = 1.0 if currency == unit else rates.get(currency or "")
    if rate is None:
        return NO_RATE
    written = [bound.partition(" ")[0] for bound in bounds]
    place = next((i for i, bound in enumerate(written) if amount * rate <= float(bound)), len(written))
    if place == len(written):
        return f"over {written[-1]} {unit}"
    return f"up to {written[0]} {unit}" if place == 0 else f"{written[place - 1]}-{written[place]} {unit}"


def _joins_a_burst(known: Sequence[Deal], created: float, rule: BurstRule) -> bool:
    """Whether the account created another opportunity so shortly before or after, and takes ``created`` into its burst."""
    for deal in known:
        if deal.created < 0 or not deal.created - rule.gap_s < created < deal.newest + rule.gap_s:
            continue
        newest = max(deal.newest, created)
        if newest - deal.created <= rule.longest_s:
            deal.newest = newest
            return True
    return False


def _forget(known: list[Deal], now: float) -> None:
    """What makes no difference any more; where that is not enough, the one that was not touched for longest."""
    known[:] = [each for each in known if not each.closed or now - each.heard < CLOSED_FOR]
    if len(known) >= MAX_KNOWN:
        oldest = min(known, key=lambda each: each.heard)
        if now - oldest.heard > UNTOUCHED_FOR:
            known.remove(oldest)
