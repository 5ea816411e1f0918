"""Looking at an account's score for a variant: does an alert go out, and when to look again without an event.

Rules:
1. A score is looked at when it may have crossed a bound, and only then: ``may_matter`` says when a rise can't have.
2. Who looks more often sees the same alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.account_alerts import trigger_alert
from detectors.account_state import NEVER, AccountState, VariantState, drop_timer, set_timer
from detectors.compiled_icp import CompiledICP
from detectors.crossing import PRECISION_S
from detectors.effects import Effects
from detectors.scoring import CompiledVariant, Parts, decide, first_at_least, first_below, score_at, total_of


class Moved:
    """An account whose score for a variant has changed: as of when, and whether its fit may have too."""

    __slots__ = ("at", "fit_changed", "state")

    def __init__(self, state: AccountState) -> None:
        self.state = state
        self.at = state.now
        self.fit_changed = False


def may_matter(state: AccountState, icp: CompiledICP, variant: CompiledVariant, weight: float) -> bool:
    """Whether a rise by at most ``weight`` could bring something about. It can't while an alert is on, while the
    account is out, or while the score stays below the alert's bound even if nothing had faded."""
    standing = state.variants.get(variant.name)
    if standing is None:  # the variant's first rise: what lowers is looked at, and leaves a standing
        standing = state.variants[variant.name] = VariantState(looked_under=icp.effective_from)
    elif standing.looked_under != icp.effective_from:
        return True
    standing.ceiling += weight
    if standing.out:
        return False
    if standing.fired:
        return f"rescore:{variant.name}" not in state.timers
    return standing.ceiling >= variant.written.alert.trigger_at_least


def look(
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
    standing = standing_of(state, variant.name)
    if standing.fired and trigger < rules.rearm_below:
        standing.fired = ""
    high = trigger >= rules.trigger_at_least
    moved = effects.moved.setdefault((variant.name, account), Moved(state))
    moved.at = now
    moved.fit_changed = moved.fit_changed or profile_changed
    name = f"rescore:{variant.name}"
    fired = False
    standing.ceiling = sum((part for _, part, _ in parts if part > 0), 0.0)
    # After discovery a better fit counts as soon as the score is high again, so every rise is looked at.
    upgradable = standing.fired == "discover" and not high
    standing.looked_under = NEVER if upgradable else icp.effective_from
    standing.out = False
    if high:
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
        plan_look(state, variant, parts, name, effects)


def plan_look(
    state: AccountState, variant: CompiledVariant, parts: Parts, name: str, effects: Effects
) -> None:
    """Without any event a score crosses a bound too: it fades below re-arming, or what lowered it fades."""
    rules = variant.written.alert
    standing = state.variants.get(variant.name)
    due = None
    if standing is not None and standing.fired:
        planned = state.timers.get(name)
        if (
            planned is not None
            and planned > state.now
            and not any(part < 0 for _, part, _ in parts)
            and score_at(parts, planned - PRECISION_S) >= rules.rearm_below
        ):
            return  # what only fades comes no sooner than planned; if it comes later, the timer plans anew
        due = first_below(parts, rules.rearm_below, state.now)
    elif total_of(parts) < rules.trigger_at_least:
        due = first_at_least(parts, rules.trigger_at_least, state.now)
    if due is not None:
        set_timer(state, name, due, effects)
    else:
        drop_timer(state, name, effects)


def standing_of(state: AccountState, variant: str) -> VariantState:
    """Where the account stands with the variant; it is made where there is none."""
    standing = state.variants.get(variant)
    if standing is None:
        standing = state.variants[variant] = VariantState()
    return standing


def _forget_blockers(standing: VariantState, variant: CompiledVariant) -> None:
    """What the ICP file does not call a blocker any more does not block."""
    for name in [name for name in standing.blockers if name not in variant.blocker_names]:
        del standing.blockers[name]
