"""slg.off_profile_pipeline: reps sell outside the profile. Deliberate widening, as the pipeline shows it.

What counts:
1. One observation for each new opportunity (those of one account created in one burst are one), SETTLING after its
   creation, so that the profile has settled: do all variants put the account out, by screen or by fit below
   ``alert.fit_at_least``, under the version of the ICP file that was in force at the creation?
2. Each version of the file has a baseline of its own. The account is judged under the version before, too; so what a new
   file does by itself is known on the same opportunities (notice ``file change``), and until the new version has a
   baseline the older one goes on watching.
3. Late events count while their opportunity is not told; what was told stays told. A profile that is completed later
   than SETTLING changes nothing.
4. The share may rise, in all or by rep. Who joins and sells off profile is drift here: the pipeline is what it is.
5. Left edge: opportunities of the first four weeks of recording are counted out (``settling``), and those that were older
   than SETTLING when first heard of (``left_truncated``). So are accounts whose profile was never told (``no_profile``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct

from detectors.sequential.binomial_interval import interval
from detectors.signals.bursts import BurstRule
from detectors.signals.contract import ALL, AccountFacts, AccountOutput, Reading
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.new_opportunities import Known, Opening, due, over, take_in
from detectors.signals.rate_words import change_of_share, moved_most, words_unsteady
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_alerts import Case, Words, notice
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.versioned_monitor import VersionedMonitor, VersionedState
from detectors.signals.words import day, listed, per_hundred, per_hundred_interval
from schemas.alerts import Notice
from schemas.duration import DAY
from schemas.events import Envelope, StageChanged
from schemas.observations import Observation
from schemas.settings import DriftSettings

OFF_PROFILE = "off_profile"
OFF_PROFILE_BEFORE = "off_profile_before"
"""Under the version of the ICP file before the one in force."""
SEEN = "stage_change_seen"
SETTLING = 7 * DAY
FILE_CHANGE_OF = 40
"""Opportunities that are judged under both versions before it is said what the file's change did."""
_TELL = "tell"
_SECOND = 1.0


class Memory(Struct, array_like=True):
    known: list[Known] = []
    waiting: list[Opening] = []


class Shared(Struct, array_like=True):
    """The newest change of the file: its two versions, when the newer was first used, and what both say of the same ``n``
    opportunities."""

    older: str = ""
    newer: str = ""
    began: float = -1.0
    n: int = 0
    off_older: int = 0
    off_newer: int = 0
    told: bool = False


class OffProfilePipeline(SegmentedSignal):
    """See the module. ``settling_s``: how long the profile may settle, in seconds."""

    name = "slg.off_profile_pipeline"
    title = "new opportunities outside of the profile"
    needs: Mapping[str, frozenset[str]] = {
        "crm.stage_changed": frozenset({"opportunity_id", "owner_id"}),
        "account.profile": frozenset({"attributes"}),
    }
    hears: frozenset[type[Envelope]] = frozenset({StageChanged})
    memory: type[Struct] | None = Memory

    reading = Reading(frozenset({OFF_PROFILE}), "share of new opportunities that are off profile")
    measures: ClassVar[Mapping[str, Values]] = dict.fromkeys(
        (OFF_PROFILE, OFF_PROFILE_BEFORE, SEEN, "left_truncated", "too_many_open", "no_profile"), SHARE
    )
    left_out: ClassVar[frozenset[str]] = frozenset({"left_truncated", "too_many_open", "no_profile"})
    uncounted: ClassVar[frozenset[str]] = frozenset({OFF_PROFILE_BEFORE})
    recorded_by: ClassVar[Mapping[str, str]] = {OFF_PROFILE: SEEN, OFF_PROFILE_BEFORE: SEEN}
    dimensions: ClassVar[tuple[str, ...]] = ("rep",)
    state_version: ClassVar[int] = 2
    monitor_state: ClassVar[type[Struct]] = VersionedState
    shared: ClassVar[type[Struct] | None] = Shared

    def __init__(
        self,
        promise: Promise,
        *,
        max_segments: int = 12,
        settling_s: float = SETTLING,
        bursts: BurstRule = BurstRule(),  # noqa: B008  # frozen
    ) -> None:
        super().__init__(promise, max_segments=max_segments)
        if not settling_s > 0:
            raise ValueError("the time in which a profile settles is positive")
        self._settling_s = settling_s
        self._bursts = bursts

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            settling_s=settings.profile_settling,
            bursts=BurstRule(settings.burst_gap, settings.burst_longest),
        )

    def monitor(self, stored: Any) -> VersionedMonitor:
        return VersionedMonitor(self.promise, "rise", OFF_PROFILE_BEFORE, stored)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, days = 8, int(self.settling_days + self.promise.min_baseline_days) + 240
        told = [self._example(SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(per_day * days):
            began = i * DAY / per_day
            told.append(self._example(OFF_PROFILE, began + self._settling_s, began, float(i % 8 == 0), i))
        return told

    def _example(self, measure: str, at: float, began: float, value: float, number: int) -> Observation:
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=value,
            account=f"account-{number}",
            segments={"rep": ("anna", "ben", "cleo")[number // 8 % 3]},
            stratum="1",
        )

    # The account half.

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        change, memory = event.data, facts.memory
        output.recorded(SEEN, at)
        opening = take_in(
            memory.known,
            memory.waiting,
            change,
            at,
            facts.now,
            rule=self._bursts,
            settling_s=self._settling_s,
            new=Opening,
        )
        if isinstance(opening, str):
            if opening != "told":
                segments = {"rep": change.owner_id} if change.owner_id else {}
                output.observe(opening, at=at, began=at, value=1.0, segments=segments)
            return
        self._set_timer(memory.waiting, output)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        waiting = facts.memory.waiting
        for opening, at in over(waiting, due, self._settling_s, closing_ends=False):
            self._judge(facts, opening, at, output)
        self._set_timer(waiting, output)

    def _judge(self, facts: AccountFacts, opening: Opening, at: float, output: AccountOutput) -> None:
        began, rep = opening.began, {"rep": opening.rep}
        if not facts.attributes:
            output.observe("no_profile", at=at, began=began, value=1.0, segments=rep)
            return
        file = facts.icp(began)
        # The version before is the one that was in force just before this one was.
        until = file.effective_from.timestamp() - _SECOND
        before = facts.icp(until)
        if before.effective_from < file.effective_from:
            output.observe(
                OFF_PROFILE_BEFORE,
                at=at,
                began=began,
                value=_off_profile(facts, until),
                segments=rep | {"version": file.version},
                stratum=before.version,
            )
        output.observe(
            OFF_PROFILE,
            at=at,
            began=began,
            value=_off_profile(facts, began),
            segments=rep | {"version": file.version},
            stratum=file.version,
        )

    def _set_timer(self, waiting: Sequence[Opening], output: AccountOutput) -> None:
        if waiting:
            output.set_timer(_TELL, min(due(opening, self._settling_s) for opening in waiting))

    # The drift half.

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        change: Shared = state.shared
        newer, off = observation.segments.get("version", ""), int(observation.value)
        if observation.measure == OFF_PROFILE_BEFORE:
            if newer != change.newer and observation.began > change.began:
                change = state.shared = Shared(observation.stratum, newer, observation.began)
            if (observation.stratum, newer) == (change.older, change.newer) and not change.told:
                change.n += 1
                change.off_older += off
        elif newer == change.newer and not change.told:
            change.off_newer += off
        return (observation,)

    def remarks(self, state: SegmentedState, observation: Observation) -> Sequence[Notice]:
        change: Shared = state.shared
        if change.told or change.n < FILE_CHANGE_OF or observation.measure == OFF_PROFILE_BEFORE:
            return ()
        change.told = True
        words = _words_file_change(change)
        return (notice(self, state.segments[ALL], ALL, "file change", observation.at, words),)

    def words_drifting(self, case: Case) -> Words:
        reps = moved_most(case, "rep") if case.segment == ALL else []
        who = f" It rose most with {listed(reps)}." if reps else ""
        since = day(case.monitor.since)
        return Words(
            what=change_of_share(case, "new opportunities", "are outside of the profile") + who,
            means=(
                "This is what deliberate widening looks like: the definition of a good customer is given up deal by deal. The "
                "ICP file is the same in this comparison, so it is not the file that has moved."
            ),
            check=(
                f"Check first which rule puts these accounts out, and who decided since {since} to sell to them: a quota, a "
                "campaign, a partner. If they are a new market, give them a variant in the ICP file."
            ),
            wrong_if=(
                "It would be wrong if profiles came incomplete since then (an attribute that is empty puts an account out), "
                "or if these deals were won as often and stayed as long as the others."
            ),
        )

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "unsteady baseline":
            return words_unsteady(case, "the share of new opportunities outside of the profile")
        return super().words_noticed(finding, case)


def _off_profile(facts: AccountFacts, at: float) -> float:
    """1 where every variant of the version in force at ``at`` puts the account out, else 0."""
    fits = facts.fits(at)
    variants = facts.icp(at).variants
    return float(all(_out(fits.get(each.name), each.alert.fit_at_least) for each in variants))


def _out(fit: float | None, at_least: float) -> bool:
    return fit is None or fit < at_least


def _words_file_change(change: Shared) -> Words:
    older, newer = interval(change.off_older, change.n), interval(change.off_newer, change.n)
    return Words(
        what=(
            f"Of the same {change.n} new opportunities, version {change.older} of the ICP file puts out "
            f"{per_hundred(older.estimate)} of 100 ({per_hundred_interval(older)}), version {change.newer} "
            f"{per_hundred(newer.estimate)} ({per_hundred_interval(newer)}): this is what the change of the file did by itself."
        ),
        means=(
            "Nobody sells otherwise because of it. The new version is learned as a baseline of its own; until it is known, the "
            "older version goes on watching."
        ),
    )
