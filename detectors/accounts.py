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
from collections.abc import Mapping, Sequence
from typing import Any

from detectors.account_alerts import activation_missed, blocker_ended, trigger_alert
from detectors.account_state import (
    AccountState,
    VariantState,
    decode_state,
    digest,
    encode_state,
    merge_attributes,
    present,
    remember,
)
from detectors.acquisition import UNKNOWN, Acquisition
from detectors.compiled_icp import BlockerRule, CompiledICP, MilestoneRule, Rule, TriggerRule
from detectors.crossing import first_time
from detectors.effects import Effects
from detectors.scoring import CompiledVariant, Parts, decide, total_of
from detectors.signals.contract import Milestone, Signal
from detectors.triggers import bound
from schemas.events import PRODUCT_PREFIX, VISITOR_PREFIX, AccountProfile, Envelope, Event, WebVisit
from schemas.icp import ICP, ActivationGoal, Blocker
from schemas.observations import Observation

NOT_ACCOUNTS = (PRODUCT_PREFIX, VISITOR_PREFIX)


class AccountStage:
    """``icps``: the versions of the ICP file; the earliest also holds for what came before it."""

    name = "accounts"

    def __init__(self, icps: Sequence[ICP], signals: Sequence[Signal], late_after_s: float) -> None:
        if not icps:
            raise ValueError("the account stage needs an ICP")
        self._icps = sorted(
            (CompiledICP(icp, late_after_s) for icp in icps), key=lambda icp: icp.effective_from
        )
        self._starts = [icp.effective_from for icp in self._icps]
        self._signals = {signal.name: signal for signal in signals}

    def in_force(self, at: float) -> CompiledICP:
        """The ICP version at ``at`` (Unix seconds)."""
        if len(self._icps) == 1:
            return self._icps[0]
        return self._icps[max(0, bisect_right(self._starts, at) - 1)]

    def new_state(self, account: str) -> AccountState:
        return AccountState()

    def encode_state(self, account: str, state: AccountState) -> bytes:
        return encode_state(state)

    def decode_state(self, account: str, raw: bytes) -> AccountState:
        return decode_state(raw)

    def step(self, account: str, state: AccountState, event: Event, at: float, effects: Effects) -> bool:
        """Takes one event in. Returns False for a repeat of one that was taken in before."""
        mark = digest(event.source, event.id)
        if mark in state.seen:
            return False
        state.seen = remember(state.seen, mark)
        state.events += 1
        if at > state.now:
            state.now = at
        if ":" in account and account.startswith(NOT_ACCOUNTS):
            return True
        icp = self.in_force(at)
        changed = False
        if isinstance(event, AccountProfile):
            changed = merge_attributes(state, event.data.attributes, at)
        elif isinstance(event, WebVisit):
            self._note_visit(state, icp, event, at)
        rules = icp.matcher.match(event)
        if rules or changed:
            self._react(account, state, icp, event, at, rules, changed, effects)
        return True

    def due(self, state: AccountState) -> float | None:
        """When the account's earliest timer is due (Unix seconds), or None."""
        return min(state.timers.values()) if state.timers else None

    def fire(self, account: str, state: AccountState, until: float, effects: Effects) -> None:
        """Fires the timers due by ``until``, in order of (due, name); each sees the account as of its due time."""
        while state.timers:
            due, name = min((due, name) for name, due in state.timers.items())
            if due > until:
                return
            del state.timers[name]
            effects.timers_changed = True
            state.now = max(state.now, due)
            kind, _, rest = name.partition(":")
            _TIMERS[kind](self, account, state, rest, due, effects)

    def _note_visit(self, state: AccountState, icp: CompiledICP, event: WebVisit, at: float) -> None:
        if state.first_visit is not None and state.first_visit[0] <= at:
            return
        source = icp.acquisition.of_visit(event.data)
        if source is not None:
            state.first_visit = (at, source)

    def _react(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        event: Envelope,
        at: float,
        rules: Sequence[Rule],
        profile_changed: bool,
        effects: Effects,
    ) -> None:
        attributes = present(state)
        if profile_changed:
            self._fix_source(state, icp, attributes)
            for variant in icp.variants:
                self._update_profile_blockers(state, variant, attributes, at, effects)
        moved: dict[str, bool] = {}
        for rule in rules:
            if isinstance(rule, TriggerRule):
                trigger = rule.trigger
                cell = state.cells.get(trigger.key)
                if cell is None:
                    cell = state.cells[trigger.key] = trigger.new_cell()
                data = getattr(event, "data", None)
                trigger.add(cell, at, event.id, data)
                moved[rule.variant.name] = moved.get(rule.variant.name, False) or trigger.weight < 0
            elif not rule.gate(attributes):
                continue
            elif isinstance(rule, MilestoneRule):
                self._reach(account, state, icp, rule.milestone, at, attributes, effects)
            elif isinstance(rule, BlockerRule):
                self._block(state, rule.variant, rule.blocker, at, effects)
            elif rule.name not in _standing(state, rule.variant.name).disqualified:
                _standing(state, rule.variant.name).disqualified.append(rule.name)
        now = self.in_force(state.now)
        for variant in now.variants:
            if profile_changed or variant.name in moved:
                self._evaluate(
                    account,
                    state,
                    now,
                    variant,
                    attributes,
                    effects,
                    profile_changed=profile_changed,
                    lowered=moved.get(variant.name, False) or (profile_changed and variant.gated),
                )

    def _evaluate(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        variant: CompiledVariant,
        attributes: Mapping[str, Any],
        effects: Effects,
        *,
        profile_changed: bool,
        lowered: bool,
    ) -> None:
        """Scores the account as of its own time, alerts if it has come to that, and plans when to look again.

        ``lowered``: something made the score smaller or may have, so that it crosses a bound sooner than planned.
        """
        rules = variant.written.alert
        now = state.now
        parts = variant.trigger_parts(state, attributes, now)
        trigger = total_of(parts)
        standing = state.variants.get(variant.name)
        if standing is not None and standing.fired and trigger < rules.rearm_below:
            standing.fired = ""
        high = trigger >= rules.trigger_at_least
        # Fit is judged where it is asked for: it changes with the profile alone.
        score = variant.with_fit(parts, attributes) if high or profile_changed else None
        effects.list_account(variant.name, account, score, trigger, now, bound(parts), variant.envelope_s)
        name = f"rescore:{variant.name}"
        if high and score is not None:
            standing = _standing(state, variant.name)
            disqualified = variant.disqualified_by(standing, attributes)
            decision = decide(rules, standing, score, disqualified, now)
            if decision.reason == "fire":
                standing.episode += 1
                standing.fired = score.quadrant
                standing.alerted_at = now
                effects.alerts.append(
                    trigger_alert(account, state, icp.written, variant, standing, score, attributes)
                )
            elif decision.reason == "cooling_down":
                self._set_timer(state, name, standing.alerted_at + rules.cooldown, effects)
                return
        if lowered or name not in state.timers:
            self._plan_rescore(state, variant, parts, name, effects)

    def _plan_rescore(
        self, state: AccountState, variant: CompiledVariant, parts: Parts, name: str, effects: Effects
    ) -> None:
        """Without any event a score crosses a bound too: it fades below re-arming, or what lowered it fades."""
        rules = variant.written.alert
        standing = state.variants.get(variant.name)

        def trigger_at(when: float) -> float:
            return sum(trigger.weight * trigger.value(cell, when) for trigger, _, cell in parts)

        due = None
        if standing is not None and standing.fired:
            due = first_time(lambda when: trigger_at(when) < rules.rearm_below, state.now)
        elif sum(part for _, part, _ in parts if part > 0) >= rules.trigger_at_least > total_of(parts):
            due = first_time(lambda when: trigger_at(when) >= rules.trigger_at_least, state.now)
        if due is not None:
            self._set_timer(state, name, due, effects)
        elif state.timers.pop(name, None) is not None:
            effects.timers_changed = True

    def _reach(
        self,
        account: str,
        state: AccountState,
        icp: CompiledICP,
        milestone: Milestone,
        at: float,
        attributes: Mapping[str, Any],
        effects: Effects,
    ) -> None:
        before = state.milestones.get(milestone)
        if before is not None and before <= at:
            return
        state.milestones[milestone] = at
        if milestone == "signed_up":
            self._fix_source(state, icp, attributes)
            for variant in icp.written.variants:
                for goal in variant.activation:
                    name = f"goal:{goal.milestone}:{goal.within:g}"
                    self._set_timer(state, name, at + goal.within, effects)
        facts = _Facts(account, state, icp.acquisition, attributes)
        for signal in self._signals.values():
            if milestone in signal.listens:
                signal.on_milestone(facts, milestone, _Output(self, account, state, signal.name, effects))

    def _fix_source(self, state: AccountState, icp: CompiledICP, attributes: Mapping[str, Any]) -> None:
        """The acquisition source is fixed at sign-up, or as soon after it as it is known."""
        if not state.source and "signed_up" in state.milestones:
            source = icp.acquisition.of_account(attributes, state.first_visit)
            if source != UNKNOWN:
                state.source = source

    def _block(
        self, state: AccountState, variant: CompiledVariant, blocker: Blocker, at: float, effects: Effects
    ) -> None:
        standing = _standing(state, variant.name)
        until = at + blocker.for_
        if until > standing.blockers.get(blocker.name, 0.0):
            standing.blockers[blocker.name] = until
            self._set_timer(state, f"blocker:{variant.name}:{blocker.name}", until, effects)

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
                _standing(state, variant.name).blockers[name] = at + for_s
                self._set_timer(state, f"blocker:{variant.name}:{name}", at + for_s, effects)
            elif known and not holds and standing is not None:
                del standing.blockers[name]

    def _set_timer(self, state: AccountState, name: str, due: float, effects: Effects) -> None:
        if state.timers.get(name) != due:
            state.timers[name] = due
            effects.timers_changed = True

    # What fires. Each takes (account, state, the rest of the timer's name, due, effects).

    def _fire_rescore(
        self, account: str, state: AccountState, variant_name: str, due: float, effects: Effects
    ) -> None:
        icp = self.in_force(due)
        variant = icp.by_name.get(variant_name)
        if variant is not None:
            self._evaluate(
                account, state, icp, variant, present(state), effects, profile_changed=False, lowered=True
            )

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
        score = variant.score(state, attributes, state.now)
        if rule is None or score.fit.out is not None or variant.disqualified_by(standing, attributes):
            return
        effects.alerts.append(
            blocker_ended(account, state, icp.written, variant, rule, due, score, attributes)
        )
        if decide(variant.written.alert, standing, score, "", state.now).reason == "fire":
            # The follow-up carries the scores: a second alert at the same moment would say nothing new.
            standing.fired = score.quadrant
            standing.alerted_at = state.now
        self._plan_rescore(state, variant, score.parts, f"rescore:{variant_name}", effects)

    def _fire_goal(self, account: str, state: AccountState, rest: str, due: float, effects: Effects) -> None:
        milestone, _, within = rest.partition(":")
        reached = state.milestones.get(milestone)
        if (reached is not None and reached <= due) or "signed_up" not in state.milestones:
            return
        icp = self.in_force(due)
        attributes = present(state)
        for variant in icp.variants:
            goal = _goal(variant, milestone, within)
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
        signal = self._signals.get(signal_name)
        if signal is not None:
            facts = _Facts(account, state, self.in_force(due).acquisition, present(state))
            signal.on_timer(facts, name, due, _Output(self, account, state, signal_name, effects))


_TIMERS = {
    "rescore": AccountStage._fire_rescore,
    "blocker": AccountStage._fire_blocker,
    "goal": AccountStage._fire_goal,
    "signal": AccountStage._fire_signal,
}


class _Facts:
    """What a signal may read of an account (detectors/signals/contract.py)."""

    def __init__(
        self, account: str, state: AccountState, acquisition: Acquisition, attributes: Mapping[str, Any]
    ) -> None:
        self.account = account
        self.milestones: Mapping[str, float] = state.milestones
        self.source = state.source or acquisition.of_account(attributes, state.first_visit)


class _Output:
    """Where a signal's account half puts what it finds (detectors/signals/contract.py)."""

    def __init__(
        self, stage: AccountStage, account: str, state: AccountState, signal: str, effects: Effects
    ) -> None:
        self._stage = stage
        self._account = account
        self._state = state
        self._signal = signal
        self._effects = effects

    def observe(
        self, measure: str, *, at: float, began: float, value: float, segments: Mapping[str, str]
    ) -> None:
        self._effects.observations.append(
            Observation(
                signal=self._signal,
                measure=measure,
                at=at,
                began=began,
                value=value,
                account=self._account,
                segments=dict(segments),
            )
        )

    def set_timer(self, name: str, due: float) -> None:
        self._stage._set_timer(self._state, f"signal:{self._signal}:{name}", due, self._effects)


def _standing(state: AccountState, variant: str) -> VariantState:
    standing = state.variants.get(variant)
    if standing is None:
        standing = state.variants[variant] = VariantState()
    return standing


def _goal(variant: CompiledVariant, milestone: str, within: str) -> ActivationGoal | None:
    for goal in variant.written.activation:
        if goal.milestone == milestone and f"{goal.within:g}" == within:
            return goal
    return None
