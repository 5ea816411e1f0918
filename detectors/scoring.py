"""One ICP variant made runnable: fit, trigger score with its parts, standing, and the decision to alert or not.

``decide`` is a pure function from where an account stands to a named reason; everything that says "why no alert"
says it in these words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from detectors.account_state import AccountState, VariantState
from detectors.crossing import first_time
from detectors.fit import CompiledFit, Fit
from detectors.matching import Predicate, always, compile_node
from detectors.triggers import Cell, CompiledTrigger, envelope
from schemas.icp import AlertRules, Variant

Quadrant = Literal["route", "nurture", "discover", "not_now"]
Reason = Literal[
    "fire", "still_on", "screened_out", "disqualified", "blocked", "trigger_below", "cooling_down"
]


Parts = Sequence[tuple[CompiledTrigger, float, Cell]]


class Score(Struct, frozen=True):
    """Fit and trigger of one account for one variant at one time; ``parts`` add up to ``trigger``."""

    fit: Fit
    trigger: float
    parts: Parts
    quadrant: Quadrant


class Decision(Struct, frozen=True):
    reason: Reason
    detail: str = ""


class CompiledVariant:
    def __init__(self, variant: Variant, late_after_s: float) -> None:
        self.written = variant
        self.name = variant.name
        self.fit = CompiledFit(variant)
        self.triggers = [CompiledTrigger(variant.name, trigger, late_after_s) for trigger in variant.triggers]
        self.envelope_s = envelope(self.triggers)
        self.gated = any(trigger.gate is not always for trigger in self.triggers)
        """whether the profile has a say in the trigger score"""
        self.profile_disqualifiers: list[tuple[Predicate, str]] = [
            (compile_node(rule.when.of_account), rule.name)
            for rule in variant.disqualifiers
            if rule.when.event is None
        ]
        self._event_disqualifiers = {
            rule.name for rule in variant.disqualifiers if rule.when.event is not None
        }
        self.blocker_names = {rule.name for rule in variant.blockers}
        self.profile_blockers: list[tuple[Predicate, str, float]] = [
            (compile_node(rule.when.of_account), rule.name, rule.for_)
            for rule in variant.blockers
            if rule.when.event is None
        ]

    def score(self, state: AccountState, attributes: Mapping[str, Any], now: float) -> Score:
        """The scores at ``now`` (Unix seconds)."""
        return self.with_fit(self.trigger_parts(state, attributes, now), attributes)

    def with_fit(self, parts: Parts, attributes: Mapping[str, Any]) -> Score:
        fit = self.fit.judge(attributes)
        total = total_of(parts)
        return Score(fit, total, parts, _quadrant(fit, total, self.written.alert))

    def trigger_parts(self, state: AccountState, attributes: Mapping[str, Any], now: float) -> Parts:
        """(trigger, contribution at ``now``, its memory) of the triggers that have any."""
        cells = state.cells
        parts = []
        for trigger in self.triggers:
            cell = cells.get(trigger.key)
            if cell is not None and (trigger.gate is always or trigger.gate(attributes)):
                parts.append((trigger, trigger.contribution(cell, now), cell))
        return parts

    def disqualified_by(self, standing: VariantState, attributes: Mapping[str, Any]) -> str:
        """The name of what disqualifies the account, or an empty text."""
        for name in sorted(standing.disqualified):  # the same answer whatever came first
            if name in self._event_disqualifiers:
                return name
        for predicate, name in self.profile_disqualifiers:
            if predicate(attributes):
                return name
        return ""


def total_of(parts: Parts) -> float:
    """The trigger score: what the parts add up to."""
    return sum((part for _, part, _ in parts), 0.0)


def first_at_least(parts: Parts, bound: float, now: float) -> float | None:
    """When, after ``now`` (Unix seconds, what ``parts`` are as of), the score first reaches ``bound`` without a new
    event: what is negative fades. None if it does not."""
    if sum(part for _, part, _ in parts if part > 0) < bound:  # what speaks for it only fades
        return None
    support, against = _support(parts), _against(parts)
    return first_time(
        lambda when: score_at(parts, when) >= bound,
        now,
        lambda begin, end: support(begin) - against(end) < bound,
    )


def first_below(parts: Parts, bound: float, now: float) -> float | None:
    """When, after ``now`` (Unix seconds), the score is first below ``bound`` without a new event; None if never."""
    support, against = _support(parts), _against(parts)
    return first_time(
        lambda when: score_at(parts, when) < bound,
        now,
        lambda begin, end: support(end) - against(begin) >= bound,
    )


def score_at(parts: Parts, when: float) -> float:
    """The trigger score at ``when`` (Unix seconds) without a new event."""
    # Summed like total_of, so that the timer and the look that it brings about never disagree.
    return sum((trigger.contribution(cell, when) for trigger, _, cell in parts), 0.0)


def _support(parts: Parts) -> Callable[[float], float]:
    positive = [(trigger, cell) for trigger, _, cell in parts if trigger.weight > 0]
    return lambda when: sum(trigger.contribution(cell, when) for trigger, cell in positive)


def _against(parts: Parts) -> Callable[[float], float]:
    negative = [(trigger, cell) for trigger, _, cell in parts if trigger.weight < 0]
    return lambda when: -sum(trigger.contribution(cell, when) for trigger, cell in negative)


def decide(
    rules: AlertRules, standing: VariantState, score: Score, disqualified_by: str, now: float
) -> Decision:
    """Whether an alert fires now, or the first reason why not."""
    if score.trigger < rules.trigger_at_least:
        return Decision("trigger_below", f"trigger {score.trigger:.1f} is below {rules.trigger_at_least:g}")
    if score.fit.out is not None:
        return Decision("screened_out", score.fit.out)
    if disqualified_by:
        return Decision("disqualified", disqualified_by)
    for name, until in sorted(standing.blockers.items()):
        if until > now:
            return Decision("blocked", name)
    # An account that was worth a discovery call and now turns out to fit is news, whatever was said before.
    upgraded = standing.fired == "discover" and score.quadrant == "route"
    if standing.fired and not upgraded:
        return Decision("still_on", f"an alert is on; it re-arms below {rules.rearm_below:g}")
    if standing.alerted_at and now < standing.alerted_at + rules.cooldown and not upgraded:
        return Decision("cooling_down", "the last alert is too recent")
    return Decision("fire")


def _quadrant(fit: Fit, trigger: float, rules: AlertRules) -> Quadrant:
    fits = fit.out is None and fit.score >= rules.fit_at_least
    if trigger >= rules.trigger_at_least:
        return "route" if fits else "discover"
    return "nurture" if fits else "not_now"
