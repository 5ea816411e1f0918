"""clg.roadmap_onboarding: releases grow more complex and newcomers take longer, two things that should not rise together.

What counts:
1. The complexity of each release (1 to 10, the firm's own scale), against the firm's own past.
2. Of each account, ``onboarding_horizon`` after it signed up: the days until it was onboarded; one that was not by then took
   the whole horizon or longer, and counts as the horizon. So no account counts before all of its age can be judged, and the
   slow ones are not missed. It is compared with accounts of its own size (the ICP file's employee bands): a growing share of
   enterprises is no drift.
3. ``drifting`` is: both rise. One trend alone is a notice.
4. Left edge: sign-ups before onboarding was recorded, or within four weeks after, are counted out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct

from detectors.sequential.trend_mixture import SMALLEST_BASELINE
from detectors.signals.contract import AccountFacts, AccountOutput, Quantity, Reading
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.size_bands import size_band
from detectors.signals.two_trends_monitor import Alone, Trend, TwoTrendsMonitor
from detectors.signals.two_trends_state import TwoTrendsState
from detectors.signals.words import day, days
from schemas.alerts import Interval
from schemas.duration import DAY
from schemas.events import Envelope, ProductReleased
from schemas.observations import Observation
from schemas.settings import DriftSettings

ONBOARDING, COMPLEXITY, SEEN = "onboarding_days", "complexity", "onboarding_seen"
ALONE = "one trend alone"
FEWEST_RELEASES = SMALLEST_BASELINE
WANTED_RELEASES, WANTED_ONBOARDINGS = 24, 500
"""For a baseline that finds a change in half the days that the fewest would take."""
_LONGEST_DAYS = 3660.0


class RoadmapOnboarding(SegmentedSignal):
    """See the module. ``horizon_s``: how long a new account is given to be onboarded, in seconds."""

    name = "clg.roadmap_onboarding"
    title = "complexity of releases and time to onboard"
    needs: Mapping[str, frozenset[str]] = {
        "product.released": frozenset({"complexity"}),
        "product.event": frozenset({"name"}),
    }
    listens = frozenset({"signed_up", "onboarded"})
    hears: frozenset[type[Envelope]] = frozenset({ProductReleased})

    unit: ClassVar[Quantity] = "days"
    reading = Reading(frozenset({ONBOARDING}), "days until a new account was onboarded", "days")
    measures: ClassVar[Mapping[str, Values]] = {
        ONBOARDING: Values(0, _LONGEST_DAYS),
        COMPLEXITY: Values(1, 10),
        SEEN: SHARE,
    }
    uncounted: ClassVar[frozenset[str]] = frozenset({COMPLEXITY})
    recorded_by: ClassVar[Mapping[str, str]] = {ONBOARDING: SEEN}
    state_version: ClassVar[int] = 3
    monitor_state: ClassVar[type[Struct]] = TwoTrendsState

    def __init__(self, promise: Promise, *, max_segments: int = 12, horizon_s: float = 60 * DAY) -> None:
        super().__init__(promise, max_segments=max_segments)
        if not 0 < horizon_s <= _LONGEST_DAYS * DAY:
            raise ValueError("the time to be onboarded is positive, and ten years at most")
        self._horizon_s = horizon_s

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            horizon_s=settings.onboarding_horizon,
        )

    def monitor(self, stored: Any) -> TwoTrendsMonitor:
        return TwoTrendsMonitor(
            self.promise,
            (
                Trend(ONBOARDING, "rise", self.promise.min_baseline, WANTED_ONBOARDINGS, ended=True),
                Trend(COMPLEXITY, "rise", FEWEST_RELEASES, WANTED_RELEASES),
            ),
            alone=ALONE,
            stored=stored,
        )

    def healthy_example(self) -> Sequence[Observation]:
        per_day, whole_days = 8, int(self.settling_days + self.promise.min_baseline_days) + 240
        told = [self._example(SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(per_day * whole_days):
            began = i * DAY / per_day
            told.append(self._example(ONBOARDING, began + self._horizon_s, began, float(5 + i * 7 % 20), i))
            if i % (per_day * 4) == 0:
                told.append(self._example(COMPLEXITY, began, began, float(2 + i // 32 * 3 % 5), i))
        return sorted(told, key=lambda observation: observation.at)

    def _example(self, measure: str, at: float, began: float, value: float, number: int) -> Observation:
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=value,
            account=f"account-{number}",
            stratum=("up to 50", "51-500")[number % 2] if measure == ONBOARDING else "",
        )

    # The account half.

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        output.observe(COMPLEXITY, at=at, began=at, value=float(event.data.complexity), segments={})

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        at = facts.milestones[milestone]
        if milestone == "onboarded":
            output.recorded(SEEN, at)
        else:
            output.set_timer(ONBOARDING, at + self._horizon_s)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        began = facts.milestones["signed_up"]
        onboarded = facts.milestones.get("onboarded", due)
        took = min(max(onboarded - began, 0.0), self._horizon_s)
        bounds = facts.icp(began).bands.employees
        output.observe(
            ONBOARDING,
            at=due,
            began=began,
            value=took / DAY,
            segments={},
            stratum=size_band(facts.attributes.get("employees"), bounds),
        )

    # The words.

    def words_drifting(self, case: Case) -> Words:
        monitor: TwoTrendsMonitor = case.monitor
        (before, now), (complexity_before, complexity_now) = monitor.levels(0), monitor.levels(1)
        since = day(case.at if monitor.since is None else monitor.since)
        return Words(
            what=(
                f"New accounts now take {_days(now)} on average until they are onboarded (95 %: {_range(now)}), {_days(before)} "
                f"until {since} (±{days(monitor.since_margin_days or 1)}), each compared with others of its size; and releases "
                f"have a complexity of {_number(complexity_now)} on average, {_number(complexity_before)} before."
            ),
            means=(
                "This is what elite distortion looks like: the roadmap follows those who know the product best, and each thing "
                "that they ask for is one more that a newcomer must get past."
            ),
            check=(
                f"Put the releases since {since} beside the steps at which new accounts now get stuck, and ask who had asked for "
                "these releases."
            ),
            wrong_if=(
                "It would be wrong if onboarding had got longer for a reason of its own (staff, a new step, another definition "
                "of onboarded), or if newcomers take longer in the parts of the product that no release has touched."
            ),
        )

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        monitor: TwoTrendsMonitor = case.monitor
        if retaken:
            return super().words_resolved(case, retaken=True)
        before, now = monitor.levels(0)
        since = day(case.at if monitor.since is None else monitor.since)
        return Words(
            what=(
                f"The drift has ended around {since}: complexity of releases or time to onboard is back "
                f"({_days(now)} until onboarded, {_days(before)} in the baseline)."
            ),
            means="Both are watched again against the same baseline.",
            check="Write down what ended it: it is what to do the next time.",
            wrong_if="It would be wrong if it came back: a new alert would say so.",
        )

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding != ALONE:
            return super().words_noticed(finding, case)
        alone: Alone = case.facts
        if alone.measure == ONBOARDING:
            return Words(
                what=(
                    f"New accounts take {_days(alone.now)} on average until they are onboarded, {_days(alone.before)} until "
                    f"{day(alone.since)}; the complexity of releases has not risen."
                ),
                means="Onboarding is slower for another reason than the roadmap: people, steps, or who comes.",
            )
        return Words(
            what=(
                f"Releases have a complexity of {_number(alone.now)} on average since {day(alone.since)}, "
                f"{_number(alone.before)} before; new accounts are onboarded as fast as ever."
            ),
            means="The product grows for those who have it, and newcomers are not held up by it so far.",
        )


def _days(interval: Interval | None) -> str:
    return f"{interval.estimate:.1f} days" if interval is not None else "? days"


def _number(interval: Interval | None) -> str:
    return f"{interval.estimate:.1f}" if interval is not None else "?"


def _range(interval: Interval | None) -> str:
    return f"{interval.low:.1f}-{interval.high:.1f}" if interval is not None else "?"
