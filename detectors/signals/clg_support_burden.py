"""clg.support_burden: the advisory board hardly needs support, everyone else does. The sign of elite distortion that hears it first.

What counts:
1. One observation for each burst of tickets of a customer: is it elite (elite.py) or not, given the elite's share of the
   seats of customers of its size (clg_support_burden_seats.py) on the day on which the first ticket was written. A ticket counts
   once; later events of its ``ticket_id`` change nothing. What is judged is the rate ratio between a seat of the elite and any
   other; it may fall.
2. Customers count from a census on: at the beginning of each month (30 days, the same for all) each tells its standing and
   its seats, from 90 days after it was acquired: newcomers ask much and use little, and would look like a change when
   sales grow. Tickets of newer customers (``new_customer``) and of who is none (``no_customer``) don't count.
3. Who leaves counts no more from that moment on, neither its tickets nor its seats.
4. An account without ``seats`` in its profile has one. ``support_exposure: usage`` weighs customers by their use instead.
5. Left edge: tickets of the first four weeks of recording, and from before the first census with an elite (``no_elite``; so are
   those of customers of whose size no elite is, or nobody else).
6. An outage: what a day has beyond three times the usual is counted out (clg_support_burden_seats.py).

Late tickets count while their burst is not told, others not at all. A late ``churned`` or ``converted`` counts from when it
is heard of; late product events count as use of the month in which they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

import msgspec
from msgspec import Struct, field

from detectors.signals.bursts import Burst, BurstRule, close, due, join
from detectors.signals.clg_support_burden_monitor import SupportMonitor, SupportState, stratum_of
from detectors.signals.clg_support_burden_seats import (
    MOST_ASKED,
    Community,
    begin_day,
    count,
    day_of,
    leave,
    size_of,
    takes_another,
)
from detectors.signals.clg_support_burden_words import drifting, mix, resolved
from detectors.signals.contract import AccountFacts, AccountOutput, Quantity, Reading
from detectors.signals.elite import BOARD, HIGHEST, MONTH, UNKNOWN, begin_month, seats_of, standing_of
from detectors.signals.known_tickets import KnownTickets, hear
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.rate_words import words_unsteady
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.tenure import customer_since
from schemas.duration import DAY
from schemas.events import AccountProfile, Envelope, SupportTicket
from schemas.observations import Observation
from schemas.settings import DriftSettings

TICKET = "ticket"
"""Of a customer; the value is its standing, the exposure its seats."""
CUSTOMER = "customer"
"""In a census: the value is its standing, the exposure its seats."""
LEFT = "customer_left"
SEEN = "ticket_seen"
NEW_FOR = 90 * DAY
_COUNTED_OUT = ("new_customer", "no_customer", "too_many_tickets")
_STANDING = Values(UNKNOWN, HIGHEST, whole=True)
_MONTH, _TELL = "month", "tell"
_NOT_YET = -1.0
_GONE = -2.0
_DIGITS = 3


class First(Struct, array_like=True):
    """The first ticket of the open burst: when it was written (Unix seconds), how its account stood then, and what it weighed."""

    at: float = 0.0
    standing: int = UNKNOWN
    reason: str = "no_customer"
    """why it does not count, or nothing"""
    weight: float = 1.0


class Memory(KnownTickets, array_like=True):
    """``acquired``: Unix seconds, below 0 for no customer. ``weight``: seats (or use) in the newest census, below 0 where the
    account was not in it. ``asked``: bursts of tickets ever; both ``marks``: elite.py."""

    burst: Burst = field(default_factory=Burst)
    first: First = field(default_factory=First)
    acquired: float = _NOT_YET
    marks: list[int] = field(default_factory=list)
    asked: int = 0
    asked_marks: list[int] = field(default_factory=list)
    standing: int = UNKNOWN
    weight: float = -1.0


class SupportBurden(SegmentedSignal):
    """See the module. ``exposure``: by what customers weigh."""

    name = "clg.support_burden"
    title = "tickets of the elite, by its share of the seats"
    needs: Mapping[str, frozenset[str]] = {
        "support.ticket": frozenset({"ticket_id"}),
        "product.event": frozenset({"name"}),
    }
    listens = frozenset({"converted", "churned"})
    hears: frozenset[type[Envelope]] = frozenset({SupportTicket, AccountProfile})
    memory: type[Struct] | None = Memory

    unit: ClassVar[Quantity] = "ratio"
    reading = Reading(frozenset({TICKET}), "share of tickets that the elite writes")
    measures: ClassVar[Mapping[str, Values]] = {
        **dict.fromkeys((TICKET, CUSTOMER, LEFT), _STANDING),
        **dict.fromkeys((SEEN, *_COUNTED_OUT), SHARE),
    }
    left_out: ClassVar[frozenset[str]] = frozenset(_COUNTED_OUT)
    recorded_by: ClassVar[Mapping[str, str]] = {TICKET: SEEN}
    state_version: ClassVar[int] = 4
    monitor_state: ClassVar[type[Struct]] = SupportState
    shared: ClassVar[type[Struct] | None] = Community

    def __init__(
        self,
        promise: Promise,
        *,
        max_segments: int = 12,
        exposure: Literal["seats", "usage"] = "seats",
        bursts: BurstRule = BurstRule(),  # noqa: B008  # frozen
    ) -> None:
        super().__init__(promise, max_segments=max_segments)
        self._exposure = exposure
        self._bursts = bursts

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            exposure=settings.support_exposure,
            bursts=BurstRule(settings.burst_gap, settings.burst_longest),
        )

    def monitor(self, stored: Any) -> SupportMonitor:
        return SupportMonitor(self.promise, stored)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, days = 8, int(self.settling_days + self.promise.min_baseline_days) + 240
        told = [self._example(SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(per_day * days):
            began = i * DAY / per_day
            told.append(self._example(TICKET, began + DAY, began, _standing(0 if i % 12 == 0 else i), i))
        for month in range(days // 30):
            at = (month + 1) * MONTH
            told += [self._example(CUSTOMER, at, at, _standing(i), i) for i in range(60)]
        return sorted(told, key=lambda each: each.at)

    def _example(self, measure: str, at: float, began: float, value: float, number: int) -> Observation:
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=value,
            account=f"account-{number}",
            segments={"asked": str(number % 4)} if measure == CUSTOMER else {},
            exposure=5.0,
        )

    # The account half.

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        memory, at = cast(Memory, facts.memory), facts.milestones[milestone]
        if milestone == "converted":
            self._acquire(facts, memory, at, output)
        elif 0 <= memory.acquired <= at:
            if memory.weight >= 0:
                now, standing = facts.now, float(memory.standing)
                output.observe(LEFT, at=now, began=now, value=standing, segments={}, exposure=memory.weight)
            memory.acquired, memory.weight = _GONE, -1.0
            output.drop_timer(_MONTH)

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        if isinstance(event, AccountProfile):
            if "customer_since" in event.data.attributes:
                since = customer_since(facts.attributes)
                if since is not None and since <= at:
                    self._acquire(facts, cast(Memory, facts.memory), since, output)
            return
        memory = cast(Memory, facts.memory)
        output.recorded(SEEN, at)
        heard = hear(memory, event.data.ticket_id, at)
        if heard == "too_many_tickets":
            output.observe(heard, at=at, began=at, value=1.0, segments={})
        if heard != "new":
            return
        place = join(memory.burst, at, self._bursts)
        if place == "over":
            self._tell(memory, output)
            place = join(memory.burst, at, self._bursts)
        if place == "told":
            return
        if place == "opened" or at < memory.first.at:
            reason = "" if memory.weight >= 0 else "new_customer" if memory.acquired >= 0 else "no_customer"
            memory.first = First(at, memory.standing, reason, max(memory.weight, 0.0))
        output.set_timer(_TELL, due(memory.burst, self._bursts))

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        memory = cast(Memory, facts.memory)
        if name == _TELL:
            if memory.burst.open:
                self._tell(memory, output)
            return
        output.set_timer(_MONTH, due + MONTH)
        use, asked = begin_month(memory.marks, facts.used), begin_month(memory.asked_marks, memory.asked)
        if use is None or asked is None or due - memory.acquired < NEW_FOR:
            return
        memory.standing = standing_of(facts.attributes, use)
        memory.weight = seats_of(facts.attributes) if self._exposure == "seats" else use
        output.observe(
            CUSTOMER,
            at=due,
            began=due,
            value=float(memory.standing),
            segments={"asked": str(min(round(asked), MOST_ASKED))},
            exposure=memory.weight,
        )

    def _acquire(self, facts: AccountFacts, memory: Memory, acquired: float, output: AccountOutput) -> None:
        churned = facts.milestones.get("churned")
        if memory.acquired != _NOT_YET or acquired < 0 or (churned is not None and acquired <= churned):
            return
        memory.acquired = acquired
        output.set_timer(_MONTH, (facts.now // MONTH + 1) * MONTH)

    def _tell(self, memory: Memory, output: AccountOutput) -> None:
        first, at = memory.first, due(memory.burst, self._bursts)
        close(memory.burst)
        memory.asked += 1
        value = 1.0 if first.reason else float(first.standing)
        reason = first.reason or TICKET
        output.observe(reason, at=at, began=first.at, value=value, segments={}, exposure=first.weight)

    # The drift half.

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        community, standing = cast(Community, state.shared), int(observation.value)
        begin_day(community, observation.at, learning=state.learning)
        if observation.measure == CUSTOMER:
            count(community, standing, observation.exposure, _asked(observation), observation.at)
            return ()
        if observation.measure == LEFT:
            leave(community, standing, observation.exposure)
            return ()
        written = day_of(community, observation.began)
        share = written.shares.get(size_of(observation.exposure))
        if share is None:
            return "no_elite"
        if not takes_another(community, written):
            return "outage"
        elite = float(standing >= written.bar)
        return (msgspec.structs.replace(observation, value=elite, stratum=stratum_of(share), exposure=share),)

    def words_drifting(self, case: Case) -> Words:
        return drifting(case)

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        return resolved(case, retaken=retaken)

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "unsteady baseline":
            return words_unsteady(case, "the elite's share of the tickets")
        if finding == "mix":
            return mix(case)
        return super().words_noticed(finding, case)


def _standing(number: int) -> float:
    """Of the healthy example: every twentieth is on the board."""
    return float(BOARD + 60 if number % 20 == 0 else 40 + number % 20)


def _asked(observation: Observation) -> int:
    """0 for what is no number of tickets."""
    told = observation.segments.get("asked", "")
    return int(told) if told.isdecimal() and len(told) <= _DIGITS else 0
