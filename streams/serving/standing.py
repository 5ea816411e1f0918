"""Why there is no new alert for an account, in words: what detectors.scoring.decide says, made plain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.account_state import VariantState
from detectors.scoring import CompiledVariant, Decision, Score, decide, first_at_least, first_below
from schemas.alerts import moment
from streams.serving.views import DecisionView


def decision_now(
    variant: CompiledVariant,
    standing: VariantState,
    score: Score,
    attributes: Mapping[str, Any],
    now: float,
) -> Decision:
    """What would be decided at ``now`` (Unix seconds); changes nothing. ``score`` is as of then too."""
    rules = variant.written.alert
    if standing.fired and score.trigger < rules.rearm_below:
        # The account is armed again; its state says so once its timer has fired.
        standing = VariantState(
            episode=standing.episode,
            alerted_at=standing.alerted_at,
            blockers=standing.blockers,
            disqualified=standing.disqualified,
        )
    return decide(rules, standing, score, variant.disqualified_by(standing, attributes), now)


def explain_decision(
    variant: CompiledVariant,
    standing: VariantState,
    score: Score,
    attributes: Mapping[str, Any],
    now: float,
) -> DecisionView:
    """``decision_now`` in words, and when the next alert can come."""
    rules = variant.written.alert
    decision = decision_now(variant, standing, score, attributes, now)
    words = ""
    not_before: float | None = None
    match decision.reason:
        case "trigger_below":
            words = (
                f"The trigger score is {score.trigger:.1f}; an alert goes out at {rules.trigger_at_least:g}."
            )
            rising = first_at_least(score.parts, rules.trigger_at_least, now)
            if rising is not None:
                not_before = rising
                words += " What speaks against it fades: the score gets there by itself."
        case "screened_out":
            words = f"The screen puts this account out: {_sentence(decision.detail)}"
        case "disqualified":
            because = {rule.name: rule.because for rule in variant.written.disqualifiers}
            words = (
                f"Disqualified for good ({decision.detail}): {_sentence(because.get(decision.detail, ''))}"
            )
        case "blocked":
            not_before = standing.blockers[decision.detail]
            reasons = {rule.name: rule.because for rule in variant.written.blockers}
            reason = f" {_sentence(reasons[decision.detail])}" if decision.detail in reasons else ""
            words = f"Blocked for now ({decision.detail}).{reason}"
        case "still_on":
            words = (
                f"The last alert is still on. The next one needs the score, now {score.trigger:.1f},"
                f" to fall below {rules.rearm_below:g} first."
            )
            not_before = first_below(score.parts, rules.rearm_below, now)
        case "cooling_down":
            words = "The last alert is too recent: there is a pause between two alerts for an account."
            not_before = standing.alerted_at + rules.cooldown
        case "fire":
            words = "Nothing stands in the way: an alert goes out with the next event or timer."
    return DecisionView(
        reason=decision.reason,
        words=words,
        not_before=None if not_before is None else moment(not_before),
    )


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
