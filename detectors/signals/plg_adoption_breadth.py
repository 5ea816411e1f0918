"""plg.adoption_breadth: many features touched, none used deeply. The curious are here, and they do not stay for one thing.

What counts:
1. The use of one account in four weeks, if it has FEWEST_USES or more product events with a feature: its breadth (distinct
   features) and depth (share of the two commonest), both as expected in ten draws (detectors/rarefaction.py), so that
   neither grows with activity.
2. Four weeks of every 24, from signing up on (else from ``customer_since``; else at a phase of the account's own): the first
   four weeks of a newcomer count at once, and one account's months, which are much alike, are not told as if they were
   many accounts'. It also keeps the watch cheap: five of six events are left at the first look.
3. Told SETTLING after the four weeks, by a timer from the FEWEST_USES-th use on; events that come later than that are not in it.
4. Each account is compared with the baseline of its own tenure: newcomers try more things.
5. ``drifting`` is: breadth up and depth down. A launch adds a feature: breadth up, depth holds, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

from msgspec import Struct

from detectors import rarefaction
from detectors.signals.contract import ALL, AccountFacts, AccountOutput, Quantity, Reading
from detectors.signals.measures import Values
from detectors.signals.segmented import SegmentedSignal
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.tenure import tenure_band
from detectors.signals.two_trends_monitor import Trend, TwoTrendsMonitor
from detectors.signals.two_trends_state import TwoTrendsState
from detectors.signals.words import day, days, percent
from schemas.alerts import Interval
from schemas.duration import DAY
from schemas.events import Envelope, ProductEvent
from schemas.observations import Observation

BREADTH, DEPTH = "breadth", "depth"
WINDOW = 28 * DAY
CYCLE = 6 * WINDOW
SETTLING = 2 * DAY
FEWEST_USES = rarefaction.DRAWS
MOST_FEATURES = 64
"""Features counted apart in one account's four weeks; further ones count as one."""
_FURTHER = ""
_ROUNDING_S = 1.0
"""A rest is so much shorter: whether an event counts must not depend on how its window's beginning is rounded."""
_TELL = "tell"


class Memory(Struct, array_like=True):
    """Uses by feature in the newest four weeks, which began at ``began`` (Unix seconds; -1: there are none, or they were told),
    and how many these are."""

    began: float = -1.0
    uses: dict[str, int] = {}
    counted: int = 0


class AdoptionBreadth(SegmentedSignal):
    """See the module."""

    name = "plg.adoption_breadth"
    title = "breadth and depth of feature use"
    needs: Mapping[str, frozenset[str]] = {"product.event": frozenset({"feature"})}
    hears: frozenset[type[Envelope]] = frozenset({ProductEvent})
    memory: type[Struct] | None = Memory

    unit: ClassVar[Quantity] = "features"
    reading = Reading(frozenset({BREADTH}), "different features in ten uses", "features")
    measures: ClassVar[Mapping[str, Values]] = {
        BREADTH: Values(1, rarefaction.DRAWS),
        DEPTH: Values(2 / rarefaction.DRAWS, 1),
    }
    uncounted: ClassVar[frozenset[str]] = frozenset({DEPTH})
    dimensions: ClassVar[tuple[str, ...]] = ("source",)
    state_version: ClassVar[int] = 3
    monitor_state: ClassVar[type[Struct]] = TwoTrendsState

    def monitor(self, stored: Any) -> TwoTrendsMonitor:
        least = self.promise.min_baseline
        return TwoTrendsMonitor(
            self.promise, (Trend(BREADTH, "rise", least), Trend(DEPTH, "fall", least)), stored=stored
        )

    def healthy_example(self) -> Sequence[Observation]:
        per_day, whole_days = 8, int(self.promise.min_baseline_days) + 240
        told = []
        for i in range(per_day * whole_days):
            began = i * DAY / per_day
            told.append(self._example(BREADTH, began, 3 + i * 7 % 10 / 5, i))
            told.append(self._example(DEPTH, began, 0.9 - i * 3 % 10 / 50, i))
        return told

    def _example(self, measure: str, began: float, value: float, number: int) -> Observation:
        return Observation(
            signal=self.name,
            measure=measure,
            at=began + WINDOW + SETTLING,
            began=began,
            value=value,
            account=f"account-{number}",
            segments={"source": ("referral", "content", "direct")[number // 10 % 3]},
            stratum=("0-30", "91-365")[number // 10 % 2],
        )

    # The account half.

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        feature = event.data.feature
        if feature is None:
            return
        began = facts.tenure_began
        into = (at - began if began is not None and began <= at else at + _phase(facts.account)) % CYCLE
        if into >= WINDOW:
            again = at - into + CYCLE - _ROUNDING_S
            output.rest(min(again, began) if began is not None and began > at else again)
            return
        memory: Memory = facts.memory
        began = at - into
        if not -DAY < began - memory.began < DAY:  # a sign-up that moves within a day moves no window
            if began < memory.began or began + WINDOW + SETTLING <= facts.now:
                return  # too late for four weeks that were told
            memory.began, memory.uses, memory.counted = began, {}, 0
            output.drop_timer(_TELL)
        uses = memory.uses
        before = uses.get(feature)
        if before is None:
            feature = feature if len(uses) < MOST_FEATURES else _FURTHER
            before = uses.get(feature, 0)
        uses[feature] = before + 1
        memory.counted += 1
        if memory.counted == FEWEST_USES:
            # Not before: a timer costs more than these uses, and many accounts never get there.
            due = memory.began + WINDOW + SETTLING
            if due > facts.told_until:
                output.set_timer(_TELL, due)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        memory: Memory = facts.memory
        began, uses = memory.began, list(memory.uses.values())
        memory.began, memory.uses, memory.counted = -1.0, {}, 0
        if sum(uses) < FEWEST_USES:
            return  # a timer from before ``counted`` was kept: it was set at the first use
        stratum = tenure_band(facts.tenure_s(began))
        for measure, value in ((BREADTH, rarefaction.breadth(uses)), (DEPTH, rarefaction.depth(uses))):
            low, high = self.measures[measure].low, self.measures[measure].high
            output.observe(
                measure,
                at=due,
                began=began,
                value=min(max(value, low), high),  # rounding alone could pass a bound
                segments={"source": facts.source},
                stratum=stratum,
            )

    # The words.

    def words_drifting(self, case: Case) -> Words:
        monitor: TwoTrendsMonitor = case.monitor
        (breadth_before, breadth_now), (depth_before, depth_now) = monitor.levels(0), monitor.levels(1)
        since = day(case.at if monitor.since is None else monitor.since)
        own = case.segment != ALL
        return Words(
            what=(
                f"In ten uses an account{where(case.segment)} now touches {_number(breadth_now)} features on average (95 %: "
                f"{_range(breadth_now)}), {_number(breadth_before)} until {since} (±{days(monitor.since_margin_days or 1)}); "
                f"its two commonest take {_share(depth_now)} of its use, {_share(depth_before)} before. Each account is "
                "compared with others of its tenure, and activity moves neither number."
            ),
            means=(
                "This is what silent drift looks like from the inside: people look at everything and settle on nothing. They "
                "activate, since they click through the product, and leave, since no job is done with it."
            ),
            check=(
                f"Look at the accounts of the evidence: who are they, {'and ' if own else 'from which source, and '}what did "
                f"they come for? Check what was promised to those who came since {since}."
            ),
            wrong_if=(
                "It would be wrong if event tracking had changed (features renamed or split: then all accounts change within a "
                "day, old ones too), or if these accounts convert and stay like others."
            ),
        )

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        monitor: TwoTrendsMonitor = case.monitor
        if retaken:
            return super().words_resolved(case, retaken=True)
        (before, now), (_, depth_now) = monitor.levels(0), monitor.levels(1)
        since = day(case.at if monitor.since is None else monitor.since)
        return Words(
            what=(
                f"The drift{where(case.segment)} has ended around {since}: {_number(now)} features in ten uses "
                f"({_number(before)} in the baseline), {_share(depth_now)} of the use for the two commonest."
            ),
            means="The segment is watched again against the same baseline.",
            check="Write down what ended it: it is what to do the next time.",
            wrong_if="It would be wrong if it came back: a new alert would say so.",
        )


def _phase(account: str) -> float:
    """Seconds by which the cycle of an account without a tenure is moved."""
    return crc32(account.encode()) % CYCLE


def _number(interval: Interval | None) -> str:
    return f"{interval.estimate:.1f}" if interval is not None else "?"


def _range(interval: Interval | None) -> str:
    return f"{interval.low:.1f}-{interval.high:.1f}" if interval is not None else "?"


def _share(interval: Interval | None) -> str:
    return percent(interval.estimate) if interval is not None else "?"
