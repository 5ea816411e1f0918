"""clg.churn_cohorts: those who bought after the community took over leave; the elite stays. The sign of elite distortion.

What counts:
1. A customer is acquired at ``converted``, else at the profile's ``customer_since``, whichever is heard of first; that date
   is kept. Days at risk are counted from then on, or from the day on which the customer was first heard of: what was before
   is not known. ``churned`` ends them, once; who comes back is not counted again.
2. One observation a customer and 30 days (``customer_month``), told when the 30 days are over, whoever left in them: 1 or 0,
   with the days at risk. So customers who stay are told as soon as those who leave, and nobody looks worse for being new.
3. Elite (elite.py) is who was so when the 30 days began: who is asked onto the board for having stayed, or leaves it for
   leaving, changes nothing of what was. Until the use of a first month is told, nobody knows who is elite, and customer
   months are counted out (``elite_unknown``).
4. Left edge: customer months from before churn was recorded at all, or within four weeks after, are counted out.
5. Later eras are compared, by tenure, with customers of earlier ones. The ICP file's ``community_since`` says which are
   which: ``earlier`` until six months after it, ``suspect`` from six to twelve, ``later`` then; a change begins with suspects.
   Without it an era is a half-year of acquisition, and later are those acquired after the baseline.

A late event (up to 30 days) changes what is told next: a ``churned`` that comes after its 30 days were told ends the next
ones at once, so that up to 30 days too many were at risk; a late ``converted`` begins when it is heard of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from detectors.signals.clg_churn_cohorts_monitor import (
    EARLIER,
    ELITE,
    LATER,
    MONTH,
    SUSPECT,
    ChurnMonitor,
)
from detectors.signals.clg_churn_cohorts_state import ChurnState
from detectors.signals.clg_churn_cohorts_words import drifting, resolved, uniform
from detectors.signals.contract import AccountFacts, AccountOutput, Quantity, Reading
from detectors.signals.elite import BOARD, HIGHEST, UNKNOWN, MonthlyBar, begin_month, standing_of
from detectors.signals.measures import SHARE, Values
from detectors.signals.rate_words import words_unsteady
from detectors.signals.segmented import SegmentedSignal
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.tenure import customer_since
from schemas.duration import DAY
from schemas.events import AccountProfile, Envelope
from schemas.observations import Observation

CUSTOMER_MONTH = "customer_month"
CHURN_SEEN = "churn_seen"
OTHERS = "others"
_HALF_YEAR = 183 * DAY
_TIMER = "month"
_ENDED = 1e18
_DIGITS = 3


class Customer(Struct, array_like=True):
    """Unix seconds. ``acquired`` is -1 while the account is no customer that was heard of; ``told`` up to when its days at
    risk were told; ``standing`` (elite.py) as it was then, from ``marks`` of its use."""

    acquired: float = -1.0
    told: float = -1.0
    standing: int = UNKNOWN
    marks: list[int] = []


class ChurnCohorts(SegmentedSignal):
    """See the module."""

    name = "clg.churn_cohorts"
    title = "customers who leave, by when they were acquired"
    needs: Mapping[str, frozenset[str]] = {"product.event": frozenset({"name"})}
    listens = frozenset({"converted", "churned"})
    hears: frozenset[type[Envelope]] = frozenset({AccountProfile})
    memory: type[Struct] | None = Customer

    unit: ClassVar[Quantity] = "ratio"
    reading = Reading(frozenset({CUSTOMER_MONTH}), "share of customers who leave within 30 days")
    measures: ClassVar[Mapping[str, Values]] = {CUSTOMER_MONTH: SHARE, CHURN_SEEN: SHARE}
    recorded_by: ClassVar[Mapping[str, str]] = {CUSTOMER_MONTH: CHURN_SEEN}
    dimensions: ClassVar[tuple[str, ...]] = ("source",)
    state_version: ClassVar[int] = 4
    monitor_state: ClassVar[type[Struct]] = ChurnState
    shared: ClassVar[type[Struct] | None] = MonthlyBar

    def monitor(self, stored: Any) -> ChurnMonitor:
        return ChurnMonitor(self.promise, stored)

    def healthy_example(self) -> Sequence[Observation]:
        told = [self._example(CHURN_SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(6000):
            at = (60 + i / 12) * DAY
            acquired = at - MONTH - i % 11 * MONTH / 12
            told.append(self._example(CUSTOMER_MONTH, at, acquired, float(i % 30 == 0), i))
        return told

    def _example(self, measure: str, at: float, acquired: float, value: float, number: int) -> Observation:
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=acquired,
            value=value,
            account=f"account-{number}",
            segments={
                "source": ("referral", "content", "direct")[number % 3],
                "era": era(acquired, None),
                "standing": str(number % 17 + (BOARD if number % 34 == 1 else 0)),
            },
            exposure=15.0 if value else 30.0,
        )

    # The account half.

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        at = facts.milestones[milestone]
        if milestone == "churned":
            output.recorded(CHURN_SEEN, at)
        elif facts.memory.acquired < 0:
            self._acquire(facts, at, output)

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        """A profile that says since when the account is a customer."""
        if "customer_since" in event.data.attributes and facts.memory.acquired < 0:
            since = customer_since(facts.attributes)
            if since is not None and since <= at:
                self._acquire(facts, since, output)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        customer: Customer = facts.memory
        churned = facts.milestones.get("churned")
        left = churned is not None and customer.acquired <= churned <= due
        until = due if churned is None or not left else max(churned, customer.told)
        output.observe(
            CUSTOMER_MONTH,
            at=due,
            began=customer.acquired,
            value=float(left),
            segments={
                "source": facts.source,
                "era": era(customer.acquired, facts.icp(due).community_since),
                "standing": str(customer.standing),
            },
            stratum=ELITE if customer.standing >= BOARD else OTHERS,
            exposure=(until - customer.told) / DAY,
        )
        customer.told = due
        customer.standing = standing_of(facts.attributes, begin_month(customer.marks, facts.used))
        if left:
            customer.told = _ENDED
        else:
            output.set_timer(_TIMER, due + MONTH)

    def _acquire(self, facts: AccountFacts, acquired: float, output: AccountOutput) -> None:
        churned = facts.milestones.get("churned")
        if acquired < 0 or (churned is not None and churned <= facts.now and churned >= acquired):
            return
        customer: Customer = facts.memory
        customer.acquired, customer.told = acquired, max(acquired, facts.now)
        customer.standing = standing_of(facts.attributes, begin_month(customer.marks, facts.used))
        output.set_timer(_TIMER, customer.told + MONTH)

    # The drift half.

    def _begins(self, observation: Observation) -> float:
        """The days at risk, not the time as a customer."""
        return observation.at - MONTH

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        begin = (observation.at - MONTH - observation.began) / DAY
        if begin < 0 or observation.exposure * DAY > MONTH:
            return "not_a_month"
        elite = state.shared.take(_told_standing(observation), observation.at, learning=state.learning)
        if elite is None:
            return "elite_unknown"
        return (msgspec.structs.replace(observation, stratum=ELITE if elite else OTHERS),)

    def words_drifting(self, case: Case) -> Words:
        return drifting(case)

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        return resolved(case, retaken=retaken)

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "uniform":
            return uniform(case)
        if finding == "unsteady baseline":
            return words_unsteady(case, "the share of customers who leave within 30 days")
        return super().words_noticed(finding, case)


def era(acquired: float, community_since: datetime | None) -> str:
    """``earlier``, ``suspect`` or ``later`` by the community's date; ``2026H1`` where there is none. Unix seconds."""
    if community_since is None:
        at = datetime.fromtimestamp(acquired, UTC)
        return f"{at.year}H{1 if at.month <= 6 else 2}"
    after = acquired - community_since.timestamp()
    return EARLIER if after < _HALF_YEAR else SUSPECT if after < 2 * _HALF_YEAR else LATER


def _told_standing(observation: Observation) -> int:
    """UNKNOWN for what is no standing."""
    told = observation.segments.get("standing", "")
    standing = int(told) if told.isdecimal() and len(told) <= _DIGITS else UNKNOWN
    return standing if standing <= HIGHEST else UNKNOWN
