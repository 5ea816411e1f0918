"""slg.hedged_language: "not exactly our typical buyer, but". The first sign of deliberate widening.

What counts:
1. One observation for each new opportunity (those of one account created in one burst are one), SETTLING after its creation
   or at its closing: did any note of a stage move up to then hedge about fit (detectors/text). Hedges about timing or
   price alone are something else: counted apart, as ``hedged_timing`` and ``hedged_price``.
2. Late events count while their opportunity is not told; what was told stays told. A late first stage change makes the
   creation earlier, never a second observation.
3. The share may rise, in all or by rep, each observation judged against its own rep's baseline: one rep joins who always
   hedges is mix, a notice, and no drift.
4. A phrase that stands in nearly every note is a template's: TEMPLATE_SEEN of the last TEMPLATE_OF notes, each of another
   account, told as they are written (``note``). An opportunity that hedges by it alone does not hedge, from then until
   the last of these notes has been told; a notice says so.
5. Left edge: opportunities of the first four weeks of recording are counted out (``settling``), and those that were older
   than SETTLING when first heard of (``left_truncated``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct, field

from detectors.signals.bursts import BurstRule
from detectors.signals.contract import ALL, AccountFacts, AccountOutput, Reading
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.new_opportunities import Known, Opening, due, over, take_in
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateState
from detectors.signals.rate_words import (
    change_of_share,
    heard,
    mix_or_rate,
    moved_most,
    words_mix,
    words_unsteady,
)
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_alerts import Case, Words, notice
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.words import day, listed
from detectors.text import hedges_in, phrases_of
from schemas.alerts import Notice
from schemas.duration import DAY
from schemas.events import Envelope, StageChanged
from schemas.observations import Observation
from schemas.settings import DriftSettings

HEDGED = "hedged"
NOTE = "note"
"""One note, whether it hedges about fit, in which phrases."""
SEEN = "stage_change_seen"
APART = {"timing": "hedged_timing", "price": "hedged_price"}
SETTLING = 14 * DAY
TEMPLATE_SEEN, TEMPLATE_OF = 10, 12
MAX_TEMPLATES = 16
MAX_PHRASES = 3
ENOUGH_ONES = 75
"""The baseline's bound is then 15 % above the estimate; with 150 a drift is found no sooner."""
_TELL = "tell"


class HedgedOpening(Opening, array_like=True):
    """``phrases`` about fit; ``apart``: other things that were hedged about."""

    phrases: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)


class Memory(Struct, array_like=True):
    known: list[Known] = []
    waiting: list[HedgedOpening] = []


class Shared(Struct, array_like=True):
    """The accounts of the newest notes with the phrases in them; the phrases that a template puts there, with the time until
    which they are not the seller's (Unix seconds); one that is not yet told."""

    notes: list[tuple[str, list[str]]] = []
    templates: dict[str, float] = {}
    untold: str = ""


class HedgedLanguage(SegmentedSignal):
    """See the module. ``settling_s``: how long after its creation an opportunity's notes are read, in seconds."""

    name = "slg.hedged_language"
    title = "new opportunities whose notes hedge about fit"
    needs: Mapping[str, frozenset[str]] = {"crm.stage_changed": frozenset({"note", "owner_id"})}
    hears: frozenset[type[Envelope]] = frozenset({StageChanged})
    memory: type[Struct] | None = Memory

    reading = Reading(frozenset({HEDGED}), "share of new opportunities that hedge about fit")
    measures: ClassVar[Mapping[str, Values]] = dict.fromkeys(
        (HEDGED, NOTE, SEEN, *APART.values(), "left_truncated", "too_many_open"), SHARE
    )
    left_out: ClassVar[frozenset[str]] = frozenset({*APART.values(), "left_truncated", "too_many_open"})
    recorded_by: ClassVar[Mapping[str, str]] = {HEDGED: SEEN}
    dimensions: ClassVar[tuple[str, ...]] = ("rep",)
    monitor_state: ClassVar[type[Struct]] = RateState
    state_version: ClassVar[int] = 3
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
            raise ValueError("the time in which notes are read is positive")
        self._settling_s = settling_s
        self._bursts = bursts

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            settling_s=settings.opportunity_settling,
            bursts=BurstRule(settings.burst_gap, settings.burst_longest),
        )

    def monitor(self, stored: Any) -> RateMonitor:
        return RateMonitor(self.promise, "rise", stored, grows_to=ENOUGH_ONES)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, days = 8, int(self.settling_days + self.promise.min_baseline_days) + 240
        told = [self._example(SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(per_day * days):
            began = i * DAY / per_day
            told.append(self._example(HEDGED, began + self._settling_s, began, float(i % 10 == 0), i))
        return told

    def _example(self, measure: str, at: float, began: float, value: float, number: int) -> Observation:
        rep = ("anna", "ben", "cleo")[number // 10 % 3]
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=value,
            account=f"account-{number}",
            segments={"rep": rep},
            stratum=rep,
            phrases=["not our typical buyer"] if value else [],
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
            new=HedgedOpening,
        )
        if isinstance(opening, str):
            if opening != "told":
                segments = {"rep": change.owner_id} if change.owner_id else {}
                output.observe(opening, at=at, began=at, value=1.0, segments=segments)
            return
        if change.note:
            phrases = _read(opening, change.note, facts.icp(at).hedging)
            output.observe(NOTE, at=at, began=at, value=float(bool(phrases)), segments={}, phrases=phrases)
        self._tell(facts, facts.now, output)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        self._tell(facts, due, output)

    def _tell(self, facts: AccountFacts, now: float, output: AccountOutput) -> None:
        waiting = facts.memory.waiting
        for opening, at in over(waiting, now, self._settling_s):
            segments = {"rep": opening.rep}
            output.observe(
                HEDGED,
                at=at,
                began=opening.began,
                value=float(bool(opening.phrases)),
                segments=segments,
                stratum=opening.rep,
                phrases=opening.phrases,
            )
            if not opening.phrases:
                for about in opening.apart:
                    output.observe(APART[about], at=at, began=opening.began, value=1.0, segments=segments)
        if waiting:
            output.set_timer(_TELL, min(due(opening, self._settling_s) for opening in waiting))
        else:
            output.drop_timer(_TELL)

    # The drift half.

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        shared: Shared = state.shared
        phrases = observation.phrases[:MAX_PHRASES]
        if observation.measure == NOTE:
            self._look_for_templates(shared, observation.account, phrases, observation.at)
            return ()
        if phrases and all(shared.templates.get(phrase, -1.0) >= observation.at for phrase in phrases):
            return (msgspec.structs.replace(observation, value=0.0, phrases=[]),)
        return (observation,)

    def _look_for_templates(self, shared: Shared, account: str, phrases: list[str], at: float) -> None:
        shared.notes = [note for note in shared.notes if note[0] != account][1 - TEMPLATE_OF :]
        shared.notes.append((account, phrases))
        seen = Counter(phrase for _, each in shared.notes for phrase in dict.fromkeys(each))
        for phrase in phrases:
            known = phrase in shared.templates
            if seen[phrase] >= TEMPLATE_SEEN and (known or len(shared.templates) < MAX_TEMPLATES):
                if shared.templates.get(phrase, -1.0) < at:
                    shared.untold = phrase
                # What was written until now is told by then.
                shared.templates[phrase] = at + self._settling_s + self._bursts.longest_s
        for phrase, until in [*shared.templates.items()]:
            if until < at:
                del shared.templates[phrase]

    def remarks(self, state: SegmentedState, observation: Observation) -> Sequence[Notice]:
        shared: Shared = state.shared
        if not shared.untold:
            return ()
        words = Words(
            what=(
                f"The same words stand in {TEMPLATE_SEEN} of the last {TEMPLATE_OF} notes of new opportunities, each of "
                f"another account: “{shared.untold}”."
            ),
            means=(
                "A template or an import puts it there, not the seller, so it is not counted as hedging. It is a matter of data "
                "health: take the words out of the template, or notes say less and less."
            ),
        )
        shared.untold = ""
        return (notice(self, state.segments[ALL], ALL, "template", observation.at, words),)

    def words_drifting(self, case: Case) -> Words:
        own = case.segment != ALL
        reps = moved_most(case, "rep")
        who = f" It moved most with {listed(reps)}." if reps and not own else ""
        return Words(
            what=(
                change_of_share(case, "new opportunities", "hedge about fit in their notes")
                + mix_or_rate(case, "reps", "hedge")
                + who
                + heard(case.phrases)
            ),
            means=(
                "This is what deliberate widening looks like: sellers know that these buyers are not the profile, say so, and "
                "go on. What is negotiated away in notes is gone from the pipeline two quarters later."
            ),
            check=(
                f"Read the notes behind the evidence, and ask {'this rep' if own else 'the reps'} what changed around "
                f"{day(case.monitor.since)}: a quota, a territory, a campaign, a person who approves exceptions."
            ),
            wrong_if=(
                "It would be wrong if the words came from a signature, a form or a new way of writing notes rather than from "
                "the deals: then slg.off_profile_pipeline and win rates hold."
            ),
        )

    def words_noticed(self, finding: str, case: Case) -> Words:
        share_of = "the share of new opportunities whose notes hedge about fit"
        if finding == "unsteady baseline":
            return words_unsteady(case, share_of)
        if finding == "mix":
            return words_mix(case, share_of, "reps")
        return super().words_noticed(finding, case)


def _read(opening: HedgedOpening, note: str, own: Mapping[Any, Sequence[str]]) -> list[str]:
    """Keeps what the note hedges about; the phrases about fit."""
    hedges = hedges_in(note, own)
    for hedge in hedges:
        if hedge.about != "fit" and hedge.about not in opening.apart:
            opening.apart.append(hedge.about)
    phrases = [*phrases_of(hedges, "fit")][:MAX_PHRASES]
    opening.phrases += [phrase for phrase in phrases if phrase not in opening.phrases]
    del opening.phrases[MAX_PHRASES:]
    return phrases
