"""Drift verdicts of all signals as they stand in the store. A signal that has seen nothing yet is learning."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from detectors.announcements import may_come
from detectors.catalogue import monitors
from detectors.drift import DriftStage, all_verdicts
from detectors.health.data_health import DataHealth
from detectors.health.share import WATCHES
from detectors.sequential.product_limit import product_limit
from detectors.signals.contract import Beside, Chosen, Followed, Opinion, Signal, Verdict, VerdictState
from schemas.alerts import moment
from schemas.settings import DriftSettings
from streams.serving.contract import Snapshot
from streams.serving.views import (
    AnnouncedView,
    BaselineView,
    BesideView,
    CurvesView,
    CurveView,
    DecidedView,
    MovedView,
    OpinionView,
    PointView,
    VerdictView,
    WeighedView,
)

A_SOURCE_A_YEAR = 1 / WATCHES
"""False alarms: data.health has a budget of its own, one a year for all sources."""
DIGITS = 5
"""Of a curve's shares: there are many, and none is known as well."""
MOVED: tuple[VerdictState, ...] = ("drifting", "acknowledged")


def verdict_views(
    snapshot: Snapshot, signals: Sequence[Signal], settings: DriftSettings
) -> list[VerdictView]:
    """In the order of the catalogue; of each signal ``all`` first. Raises StateRefused."""
    share = settings.false_alarms_per_year / monitors(settings)
    stage = DriftStage.configured(signals, (), settings)
    stored = snapshot.drift_states([stage.beside_key, *(signal.name for signal in signals)])
    states = {name: stage.decode_state(name, raw) for name, raw in stored.items()}
    titles = {signal.name: signal.title for signal in signals}
    views = [
        _view(titles[verdict.signal], verdict, share)
        if verdict.signal in titles
        else _view(DataHealth.title, verdict, A_SOURCE_A_YEAR)
        for verdict in all_verdicts(stage, signals, states)
    ]
    tell_what_moved_too(views)
    return views


def tell_what_moved_too(views: Sequence[VerdictView]) -> None:
    """Writes into each drift what other signals drift at the same time."""
    moved = [view for view in views if view.signal != DataHealth.name and view.state in MOVED]
    for view in moved:
        view.moved_too = [
            MovedView(signal=other.signal, segment=other.segment, state=other.state, since=other.since)
            for other in moved
            if other.signal != view.signal
        ]


def _view(title: str, verdict: Verdict, false_alarms_per_year: float) -> VerdictView:
    return VerdictView(
        signal=verdict.signal,
        title=title,
        segment=verdict.segment,
        state=verdict.state,
        at=moment(verdict.at) if verdict.at else None,
        since=None if verdict.since is None else moment(verdict.since),
        since_margin_days=verdict.since_margin_days,
        before=verdict.before,
        now=verdict.now,
        statistic=verdict.statistic,
        threshold=verdict.threshold,
        n=verdict.n,
        missing=verdict.missing,
        finding=verdict.finding,
        counted_out=verdict.counted_out,
        history=[
            PointView(at=moment(point.at), n=point.n, total=point.total, statistic=point.statistic)
            for point in verdict.history
        ],
        unit=verdict.unit,
        false_alarms_per_year=false_alarms_per_year,
        suspended=verdict.suspended,
        evidence=[
            WeighedView(account=each.account, at=moment(each.at), phrases=each.phrases)
            for each in verdict.evidence
        ],
        decisions=[
            DecidedView(
                at=moment(each.at),
                kind=each.kind,
                by=each.by,
                reason=each.reason,
                state=each.state,
                since=None if each.since is None else moment(each.since),
            )
            for each in verdict.decisions
        ],
        announcements=[
            AnnouncedView(
                at=moment(each.at),
                on=moment(each.on).date(),
                segment=each.segment,
                by=each.by,
                reason=each.reason,
                current=may_come(each, verdict.at),
            )
            for each in verdict.announcements
        ],
        second_opinion=None if verdict.second_opinion is None else _opinion(verdict.second_opinion),
        curves=UNSET if verdict.followed is None else _curves(*verdict.followed),
        beside=UNSET if verdict.beside is None else _beside(verdict.beside),
        baseline=UNSET if verdict.chosen is None else _baseline(verdict.chosen),
    )


def _curves(before: Followed, now: Followed) -> CurvesView:
    return CurvesView(before=_curve(before), now=_curve(now))


def _curve(followed: Followed) -> CurveView:
    curve = product_limit(followed.came, followed.risked)
    share, low, high = ([round(each, DIGITS) for each in row] for row in (curve.share, curve.low, curve.high))
    return CurveView(since=moment(followed.since), n=followed.risked[0], share=share, low=low, high=high)


def _beside(beside: Beside) -> BesideView:
    before, now = (each if each.n else None for each in (beside.before, beside.now))
    return BesideView(segment=beside.segment, before=before, now=now)


def _baseline(chosen: Chosen) -> BaselineView:
    learned_from, settings = (None if at is None else moment(at) for at in (chosen.begun_with, chosen.asked))
    return BaselineView(learned_from=learned_from, settings=settings)


def _opinion(opinion: Opinion) -> OpinionView:
    found_at = opinion.found_at
    return OpinionView(
        detector=opinion.detector, n=opinion.n, found_at=None if found_at is None else moment(found_at)
    )
