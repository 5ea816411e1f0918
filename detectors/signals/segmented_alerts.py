"""From what the monitors of a signal say to alerts and notices.

Rules:
1. One drift alert an episode and segment, and one when it ends. Findings are notices: shown, never paged.
   ``unsteady baseline`` of a part is not told while the whole drifts: that alert has said it.
2. Ids follow from signal, segment, state and number, so a replay gives the same.
3. Market-wide: at least MARKET_PARTS segments of ``all`` moved the same way by ALIKE of its relative change, and they hold
   MARKET_SHARE of what was seen. Told once an episode of ``all``.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from detectors.signals.contract import ALL
from detectors.signals.evidence import phrases_of
from detectors.signals.monitor import Change, Monitor
from detectors.signals.segmented_state import Segment, SegmentedState
from detectors.signals.words import count
from schemas.alerts import DriftAlert, Interval, Notice, alert_id, moment

ALIKE = 0.5
MARKET_SHARE = 0.8
MARKET_PARTS = 3
UNSTEADY = "unsteady baseline"

Alerts = list[DriftAlert | Notice]
_NOT_KNOWN = Interval(estimate=0.0, low=0.0, high=1.0, n=0)


class Words(Struct, frozen=True, kw_only=True):
    """What is said to a person. A notice has no ``check`` and no ``wrong_if``."""

    what: str
    """what changed, since when, how sure, where"""
    means: str
    """what it usually means: silent drift, deliberate widening, elite distortion"""
    check: str = ""
    wrong_if: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """What the words about one segment may rest on. ``at``: now, Unix seconds of event time; ``parts``: the monitors of all
    segments but ``all``; ``shared``: what the signal keeps over all; ``facts``: what the monitor handed over."""

    segment: str
    at: float
    monitor: Any
    phrases: list[str]
    parts: dict[str, Any]
    shared: Any
    market_wide: bool
    facts: Any = None


class Speaker(Protocol):
    """The part of a signal that speaks."""

    name: str

    @property
    def false_alarms_per_year(self) -> float: ...

    def words_drifting(self, case: Case) -> Words: ...

    def words_resolved(self, case: Case, *, retaken: bool) -> Words: ...

    def words_noticed(self, finding: str, case: Case) -> Words: ...


def judge(speaker: Speaker, state: SegmentedState, name: str, change: Change, at: float) -> Alerts:
    """What follows from one change of segment ``name``."""
    segment = state.segments[name]
    if change.kind == "noticed":
        if change.finding == UNSTEADY and name != ALL and state.segments[ALL].drifting:
            return []  # the whole's alert has said so
        case = case_of(state, name, at, change.facts)
        return [
            notice(speaker, segment, name, change.finding, at, speaker.words_noticed(change.finding, case))
        ]
    if change.kind == "drifting" and not segment.drifting:
        segment.drifting = True
        out: Alerts = [_drifting(speaker, state, name, at)]
        whole = state.segments[ALL]
        # It may show only when the parts follow one by one, after the whole.
        if state.market_wide_episode != whole.monitor.episode and market_wide(state):
            state.market_wide_episode = whole.monitor.episode
            words = speaker.words_noticed("market-wide", case_of(state, ALL, at))
            out.append(notice(speaker, whole, ALL, "market-wide", at, words))
        return out
    if change.kind == "resolved" and segment.drifting:
        segment.drifting = False
        return [_resolved(speaker, state, name, at, retaken=False)]
    return []


def retake(speaker: Speaker, state: SegmentedState, name: str, at: float) -> Alerts:
    """Takes the baseline of segment ``name`` anew, and closes its drift if there is one."""
    segment = state.segments[name]
    out: Alerts = []
    if segment.drifting:
        out.append(_resolved(speaker, state, name, at, retaken=True))
        segment.drifting = False
    segment.monitor.relearn(at)
    segment.evidence.clear()
    return out


def notice(speaker: Speaker, segment: Segment, name: str, finding: str, at: float, words: Words) -> Notice:
    segment.notices += 1
    return Notice(
        id=alert_id("notice", speaker.name, name, finding, segment.notices),
        at=moment(at),
        signal=speaker.name,
        segment=name,
        finding=finding,
        what=words.what,
        means=words.means,
    )


def case_of(state: SegmentedState, name: str, at: float, facts: Any = None) -> Case:
    segment = state.segments[name]
    return Case(
        segment=name,
        at=at,
        monitor=segment.monitor,
        phrases=phrases_of(segment.evidence),
        parts=state.parts,
        shared=state.shared,
        market_wide=segment.drifting and market_wide(state),
        facts=facts,
    )


def market_wide(state: SegmentedState) -> bool:
    """Whether nearly all parts moved like the whole, which drifts."""
    whole = state.segments[ALL]
    if not whole.drifting:
        return False
    wanted = ALIKE * _relative_change(whole.monitor)
    seen = alike = parts = 0
    for monitor in state.parts.values():
        now = monitor.now
        if now is None or monitor.before is None:
            continue
        seen += now.n
        if wanted and _relative_change(monitor) / wanted >= 1:
            alike += now.n
            parts += 1
    return parts >= MARKET_PARTS and alike >= MARKET_SHARE * seen


def _relative_change(monitor: Monitor) -> float:
    before, now = monitor.before, monitor.now
    if before is None or now is None or before.estimate == 0:
        return 0.0
    return now.estimate / before.estimate - 1


def _drifting(speaker: Speaker, state: SegmentedState, name: str, at: float) -> DriftAlert:
    words = speaker.words_drifting(case_of(state, name, at))
    evidence = [each.account for each in state.segments[name].evidence]
    return _alert(speaker, state, name, "drifting", at, words, evidence)


def _resolved(speaker: Speaker, state: SegmentedState, name: str, at: float, *, retaken: bool) -> DriftAlert:
    words = speaker.words_resolved(case_of(state, name, at), retaken=retaken)
    return _alert(speaker, state, name, "resolved", at, words, [])


def _alert(
    speaker: Speaker,
    state: SegmentedState,
    name: str,
    status: str,
    at: float,
    words: Words,
    evidence: list[str],
) -> DriftAlert:
    monitor = state.segments[name].monitor
    return DriftAlert(
        id=alert_id("drift", speaker.name, name, status, monitor.episode),
        at=moment(at),
        signal=speaker.name,
        segment=name,
        state=status,
        since=moment(at if monitor.since is None else monitor.since),
        since_margin_days=monitor.since_margin_days or 0.0,
        before=monitor.before or _NOT_KNOWN,
        now=monitor.now or _NOT_KNOWN,
        statistic=monitor.statistic,
        threshold=monitor.threshold,
        mix_share=monitor.mix_share,
        what=words.what,
        means=words.means,
        check=words.check,
        wrong_if=words.wrong_if,
        promise=f"False-alarm promise: {count(speaker.false_alarms_per_year)} a year for all signals together.",
        evidence=evidence,
    )
