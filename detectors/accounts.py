"""The account stage: one event of one account -> new state, alerts, observations, timers.

Rules:
1. Pure and deterministic: event time only. The same events in the same order give the same bytes.
2. An account has its own time, ``state.now``: its newest event or timer. Scores in alerts are as of then, so that they
   don't depend on what other accounts do.
3. Events match under the ICP version in force at the event's time; scores are taken under the one in force now.
4. A milestone is the earliest event that means it: one that arrives late can move it back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detectors.account_alerts import activation_missed, blocker_ended
from detectors.account_listings import listings
from detectors.account_looks import Moved, look, may_matter, plan_look, standing_of
from detectors.account_signals import Turn
from detectors.account_state import (
    NEVER,
    AccountState,
    VariantState,
    decode_state,
    encode_state,
    is_news,
    merge_attributes,
    present,
    set_timer,
)
from detectors.acknowledging import Said, hand_on, refuse_unknown_signal
from detectors.acquisition import remember_statement, source_at_sign_up
from detectors.compiled_icp import BlockerRule, CompiledICP, MilestoneRule, Rule, TriggerRule
from detectors.effects import Effects
from detectors.health.fields import looked_at
from detectors.health.needs import needs_of
from detectors.health.tally import (
    TALLY_KEY,
    Heard,
    Tally,
    begin,
    count,
    decode_tally,
    encode_tally,
    tell,
)
from detectors.scoring import CompiledVariant, decide
from detectors.signals.contract import AccountFacts, AccountOutput, Milestone, Signal
from schemas.event_subjects import OWNERS, PRODUCT_PREFIX
from schemas.events import AccountProfile, Envelope, Event, ProductEvent, WebVisit
from schemas.icp import ICP, ActivationGoal, Blocker

NOT_ACCOUNTS = (*OWNERS, TALLY_KEY)

OnEvent = Callable[[AccountFacts, Any, float, AccountOutput], None]


class AccountStage:
    """``icps``: the versions of the ICP file; the earliest also holds for what came before it."""

    name = "accounts"
    tally_key = beside_key = TALLY_KEY

    def __init__(self, icps: Sequence[ICP], signals: Sequence[Signal], late_after_s: float) -> None:
        if not icps:
            raise ValueError("the account stage needs an ICP")
        self._icps = sorted(
            (CompiledICP(icp, late_after_s) for icp in icps), key=lambda icp: icp.effective_from
        )
        self._only = self._icps[0] if len(self._icps) == 1 else None
        self._starts = [icp.effective_from for icp in self._icps]
        self._turns = {signal.name: (signal, Turn(signal, self.in_force)) for signal in signals}
        self._looked = looked_at([needs_of(signal, icps) for signal in signals])
        self._hearers: dict[type[Envelope], list[tuple[OnEvent, Turn]]] = {}
        """event class -> the signals that want to see its events"""
        for signal, turn in self._turns.values():
            for event_class in signal.hears:
                self._hearers.setdefault(event_class, []).append((signal.on_event, turn))

    def in_force(self, at: float) -> CompiledICP:
        """The ICP version at ``at`` (Unix seconds)."""
        if self._only is not None:
            return self._only
        return self._icps[max(0, bisect_right(self._starts, at) - 1)]

    def new_state(self, account: str) -> Any:
        return AccountState() if account != TALLY_KEY else Tally()

    def encode_state(self, account: str, state: Any) -> bytes:
        return encode_state(state) if account != TALLY_KEY else encode_tally(state)

    def decode_state(self, account: str, raw: bytes) -> Any:
        """Raises StateRefused."""
        return decode_state(raw) if account != TALLY_KEY else decode_tally(raw)

    def begin_tally(self, state: Tally, time: float) -> None:
        begin(state, time)

    def tally(self, state: Tally, heard: Heard) -> None:
        count(state, heard, self._looked)

    def hold(self, state: Tally) -> None:
        for _, turn in self._turns.values():
            turn.tally = state

    def step(self, account: str, state: AccountState, event: Event, at: float, effects: Effects) -> bool:
        """Takes one event in. Returns False for a repeat of one that was taken in before. Raises EventRefused, and leaves
        ``state`` as it was, for what is said to a signal that there is not."""
        if ":" in account and isinstance(event, Said):
            refuse_unknown_signal(event, self._turns)
        if not is_news(state, event.source, event.id):
            return False
        state.events += 1
        in_order = at > state.now
        if in_order:
            state.now = at
        if ":" in account and account.startswith(NOT_ACCOUNTS):
            if account.startswith(PRODUCT_PREFIX):
                self._tell_signals(account, state, event, at, in_order, effects)
            elif isinstance(event, Said):
                hand_on(event, at, effects)
            return True
        icp = self._only or self.in_force(at)
        changed = False
        if isinstance(event, ProductEvent):
            state.used += 1
        elif isinstance(event, AccountProfile):
            changed = merge_attributes(state, event.data.attributes, at)
            if changed:
                self._end_rests(state)
            if "acquisition_source" in event.data.attributes:
                stated = icp.acquisition.of_profile(event.data.attributes["acquisition_source"])
                remember_statement(state.statements, at, stated)
                _fix_source(state)
        elif isinstance(event, WebVisit):
            self._note_visit(state, icp, event, at)
        rules = icp.matcher.match(event)
        if rules or changed:
            self._react(account, state, icp, event, at, rules, changed, in_order, effects)
        self._tell_signals(account, state, event, at, in_order, effects)
        return True

    def finish(self, effects: Effects) -> None:
        """At the end of a batch: finds the new places in the lists."""
        effects.listings += listings(effects.moved, self.in_force)

    def due(self, state: AccountState | Tally) -> float | None:
        """When the account's earliest timer is due (Unix seconds), or None."""
        return min(state.timers.values()) if state.timers else None

    def fire(self, account: str, state: Any, until: float, effects: Effects) -> None:
        """Fires the timers due by ``until``, in order of (due, name); each sees the account as of its due time."""
        if account == TALLY_KEY:
            tell(state, min(state.timers.values()), effects)
            effects.timers_changed = True
            return
        while state.timers:
            due = min(state.timers.values())
            if due > until:
                return
            name = min(name for name, its_due in state.timers.items() if its_due == due)
            del state.timers[name]
            effects.timers_changed = True
            state.now = max(state.now, due)
            kind, _, rest = name.partition(":")
            _TIMERS[kind](self, account, state, rest, due, effects)

    def _tell_signals(
        self, account: str, state: AccountState, event: Envelope, at: float, in_order: bool, effects: Effects
    ) -> None:
        for on_event, turn in self._hearers.get(type(event), ()):
            if in_order and at < state.__dict__.get(turn.rests, NEVER):
                continue
            turn.account = account  # as ``of`` does: this is on the path of most events
            turn.state = state
            turn.effects = effects
            on_event(turn, event, at, turn)

    def _end_rests(self, state: AccountState) -> None:
        for _, turn in self._turns.values():
            state.__dict__.pop(turn.rests, None)

    def _note_visit(self, state: AccountState, icp: CompiledICP, event: WebVisit, at: float) -> None:
        first = state.first_visit
        if first is not None and first[0] < at:
            return
        source = icp.acquisition.of_visit(event.data)
        if source is not None and (first is None or (at, source) < first):
            state.first_visit = (at, source)
            _fix_source(state)

    def _react(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        event: Envelope,
        at: float,
        rules: Sequence[Rule],
        profile_changed: bool,
        in_order: bool,
        effects: Effects,
    ) -> None:
        now = self.in_force(state.now)
        to_look: dict[str, bool] = {}
        """variant -> whether something may have lowered its score"""
        others: list[Rule] = []
        for rule in rules:
            if not isinstance(rule, TriggerRule):
                others.append(rule)
                continue
            trigger = rule.trigger
            cell = state.cells.get(trigger.key)
            if cell is None:
                cell = state.cells[trigger.key] = trigger.new_cell()
            trigger.add(cell, at, event.id, getattr(event, "data", None))
            name = rule.variant.name
            # One that comes late, or at the same moment, can take another out of the count or of its day's cap.
            lowers = trigger.weight < 0 or not in_order
            if lowers or may_matter(state, now, rule.variant, trigger.weight):
                to_look[name] = to_look.get(name, False) or lowers
            moved = effects.moved.get((name, account))
            if moved is None:
                moved = effects.moved[name, account] = Moved(state)
            moved.at = state.now
        if not (others or to_look or profile_changed):
            return
        attributes = present(state)
        if profile_changed:
            for variant in icp.variants:
                self._update_profile_blockers(state, variant, attributes, at, effects)
        for rule in others:
            self._follow(account, state, icp, rule, at, attributes, effects)
        for variant in now.variants:
            if variant.name not in to_look and variant.name not in state.variants:
                if profile_changed:  # nothing has happened that a profile could put another light on
                    moved = effects.moved.setdefault((variant.name, account), Moved(state))
                    moved.at = state.now
                    moved.fit_changed = True
            elif profile_changed or variant.name in to_look:
                look(
                    account,
                    state,
                    now,
                    variant,
                    attributes,
                    effects,
                    profile_changed=profile_changed,
                    lowered=to_look.get(variant.name, False) or (profile_changed and variant.gated),
                )

    def _follow(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        rule: Rule,
        at: float,
        attributes: Mapping[str, Any],
        effects: Effects,
    ) -> None:
        """Does what a rule on an event asks for that is no trigger."""
        if isinstance(rule, TriggerRule) or not rule.gate(attributes):
            return
        if isinstance(rule, MilestoneRule):
            self._reach(account, state, icp, rule.milestone, at, effects)
        elif isinstance(rule, BlockerRule):
            self._block(state, rule.variant, rule.blocker, at, effects)
        else:
            standing = standing_of(state, rule.variant.name)
            if rule.name not in standing.disqualified:
                standing.disqualified.append(rule.name)

    def _reach(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        milestone: Milestone,
        at: float,
        effects: Effects,
    ) -> None:
        before = state.milestones.get(milestone)
        if before is not None and before <= at:
            return
        state.milestones[milestone] = at
        self._end_rests(state)
        if milestone == "signed_up":
            _fix_source(state)
            for variant in icp.variants:
                for goal in variant.written.activation:
                    name = _goal_timer(goal)
                    if before is None or name in state.timers:  # else it was said already
                        set_timer(state, name, at + goal.within, effects)
        for signal, turn in self._turns.values():
            if milestone in signal.listens:
                turn.of(account, state, effects)
                signal.on_milestone(turn, milestone, turn)

    def _block(
        self, state: AccountState, variant: CompiledVariant, blocker: Blocker, at: float, effects: Effects
    ) -> None:
        standing = standing_of(state, variant.name)
        until = at + blocker.for_
        if until > standing.blockers.get(blocker.name, 0.0):
            standing.blockers[blocker.name] = until
            set_timer(state, f"blocker:{variant.name}:{blocker.name}", until, effects)

    def _update_profile_blockers(
        self,
        state: AccountState,
        variant: CompiledVariant,
        attributes: Mapping[str, Any],
        at: float,
        effects: Effects,
    ) -> None:
        """A blocker on the profile starts when its condition begins to hold, and again only after it did not."""
        for predicate, name, for_s in variant.profile_blockers:
            holds = predicate(attributes)
            standing = state.variants.get(variant.name)
            known = standing is not None and name in standing.blockers
            if holds and not known:
                standing_of(state, variant.name).blockers[name] = at + for_s
                set_timer(state, f"blocker:{variant.name}:{name}", at + for_s, effects)
            elif known and not holds and standing is not None:
                del standing.blockers[name]

    # What fires. Each takes (account, state, the rest of the timer's name, due, effects).

    def _fire_rescore(
        self, account: str, state: AccountState, variant_name: str, due: float, effects: Effects
    ) -> None:
        icp = self.in_force(due)
        variant = icp.by_name.get(variant_name)
        if variant is not None:
            look(account, state, icp, variant, present(state), effects, profile_changed=False, lowered=True)

    def _fire_blocker(
        self, account: str, state: AccountState, rest: str, due: float, effects: Effects
    ) -> None:
        variant_name, _, name = rest.partition(":")
        icp = self.in_force(due)
        variant = icp.by_name.get(variant_name)
        standing = state.variants.get(variant_name)
        if variant is None or standing is None or name not in standing.blockers:
            return
        rule = next((rule for rule in variant.written.blockers if rule.name == name), None)
        attributes = present(state)
        if rule is None:  # the ICP file does not know it any more: nothing to follow up
            look(account, state, icp, variant, attributes, effects, profile_changed=False, lowered=True)
            return
        score = variant.score(state, attributes, state.now)
        if score.fit.out is not None or variant.disqualified_by(standing, attributes):
            return
        effects.alerts.append(
            blocker_ended(account, state, icp.written, variant, rule, due, score, attributes)
        )
        if decide(variant.written.alert, standing, score, "", state.now).reason in ("fire", "cooling_down"):
            # The follow-up carries the scores: a second alert at the same moment would say nothing new.
            standing.fired = score.quadrant
            standing.alerted_at = state.now
        plan_look(state, variant, score.parts, f"rescore:{variant_name}", effects)

    def _fire_goal(self, account: str, state: AccountState, rest: str, due: float, effects: Effects) -> None:
        milestone = rest.partition(":")[0]
        reached = state.milestones.get(milestone)
        if (reached is not None and reached <= due) or "signed_up" not in state.milestones:
            return
        icp = self.in_force(due)
        attributes = present(state)
        for variant in icp.variants:
            goal = next((g for g in variant.written.activation if _goal_timer(g) == f"goal:{rest}"), None)
            if goal is None:
                continue
            score = variant.score(state, attributes, state.now)
            standing = state.variants.get(variant.name, VariantState())
            fits = score.fit.out is None and score.fit.score >= variant.written.alert.fit_at_least
            if fits and not variant.disqualified_by(standing, attributes):
                effects.alerts.append(
                    activation_missed(account, state, icp.written, variant, goal, score, attributes)
                )

    def _fire_signal(
        self, account: str, state: AccountState, rest: str, due: float, effects: Effects
    ) -> None:
        signal_name, _, name = rest.partition(":")
        found = self._turns.get(signal_name)
        if found is not None:
            signal, turn = found
            signal.on_timer(turn.of(account, state, effects), name, due, turn)


_TIMERS = {
    "rescore": AccountStage._fire_rescore,
    "blocker": AccountStage._fire_blocker,
    "goal": AccountStage._fire_goal,
    "signal": AccountStage._fire_signal,
}


def _goal_timer(goal: ActivationGoal) -> str:
    return f"goal:{goal.milestone}:{goal.within!r}"


def _fix_source(state: AccountState) -> None:
    state.source = source_at_sign_up(state.milestones.get("signed_up"), state.statements, state.first_visit)
