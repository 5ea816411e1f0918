"""One account as people ask about it: why them, why now, why no alert, and what happened.

Everything is said under the version of the ICP file in force, and as of one time: now, or the account's own newest
event where that is a little ahead of this machine's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detectors.account_alerts import account_name
from detectors.account_state import AccountState, VariantState, present
from detectors.compiled_icp import CompiledICP
from detectors.matching import compile_node
from detectors.scoring import CompiledVariant, Score
from schemas.alerts import ActivationMissed, Alert, BlockerEnded, TriggerAlert, moment
from schemas.duration import write_duration
from schemas.icp import ScreenRule, Variant
from streams.serving.condition_words import condition_words
from streams.serving.standing import explain_decision
from streams.serving.timeline import MILESTONES, timeline
from streams.serving.views import (
    AccountView,
    AttributeView,
    BlockerView,
    Disqualification,
    EvidenceView,
    FitCheck,
    FitView,
    MilestoneView,
    PartView,
    ScreenCheck,
    TimerView,
    TriggerView,
    VariantView,
)


def account_view(
    account: str, state: AccountState, icp: CompiledICP, alerts: Sequence[Alert], now: float
) -> AccountView:
    """``alerts``: the account's newest. ``now`` in Unix seconds."""
    as_of = max(now, state.now)
    attributes = present(state)
    source = state.source or icp.acquisition.of_account(attributes, state.first_visit)
    return AccountView(
        account=account,
        name=account_name(attributes),
        as_of=moment(as_of),
        last_change=moment(state.now),
        events=state.events,
        source=source,
        source_fixed=bool(state.source),
        attributes=[
            AttributeView(name=name, value=value, at=moment(at))
            for name, (value, at) in sorted(state.attributes.items())
            if value is not None
        ],
        milestones=[
            MilestoneView(name=name, at=moment(at))
            for name, at in sorted(state.milestones.items(), key=lambda item: item[1])
        ],
        timers=[
            TimerView(what=_timer_words(name), due=moment(due))
            for name, due in sorted(state.timers.items(), key=lambda item: (item[1], item[0]))
            if not _is_moot(name, state)
        ],
        variants=[_variant_view(icp, variant, state, attributes, alerts, as_of) for variant in icp.variants],
        timeline=timeline(icp, state, attributes, alerts, as_of),
    )


def play(variant: Variant, score: Score) -> str:
    """What the ICP advises for the quadrant that the account is in."""
    if score.quadrant == "not_now":
        return "Nothing now"
    return str(getattr(variant.plays, score.quadrant))


def _variant_view(
    icp: CompiledICP,
    variant: CompiledVariant,
    state: AccountState,
    attributes: Mapping[str, Any],
    alerts: Sequence[Alert],
    now: float,
) -> VariantView:
    score = variant.score(state, attributes, now)
    standing = state.variants.get(variant.name, VariantState())
    disqualified = variant.disqualified_by(standing, attributes)
    rules = variant.written.alert
    own = [
        alert.at
        for alert in alerts
        if isinstance(alert, TriggerAlert | BlockerEnded | ActivationMissed) and alert.variant == variant.name
    ]
    return VariantView(
        variant=variant.name,
        job=variant.written.job,
        icp_version=icp.written.version,
        fit=_fit_view(variant.written, score, attributes),
        trigger=TriggerView(
            score=score.trigger,
            alert_at=rules.trigger_at_least,
            rearm_below=rules.rearm_below,
            parts=[
                PartView(
                    name=trigger.name,
                    contribution=part,
                    because=trigger.written.because,
                    fades=trigger.decay.words(),
                    evidence=[
                        EvidenceView(event_id=event_id, at=moment(at), contribution=left)
                        for event_id, at, left in trigger.evidence(cell, now)
                    ],
                )
                for trigger, part, cell in sorted(score.parts, key=lambda entry: -abs(entry[1]))
            ],
        ),
        quadrant=score.quadrant,
        play=play(variant.written, score),
        disqualified=_disqualification(variant.written, disqualified),
        blockers=[
            BlockerView(
                name=rule.name,
                until=moment(standing.blockers[rule.name]),
                active=standing.blockers[rule.name] > now,
                because=rule.because,
                then=rule.then,
            )
            for rule in variant.written.blockers
            if rule.name in standing.blockers
        ],
        decision=explain_decision(variant, standing, score, attributes, now),
        alerts=standing.episode,
        last_alert=max(own, default=None),
    )


def _fit_view(variant: Variant, score: Score, attributes: Mapping[str, Any]) -> FitView:
    held = {rule.name for rule in score.fit.rules}
    return FitView(
        score=score.fit.score,
        needed=variant.alert.fit_at_least,
        rules=[
            FitCheck(
                name=rule.name,
                condition=condition_words(rule.when.of_account),
                weight=rule.weight,
                because=rule.because,
                holds=rule.name in held,
            )
            for rule in variant.fit
        ],
        screen=[check for rule in variant.screen if (check := _screen_check(rule, attributes)) is not None],
        screened_out=score.fit.out,
    )


def _screen_check(rule: ScreenRule, attributes: Mapping[str, Any]) -> ScreenCheck | None:
    condition = rule.keep or rule.drop
    if condition is None:
        return None
    holds = compile_node(condition.of_account)(attributes)
    return ScreenCheck(
        rule="keep" if rule.keep is not None else "drop",
        condition=condition_words(condition.of_account),
        because=rule.because,
        passed=holds is (rule.keep is not None),
    )


def _disqualification(variant: Variant, name: str) -> Disqualification | None:
    if not name:
        return None
    because = next((rule.because for rule in variant.disqualifiers if rule.name == name), "")
    return Disqualification(name=name, because=because)


def _is_moot(name: str, state: AccountState) -> bool:
    """Whether it is the timer of a goal that has been reached: it will fire and say nothing."""
    kind, _, rest = name.partition(":")
    return kind == "goal" and rest.partition(":")[0] in state.milestones


def _timer_words(name: str) -> str:
    kind, _, rest = name.partition(":")
    match kind:
        case "rescore":
            return f"look at the score again ({rest})"
        case "blocker":
            variant, _, blocker = rest.partition(":")
            return f"the blocker {blocker} ends ({variant})"
        case "goal":
            milestone, _, within = rest.partition(":")
            return f"should be {MILESTONES.get(milestone, milestone).lower()} ({write_duration(float(within))} after signing up)"
        case _:
            signal, _, measure = rest.rpartition(":")
            return f"outcome for {signal} ({measure.replace('_', ' ')})"
