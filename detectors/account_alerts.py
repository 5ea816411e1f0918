"""What the account stage says to people: trigger alerts, ended blockers, missed activations.

Everything in an alert comes from the ICP file or from the account's own state, and the parts add up to the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.account_state import AccountState, VariantState
from detectors.fit import top_reasons
from detectors.matching import compile_node
from detectors.scoring import CompiledVariant, Score
from schemas.alerts import (
    ActivationMissed,
    ActiveBlocker,
    BlockerEnded,
    Evidence,
    ExpectedObjection,
    FitReason,
    Part,
    Reach,
    TriggerAlert,
    TriggerReason,
    alert_id,
    moment,
)
from schemas.duration import write_duration
from schemas.icp import ICP, ActivationGoal, Blocker, Variant

FIT_REASONS = 3
TRIGGER_REASONS = 2
OBJECTIONS = 3
MAX_NAME = 200
"""characters that are kept of the account's name and of a contact's title: an alert has to fit into a message"""
KNOWN_TITLES = 5
"""of a role, at most"""
LEAST_SHOWN = 0.5
"""points: less reads as nothing"""


def trigger_alert(
    account: str,
    state: AccountState,
    icp: ICP,
    variant: CompiledVariant,
    standing: VariantState,
    score: Score,
    attributes: Mapping[str, Any],
) -> TriggerAlert:
    """The alert of ``standing.episode``, as of the account's own time."""
    written = variant.written
    return TriggerAlert(
        id=alert_id("trigger", account, written.name, standing.episode),
        at=moment(state.now),
        account=account,
        account_name=account_name(attributes),
        variant=written.name,
        icp_version=icp.version,
        fit=score.fit.score,
        trigger=score.trigger,
        threshold=written.alert.trigger_at_least,
        quadrant=score.quadrant,
        why_them=fit_reasons(score),
        why_now=trigger_reasons(score, state.now),
        parts=[Part(name=trigger.name, contribution=part) for trigger, part, _ in score.parts],
        expect=_objections(written, attributes),
        reach=_reach(written, attributes),
        blockers=_active_blockers(icp, state),
        next=_play(written, score),
    )


def blocker_ended(
    account: str,
    state: AccountState,
    icp: ICP,
    variant: CompiledVariant,
    blocker: Blocker,
    until: float,
    score: Score,
    attributes: Mapping[str, Any],
) -> BlockerEnded:
    return BlockerEnded(
        id=alert_id("blocker_ended", account, variant.name, blocker.name, f"{until:.3f}"),
        at=moment(state.now),
        account=account,
        account_name=account_name(attributes),
        variant=variant.name,
        icp_version=icp.version,
        blocker=blocker.name,
        because=blocker.because,
        fit=score.fit.score,
        trigger=score.trigger,
        quadrant=score.quadrant,
        next=blocker.then,
    )


def activation_missed(
    account: str,
    state: AccountState,
    icp: ICP,
    variant: CompiledVariant,
    goal: ActivationGoal,
    score: Score,
    attributes: Mapping[str, Any],
) -> ActivationMissed:
    return ActivationMissed(
        id=alert_id("activation_missed", account, variant.name, goal.milestone),
        at=moment(state.now),
        account=account,
        account_name=account_name(attributes),
        variant=variant.name,
        icp_version=icp.version,
        milestone=goal.milestone,
        signed_up=moment(state.milestones["signed_up"]),
        within=write_duration(goal.within),
        fit=score.fit.score,
        next=f"Ask what keeps them from being {goal.milestone}, and help with that step",
    )


def fit_reasons(score: Score) -> list[FitReason]:
    return [
        FitReason(name=rule.name, weight=rule.weight, because=rule.because)
        for rule in top_reasons(score.fit.rules, FIT_REASONS)
    ]


def trigger_reasons(score: Score, now: float) -> list[TriggerReason]:
    """The triggers that add most, and something to speak of, with their newest events."""
    best = sorted(
        (entry for entry in score.parts if entry[1] >= LEAST_SHOWN),
        key=lambda entry: (-entry[1], entry[0].name),
    )
    return [
        TriggerReason(
            name=trigger.name,
            contribution=part,
            because=trigger.written.because,
            fades=trigger.decay.words(),
            evidence=[
                Evidence(event_id=event_id, at=moment(at), contribution=left)
                for event_id, at, left in trigger.evidence(cell, now)
            ],
        )
        for trigger, part, cell in best[:TRIGGER_REASONS]
    ]


def _active_blockers(icp: ICP, state: AccountState) -> list[ActiveBlocker]:
    """Those of the account's other variants: they don't hold this alert back, but whoever calls should know."""
    found: dict[str, ActiveBlocker] = {}
    for variant in icp.variants:
        ends = state.variants.get(variant.name, VariantState()).blockers
        for rule in variant.blockers:
            until = ends.get(rule.name, 0.0)
            if until > state.now and rule.name not in found:
                found[rule.name] = ActiveBlocker(name=rule.name, until=moment(until), because=rule.because)
    return list(found.values())


def account_name(attributes: Mapping[str, Any]) -> str:
    name = attributes.get("name")
    return name[:MAX_NAME] if isinstance(name, str) else ""


def _objections(variant: Variant, attributes: Mapping[str, Any]) -> list[ExpectedObjection]:
    """Those whose condition holds come first, then those that anybody may raise."""
    fitting = [
        rule for rule in variant.objections if rule.when and compile_node(rule.when.of_account)(attributes)
    ]
    general = [rule for rule in variant.objections if rule.when is None]
    return [
        ExpectedObjection(says=rule.says, answer=rule.answer) for rule in (fitting + general)[:OBJECTIONS]
    ]


def _reach(variant: Variant, attributes: Mapping[str, Any]) -> list[Reach]:
    contacts = attributes.get("contacts")
    titles = [
        contact["title"]
        for contact in (contacts if isinstance(contacts, list) else ())
        if isinstance(contact, dict) and isinstance(contact.get("title"), str)
    ]
    return [
        Reach(
            role=role.role,
            titles=role.titles,
            known=[
                title[:MAX_NAME]
                for title in dict.fromkeys(titles)
                if any(wanted.casefold() in title.casefold() for wanted in role.titles)
            ][:KNOWN_TITLES],
        )
        for role in variant.committee
    ]


def _play(variant: Variant, score: Score) -> str:
    return {
        "route": variant.plays.route,
        "nurture": variant.plays.nurture,
        "discover": variant.plays.discover,
        "not_now": variant.plays.nurture,
    }[score.quadrant]
