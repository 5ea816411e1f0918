"""plg.conversion_gap: activation looks fine, paying falls. The first sign of silent drift.

What counts:
1. One observation an account. ``paid_given_activated``: converted within the horizon after activating, 0 or 1, told when
   the horizon is over; its date is that of activation. ``activated_given_signed_up`` likewise from sign-up.
2. Who converted before or when activating is sales-led: counted out, not in this signal.
3. Left edge: cohorts that began before conversions (activations) were recorded at all, or within SETTLING_DAYS after, are
   counted out by reason, never in a baseline. A recording that has just begun is seldom complete.
4. A fall is found among mature cohorts (share_monitor.py), mostly sooner among open ones (plg_conversion_gap_early.py): sign-up,
   activation and conversion are told as they happen, once, with the date of the step before. What a late event changes then
   shows in the mature observation only. Who leaves unpaid is one who does not pay.
5. ``drifting`` is: paying falls while activation holds. If activation falls alike it is the notice ``whole funnel``, and the
   state stays ``watching``; so it does with ``slower, not fewer``. A rise never alarms.
6. For ``all`` a fall that is only a shift of the mix of sources is drift too, and says that it is mix: those who come now
   convert less, whatever the reason. The sources themselves stay quiet then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from msgspec import Struct

from detectors.signals.contract import (
    ALL,
    BASELINE_RETAKEN,
    BEFORE_BASELINE,
    AccountFacts,
    AccountOutput,
    Reading,
    Verdict,
)
from detectors.signals.evidence import weigh_in
from detectors.signals.measures import refuse_what_cannot_be
from detectors.signals.plg_conversion_gap_judgement import (
    composition,
    judge,
    judge_early,
    retake,
    unsteady,
)
from detectors.signals.plg_conversion_gap_measures import (
    ACTIVATED,
    ACTIVATION_SEEN,
    CONVERSION_SEEN,
    FOLLOWED,
    MEASURES,
    PAID,
    SALES_LED,
    SIGN_UP_SEEN,
    SIGNAL,
)
from detectors.signals.plg_conversion_gap_state import GapState, Segment, Watching, of_source
from detectors.signals.plg_conversion_gap_verdict import verdict
from detectors.signals.segments import UNKNOWN, segment_of
from detectors.signals.share_monitor import Promise
from detectors.signals.weeks import week_start
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from schemas.events import Envelope
from schemas.observations import Observation
from schemas.settings import DriftSettings

SETTLING_DAYS = 28.0

LONGEST_FOLLOWED_DAYS = 180
"""The early watch follows an account that long at most, whatever the horizon."""
_SEEN = {PAID: CONVERSION_SEEN, ACTIVATED: ACTIVATION_SEEN}


class Told(Struct, array_like=True):
    """What one account told at once: when it signed up and activated as it was known then (Unix seconds; None: not told), under
    which sources, and whether it converted."""

    signed_up: float | None = None
    signed_up_as: str = ""
    activated: float | None = None
    activated_as: str = ""
    converted: bool = False


class ConversionGap:
    """See the module. Times in seconds; ``monitors``: how many monitors of this kind, over all signals and segments of
    the installation, share ``false_alarms_per_year``; ``max_segments`` counts ``all`` and ``other`` too.

    Raises ValueError where a parameter makes no sense.
    """

    name = SIGNAL
    title = "paid conversion of activated accounts"
    needs: Mapping[str, frozenset[str]] = {"product.event": frozenset({"name"})}
    listens = frozenset({"signed_up", "activated", "converted"})
    hears: frozenset[type[Envelope]] = frozenset()
    memory: type[Struct] | None = Told
    reading = Reading(frozenset({PAID}), "share of activated accounts that paid")

    def __init__(
        self,
        *,
        horizon_s: float = 60 * DAY,
        activation_horizon_s: float = 30 * DAY,
        false_alarms_per_year: float = 1.0,
        monitors: int = 12,
        min_baseline: int = 300,
        min_baseline_days: float = 28.0,
        max_segments: int = 12,
    ) -> None:
        numbers = (horizon_s, activation_horizon_s, false_alarms_per_year, min_baseline_days)
        if not all(math.isfinite(number) and number > 0 for number in numbers):
            raise ValueError("horizons, days and false alarms a year are positive and finite")
        if min(monitors, min_baseline, max_segments) < 1:
            raise ValueError("monitors, min_baseline and max_segments are 1 or more")
        self._horizon_s = horizon_s
        self._activation_horizon_s = activation_horizon_s
        self._max_segments = max_segments
        self._watching = Watching(
            promise=Promise(
                false_alarms_per_year=false_alarms_per_year,
                monitors=monitors,
                min_baseline=min_baseline,
                min_baseline_days=min_baseline_days,
            ),
            paid_days=_followed_days(horizon_s),
            activated_days=_followed_days(activation_horizon_s),
        )

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            horizon_s=settings.horizon,
            activation_horizon_s=settings.activation_horizon,
            false_alarms_per_year=settings.false_alarms_per_year,
            monitors=monitors,
            min_baseline=settings.min_baseline,
            min_baseline_days=settings.min_baseline_days,
            max_segments=settings.max_segments,
        )

    def healthy_example(self) -> Sequence[Observation]:
        per_day, days = 12, int(self._watching.promise.min_baseline_days) + 300
        told = [self._example(CONVERSION_SEEN, 0.0, 0.0, 0), self._example(ACTIVATION_SEEN, 0.0, 0.0, 0)]
        for i in range(per_day * days):
            began = i * DAY / per_day
            activates, pays = i % 5 < 2, i % 7 == 0
            told.append(self._example(SIGN_UP_SEEN, began, began, i))
            told.append(self._example(ACTIVATION_SEEN, began, began, i, followed=activates))
            told.append(self._example(ACTIVATED, began + self._activation_horizon_s, began, i, activates))
            told.append(self._example(PAID, began + self._horizon_s, began, i, pays))
            if pays:
                paid = began + (i // 7 % 20 + 0.5) / 20 * 0.9 * self._horizon_s
                told.append(self._example(CONVERSION_SEEN, paid, began, i, followed=True))
        return sorted(told, key=lambda observation: observation.at)

    def _example(
        self, measure: str, at: float, began: float, number: int, value: bool = True, followed: bool = False
    ) -> Observation:
        source = ("referral", "content", "direct")[number % 3]
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=float(value),
            account=f"account-{number}",
            segments={"source": source, FOLLOWED: source} if followed else {"source": source},
        )

    # The account half.

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        at = facts.milestones[milestone]
        told: Told = facts.memory
        if milestone == "signed_up":
            output.set_timer(ACTIVATED, at + self._activation_horizon_s)
            if told.signed_up is None:
                told.signed_up, told.signed_up_as = at, facts.source
                self._tell(facts, output, SIGN_UP_SEEN, at, at, 1.0)
        elif milestone == "activated":
            output.set_timer(PAID, at + self._horizon_s)
            converted = facts.milestones.get("converted")
            news = told.activated is None and (converted is None or converted > at)
            followed = told.signed_up if told.activated is None else None
            if news:
                told.activated, told.activated_as = at, facts.source
            self._tell_step(facts, output, ACTIVATION_SEEN, at, float(news), followed, told.signed_up_as)
        elif milestone == "converted":
            followed = told.activated if not told.converted else None
            told.converted = told.converted or followed is not None
            self._tell_step(facts, output, CONVERSION_SEEN, at, 1.0, followed, told.activated_as)

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        """Milestones are all that counts here."""

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        signed_up, activated = facts.milestones.get("signed_up"), facts.milestones.get("activated")
        converted = facts.milestones.get("converted")
        if name == ACTIVATED and signed_up is not None:
            reached = activated is not None and activated <= signed_up + self._activation_horizon_s
            self._tell(facts, output, ACTIVATED, due, signed_up, float(reached))
        elif name == PAID and activated is not None:
            if converted is not None and converted <= activated:
                self._tell(facts, output, SALES_LED, due, activated, 1.0)
            else:
                reached = converted is not None and converted <= activated + self._horizon_s
                self._tell(facts, output, PAID, due, activated, float(reached))

    def _tell(
        self, facts: AccountFacts, output: AccountOutput, measure: str, at: float, began: float, value: float
    ) -> None:
        output.observe(measure, at=at, began=began, value=value, segments={"source": facts.source})

    def _tell_step(
        self,
        facts: AccountFacts,
        output: AccountOutput,
        measure: str,
        at: float,
        value: float,
        followed: float | None,
        followed_as: str,
    ) -> None:
        """``followed``: since when, if the step before was told and came before this one."""
        segments = {"source": facts.source}
        if followed is not None and followed <= at:
            segments[FOLLOWED] = followed_as
        else:
            followed = at
        output.observe(measure, at=at, began=followed, value=value, segments=segments)

    # The drift half.

    def new_state(self, counted_from: float | None = None) -> GapState:
        return GapState(self._watching, counted_from=counted_from)

    def encode_state(self, state: GapState) -> bytes:
        return state.encode()

    def decode_state(self, raw: bytes) -> GapState:
        return GapState.decode(self._watching, raw)

    def step(self, state: GapState, observation: Observation) -> Sequence[DriftAlert | Notice]:
        """Raises EventRefused, with ``state`` as it was, for an observation that this signal can't have made."""
        refuse_what_cannot_be(SIGNAL, MEASURES, state.segments, observation)
        state.told = ()
        measure, at, began = observation.measure, observation.at, observation.began
        if measure in (CONVERSION_SEEN, ACTIVATION_SEEN):
            state.recorded_from[measure] = min(state.recorded_from.get(measure, at), at)
        if measure == BASELINE_RETAKEN:
            return retake(state, observation.segments["segment"], at, self._horizon_s / DAY)
        if measure in (SIGN_UP_SEEN, CONVERSION_SEEN, ACTIVATION_SEEN):
            return self._happened(state, observation)
        reason = measure if measure == SALES_LED else self._left_edge(state, measure, began)
        if not reason:
            state.told = (observation,)
        out: list[DriftAlert | Notice] = []
        # Who was there only before the operator's choice takes no place from those who came since.
        early = state.leaves_out(began)
        for name in (ALL,) if early else self._touched(state, observation.segments.get("source", UNKNOWN)):
            segment = state.segment(name)
            if reason:
                # A verdict counts accounts that activated: those of ``n``, and those left out.
                if measure != ACTIVATED:
                    segment.count_out(reason)
            elif measure == PAID:
                out += self._paid(state, name, segment, observation)
            else:
                learn_from = segment.activated.state.learn_from
                change = segment.activated.take(
                    int(observation.value), began, at, may_freeze=state.roster.drawn
                )
                if change == "grown":
                    segment.activating.freeze()
                if learn_from not in (None, segment.activated.state.learn_from):
                    segment.activating.drop_closed()
                out += judge(state, name, None, at, self._horizon_s / DAY)
        if not state.roster.drawn and state.segment(ALL).paid.has_enough:
            state.draw_roster(self._max_segments)
        return out

    def _touched(self, state: GapState, source: str) -> Sequence[str]:
        own = segment_of(state.roster, source, self._max_segments)
        # The source before the whole, so that the whole's baseline finds all of its parts counted.
        return (of_source(own), ALL) if own is not None else (ALL,)

    def _happened(self, state: GapState, observation: Observation) -> list[DriftAlert | Notice]:
        """What the early watch is told."""
        measure, at, began = observation.measure, observation.at, observation.began
        account, followed = observation.account, observation.segments.get(FOLLOWED)
        out: list[DriftAlert | Notice] = []
        if followed is not None and not state.leaves_out(began):
            for name in self._touched(state, followed):
                out += self._pass(state, name, at)
                segment = state.segment(name)
                if measure == CONVERSION_SEEN:
                    segment.early.convert(began, at, account)
                else:
                    segment.activating.get_there(began, account)
        enters = measure != CONVERSION_SEEN and observation.value == 1
        if not enters or self._left_edge(state, ACTIVATED if measure == SIGN_UP_SEEN else PAID, at):
            return out
        for name in self._touched(state, observation.segments.get("source", UNKNOWN)):
            out += self._pass(state, name, at)
            segment = state.segment(name)
            if measure == SIGN_UP_SEEN:
                segment.activating.enter(at, account)
            else:
                segment.early.enter(at, at, account)
        return out

    def _pass(self, state: GapState, name: str, at: float) -> list[DriftAlert | Notice]:
        """Takes in the days that are over."""
        segment = state.segment(name)
        if segment.activating.pass_to(at) and segment.activated.state.watch and not segment.activating.frozen:
            segment.activating.freeze()
        watch = segment.paid.state.watch
        change = segment.early.pass_to(
            at, dispersion=watch.baseline.dispersion if watch is not None else None
        )
        return judge_early(state, name, change, at, self._horizon_s / DAY)

    def interrupted(self, state: GapState, until: float) -> None:
        for segment in state.segments.values():
            segment.early.interrupted(until)
            segment.activating.forget_open(until)

    def verdicts(self, state: GapState) -> Sequence[Verdict]:
        names = [ALL, *sorted(name for name in state.segments if name != ALL)]
        return [verdict(state, name, self._horizon_s / DAY) for name in names]

    def _paid(
        self, state: GapState, name: str, segment: Segment, observation: Observation
    ) -> list[DriftAlert | Notice]:
        ones, at = int(observation.value), observation.at
        if not ones:
            weigh_in(segment.evidence, observation, 1.0)
        monitor = segment.paid
        n, converted = monitor.state.learn_n + 1, monitor.state.learn_ones + ones
        learn_from = monitor.state.learn_from
        change = monitor.take(
            ones, observation.began, at, may_freeze=state.roster.drawn, may_grow=segment.early.quiet
        )
        if learn_from not in (None, monitor.state.learn_from):
            segment.early.cohorts.drop_closed()
        if change == "unsteady":
            older = (n - monitor.state.learn_n, converted - monitor.state.learn_ones)
            return [unsteady(segment, name, older, at)]
        watch = monitor.state.watch
        if change == "grown" and watch is not None:
            segment.early.grow(watch.baseline.dispersion)
        if change in ("frozen", "grown") and name == ALL and watch is not None:
            state.composition = composition(state, week_start(watch.baseline.start))
        return judge(state, name, change, at, self._horizon_s / DAY)

    def _left_edge(self, state: GapState, measure: str, began: float) -> str:
        recorded_from = state.recorded_from.get(_SEEN[measure])
        if recorded_from is None or began < recorded_from:
            return "left_truncated"
        if began < recorded_from + SETTLING_DAYS * DAY:
            return "settling"
        return BEFORE_BASELINE if state.leaves_out(began) else ""


def _followed_days(horizon_s: float) -> int:
    return min(max(math.ceil(horizon_s / DAY), 1), LONGEST_FOLLOWED_DAYS)
