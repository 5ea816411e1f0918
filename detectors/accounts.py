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
from detectors.account_signals import Facts, Output
from detectors.account_state import (
    AccountState,
    VariantState,
    decode_state,
    digest,
    drop_timer,
    encode_state,
    is_repeat,
    merge_attributes,
    present,
    remember,
    set_timer,
)
from detectors.acquisition import remember_statement, source_at_sign_up
from detectors.compiled_icp import BlockerRule, CompiledICP, MilestoneRule, Rule, TriggerRule
from detectors.effects import Effects, Listing
from detectors.scoring import CompiledVariant, Parts, decide, first_at_least, first_below, total_of
from detectors.signals.contract import Milestone, Signal
from detectors.triggers import bound
from schemas.events import PRODUCT_PREFIX, VISITOR_PREFIX, AccountProfile, Envelope, Event, WebVisit
from schemas.icp import ICP, ActivationGoal, Blocker

NOT_ACCOUNTS = (PRODUCT_PREFIX, VISITOR_PREFIX)


class _Moved:
    """An account whose score for a variant has changed: as of when, and whether its fit may have too."""

    __slots__ = ("at", "fit_changed", "state")

    def __init__(self, state: AccountState) -> None:
        self.state = state
        self.at = state.now
        self.fit_changed = False


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
        if is_repeat(state, mark):
            return False
        remember(state, mark)
        state.events += 1
        in_order = at > state.now
        if in_order:
            state.now = at
        if ":" in account and account.startswith(NOT_ACCOUNTS):
            return True
        icp = self.in_force(at)
        changed = False
        if isinstance(event, AccountProfile):
            changed = merge_attributes(state, event.data.attributes, at)
            if "acquisition_source" in event.data.attributes:
                stated = icp.acquisition.of_profile(event.data.attributes["acquisition_source"])
                remember_statement(state.statements, at, stated)
                _fix_source(state)
        elif isinstance(event, WebVisit):
            self._note_visit(state, icp, event, at)
        rules = icp.matcher.match(event)
        if rules or changed:
            self._react(account, state, icp, event, at, rules, changed, in_order, effects)
        return True

    def finish(self, effects: Effects) -> None:
        """At the end of a batch: finds the new places in the lists, once for each account and variant that moved."""
        for (name, account), moved in effects.moved.items():
            state, at = moved.state, moved.at
            variant = self.in_force(at).by_name.get(name)
            if variant is None:
                continue
            attributes = present(state) if moved.fit_changed or variant.gated else {}
            parts = variant.trigger_parts(state, attributes, at)
            fit = None
            if moved.fit_changed:
                judged = variant.fit.judge(attributes)
                fit = judged.score if judged.out is None else -1.0
            effects.listings.append(
                Listing(name, account, fit, total_of(parts), at, bound(parts), variant.envelope_s)
            )

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
            if lowers or self._may_matter(state, now, rule.variant, trigger.weight):
                to_look[name] = to_look.get(name, False) or lowers
            effects.moved.setdefault((name, account), _Moved(state)).at = state.now
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
                    effects.moved.setdefault((variant.name, account), _Moved(state)).fit_changed = True
            elif profile_changed or variant.name in to_look:
                self._evaluate(
                    account,
                    state,
                    now,
                    variant,
                    attributes,
                    effects,
                    profile_changed=profile_changed,
                    lowered=to_look.get(variant.name, False) or (profile_changed and variant.gated),
                )

    def _may_matter(
        self, state: AccountState, icp: CompiledICP, variant: CompiledVariant, weight: float
    ) -> bool:
        """Whether a rise by at most ``weight`` could bring something about. It can't while an alert is on, while the
        account is out, or while the score stays below the alert's bound even if nothing had faded."""
        standing = _standing(state, variant.name)
        if standing.looked_under != icp.effective_from:
            return True
        standing.ceiling += weight
        if standing.out:
            return False
        if standing.fired:
            return f"rescore:{variant.name}" not in state.timers
        return standing.ceiling >= variant.written.alert.trigger_at_least

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
            self._reach(account, state, icp, rule.milestone, at, attributes, effects)
        elif isinstance(rule, BlockerRule):
            self._block(state, rule.variant, rule.blocker, at, effects)
        else:
            standing = _standing(state, rule.variant.name)
            if rule.name not in standing.disqualified:
                standing.disqualified.append(rule.name)

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
        moved = effects.moved.setdefault((variant.name, account), _Moved(state))
        moved.at = now
        moved.fit_changed = moved.fit_changed or profile_changed
        name = f"rescore:{variant.name}"
        fired = False
        if standing is None and parts:
            standing = _standing(state, variant.name)
        if standing is not None:
            standing.ceiling = sum(part for _, part, _ in parts if part > 0)
            standing.looked_under = icp.effective_from
            standing.out = False
        if high and standing is not None:
            score = variant.with_fit(parts, attributes)
            _forget_blockers(standing, variant)
            disqualified = variant.disqualified_by(standing, attributes)
            decision = decide(rules, standing, score, disqualified, now)
            standing.out = decision.reason in ("screened_out", "disqualified")
            if decision.reason == "fire":
                fired = True
                standing.episode += 1
                standing.fired = score.quadrant
                standing.alerted_at = now
                effects.alerts.append(
                    trigger_alert(account, state, icp.written, variant, standing, score, attributes)
                )
            elif decision.reason == "cooling_down":
                set_timer(state, name, standing.alerted_at + rules.cooldown, effects)
                return
        # A rise only puts re-arming off: the timer then looks too early, and plans anew. Where something negative
        # fades, a rise brings the crossing nearer.
        if lowered or fired or name not in state.timers or any(part < 0 for _, part, _ in parts):
            self._plan_rescore(state, variant, parts, name, effects)

    def _plan_rescore(
        self, state: AccountState, variant: CompiledVariant, parts: Parts, name: str, effects: Effects
    ) -> None:
        """Without any event a score crosses a bound too: it fades below re-arming, or what lowered it fades."""
        rules = variant.written.alert
        standing = state.variants.get(variant.name)
        due = None
        if standing is not None and standing.fired:
            due = first_below(parts, rules.rearm_below, state.now)
        elif total_of(parts) < rules.trigger_at_least:
            due = first_at_least(parts, rules.trigger_at_least, state.now)
        if due is not None:
            set_timer(state, name, due, effects)
        else:
            drop_timer(state, name, effects)

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
            _fix_source(state)
            for variant in icp.variants:
                for goal in variant.written.activation:
                    name = _goal_timer(goal)
                    if before is None or name in state.timers:  # else it was said already
                        set_timer(state, name, at + goal.within, effects)
        facts = self._facts(account, state, icp, attributes)
        for signal in self._signals.values():
            if milestone in signal.listens:
                signal.on_milestone(facts, milestone, Output(account, state, signal.name, effects))

    def _block(
        self, state: AccountState, variant: CompiledVariant, blocker: Blocker, at: float, effects: Effects
    ) -> None:
        standing = _standing(state, variant.name)
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
                _standing(state, variant.name).blockers[name] = at + for_s
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
        if rule is None:  # the ICP file does not know it any more: nothing to follow up
            self._evaluate(
                account, state, icp, variant, attributes, effects, profile_changed=False, lowered=True
            )
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
        self._plan_rescore(state, variant, score.parts, f"rescore:{variant_name}", effects)

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
        signal = self._signals.get(signal_name)
        if signal is not None:
            facts = self._facts(account, state, self.in_force(due), present(state))
            signal.on_timer(facts, name, due, Output(account, state, signal_name, effects))

    def _facts(
        self, account: str, state: AccountState, icp: CompiledICP, attributes: Mapping[str, Any]
    ) -> Facts:
        source = state.source or icp.acquisition.of_account(attributes, state.first_visit)
        return Facts(account, state, source)


_TIMERS = {
    "rescore": AccountStage._fire_rescore,
    "blocker": AccountStage._fire_blocker,
    "goal": AccountStage._fire_goal,
    "signal": AccountStage._fire_signal,
}


def _standing(state: AccountState, variant: str) -> VariantState:
    standing = state.variants.get(variant)
    if standing is None:
        standing = state.variants[variant] = VariantState()
    return standing


def _goal_timer(goal: ActivationGoal) -> str:
    return f"goal:{goal.milestone}:{goal.within!r}"


def _fix_source(state: AccountState) -> None:
    state.source = source_at_sign_up(state.milestones.get("signed_up"), state.statements, state.first_visit)


def _forget_blockers(standing: VariantState, variant: CompiledVariant) -> None:
    """What the ICP file does not call a blocker any more does not block."""
    for name in [name for name in standing.blockers if name not in variant.blocker_names]:
        del standing.blockers[name]
