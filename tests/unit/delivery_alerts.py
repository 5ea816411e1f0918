"""Alerts that the tests of delivery send and print; nothing in them is real."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.alerts import (
    ActivationMissed,
    ActiveBlocker,
    BlockerEnded,
    DataHealthAlert,
    DriftAlert,
    Evidence,
    ExpectedObjection,
    FitReason,
    Interval,
    Notice,
    Part,
    Reach,
    TriggerAlert,
    TriggerReason,
    alert_id,
)

AT = datetime(2026, 11, 4, 9, 30, tzinfo=UTC)


def trigger(number: int = 1, *, at: datetime = AT, **changes: object) -> TriggerAlert:
    """A trigger alert; ``number`` makes its id."""
    fields: dict[str, object] = {
        "id": alert_id("trigger", number),
        "at": at,
        "account": "northwind-traders",
        "account_name": "Northwind Traders",
        "variant": "analytics-engineering",
        "icp_version": "2026-11-01",
        "fit": 80.0,
        "trigger": 61.25,
        "threshold": 40.0,
        "quadrant": "route",
        "why_them": [
            FitReason(name="has-warehouse", weight=40, because="Closes at twice the base rate"),
            FitReason(name="sales-team", weight=25, because="Reps ask for the numbers every day"),
            FitReason(name="compliance", weight=15, because="An audit trail gets us through procurement"),
        ],
        "why_now": [
            TriggerReason(
                name="pricing-interest",
                contribution=38.25,
                because="Looked at pricing more than once in a week",
                fades="by half in 7 days",
                evidence=[
                    Evidence(event_id="e3", at=at, contribution=25.0),
                    Evidence(event_id="e2", at=at - timedelta(days=1, hours=2), contribution=13.25),
                ],
            ),
            TriggerReason(
                name="team-grows",
                contribution=23.0,
                because="Three colleagues in the first week expand four times as often",
                fades="by half in 14 days",
                evidence=[],
            ),
        ],
        "parts": [
            Part(name="pricing-interest", contribution=38.25),
            Part(name="team-grows", contribution=23.0),
        ],
        "expect": [
            ExpectedObjection(
                says="Where does our data live?",
                answer="EU or US region of your choice, certificate attached",
            )
        ],
        "reach": [
            Reach(role="owns the budget", titles=["VP Data", "CFO"], known=[]),
            Reach(role="feels the pain", titles=["Analytics engineer", "BI lead"], known=["BI lead"]),
        ],
        "blockers": [],
        "next": "Call today; open with the trigger",
    }
    return TriggerAlert(**(fields | changes))  # type: ignore[arg-type]


def blocked() -> ActiveBlocker:
    return ActiveBlocker(
        name="treasury-centralised",
        until=AT + timedelta(days=80),
        because="New treasury systems take three to six months to settle",
    )


def drift(**changes: object) -> DriftAlert:
    fields: dict[str, object] = {
        "id": alert_id("drift", 1),
        "at": AT,
        "signal": "plg.conversion_gap",
        "segment": "source:content",
        "state": "drifting",
        "since": datetime(2026, 8, 2, tzinfo=UTC),
        "since_margin_days": 6.0,
        "before": Interval(estimate=0.178, low=0.162, high=0.195, n=2104),
        "now": Interval(estimate=0.091, low=0.074, high=0.11, n=1033),
        "statistic": 512.0,
        "threshold": 400.0,
        "mix_share": 0.66,
        "what": "Of 100 accounts that activate, 9.1 now become paying (95 %: 7.4-11.0); until early August it was 17.8 (16.2-19.5).",
        "means": "This is what silent drift looks like: the product attracts the curious, who match the profile but not the need.",
        "check": "Check first what content drew them since 2 August, and their tickets.",
        "wrong_if": "It would be wrong if conversion were only slower: 60-day cohorts will tell by 14 October.",
        "promise": "False-alarm promise: one a year for all signals together.",
        "evidence": [],
    }
    return DriftAlert(**(fields | changes))  # type: ignore[arg-type]


def blocker_ended() -> BlockerEnded:
    return BlockerEnded(
        id=alert_id("blocker_ended", 1),
        at=AT,
        account="northwind-traders",
        account_name="Northwind Traders",
        variant="analytics-engineering",
        icp_version="2026-11-01",
        blocker="treasury-centralised",
        because="New treasury systems take three to six months to settle",
        fit=80.0,
        trigger=12.0,
        quadrant="nurture",
        next="Ask how the new systems settle in, and who owns the reports now",
    )


def activation_missed() -> ActivationMissed:
    return ActivationMissed(
        id=alert_id("activation_missed", 1),
        at=AT,
        account="northwind-traders",
        account_name="Northwind Traders",
        variant="analytics-engineering",
        icp_version="2026-11-01",
        milestone="activated",
        signed_up=AT - timedelta(days=30),
        within="30d",
        fit=80.0,
        next="Ask what they wanted to see first",
    )


def notice() -> Notice:
    return Notice(
        id=alert_id("notice", 1),
        at=AT,
        signal="plg.conversion_gap",
        segment="all",
        finding="whole funnel",
        what="Activation fell together with paying: 41 of 100 activate, it was 55.",
        means="This is not silent drift: something in the funnel as a whole has changed.",
    )


def data_health(**changes: object) -> DataHealthAlert:
    fields: dict[str, object] = {
        "id": alert_id("data_health", 1),
        "at": AT,
        "signal": "data.health",
        "state": "ill",
        "source": "/crm",
        "type": "crm.stage_changed",
        "symptom": "field emptied",
        "field": "note",
        "since": datetime(2026, 11, 4, 9, tzinfo=UTC),
        "suspends": ["slg.hedged_language"],
        "what": "/crm (crm.stage_changed) no longer fills note: 0 % of events since 4 November 2026, 41 % before.",
        "means": "What signals read there is missing, not changed. Those that need it are suspended.",
        "check": "Check first what changed at the sender about 4 November 2026: a mapping, a form, a release of the tracker, "
        "a privacy rule. It stays ill until that is mended. If it is meant to be so, say it: plumbline drift acknowledge "
        "data.health with --segment and --retake-baseline.",
        "promise": "False-alarm promise: at most one a year for all sources together.",
    }
    return DataHealthAlert(**(fields | changes))  # type: ignore[arg-type]
