"""What the page of one drift signal shows: each segment with all that its verdict rests on."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from detectors.announcements import ANNOUNCED_CHANGE
from schemas.alerts import Alert, Notice
from streams.serving import Serving, Wanted
from streams.serving.views import VerdictView
from streams.web.alert_cards import Card, card
from streams.web.curves import Curves, curves_of
from streams.web.drift_evidence import EvidenceRow, evidence_rows
from streams.web.drift_rows import DriftRow, beside_name, beside_words, drift_row, in_order

ALERTS = 4
NOTICES = 50
"""so many notices are looked through for that of an announced change"""


class SegmentCard(Struct, kw_only=True):
    """``alerts``: what was said of the segment, the newest first. ``command``: how to acknowledge it in a terminal."""

    row: DriftRow
    beside: str
    beside_name: str
    curves: Curves | None
    evidence: list[EvidenceRow]
    alerts: list[Card]
    command: str


def signal_path(signal: str) -> str:
    """The signal's page."""
    return "/drift/" + quote(signal, safe="")


def segment_cards(serving: Serving, signal: str) -> list[SegmentCard]:
    """What drifts first; empty where there is no such signal."""
    verdicts = [verdict for verdict in serving.drift() if verdict.signal == signal]
    return [_card(serving, verdict) for verdict in in_order(verdicts)]


def told_of(serving: Serving, verdict: VerdictView) -> list[Alert]:
    """What was said when the drift that is on began: the alert, or the notice of an announced change."""
    about = Wanted(signal=verdict.signal, segment=verdict.segment)
    said = serving.newest_alerts(replace(about, kind="drift"), 1)
    if any(decision.kind == "announced" for decision in verdict.decisions):
        notices = serving.newest_alerts(replace(about, kind="notice"), NOTICES)
        said += [each for each in notices if isinstance(each, Notice) and each.finding == ANNOUNCED_CHANGE]
    return sorted(said, key=lambda each: each.at)[-1:]


def _card(serving: Serving, verdict: VerdictView) -> SegmentCard:
    said = serving.newest_alerts(Wanted(signal=verdict.signal, segment=verdict.segment), ALERTS)
    return SegmentCard(
        row=drift_row(verdict),
        beside=beside_words(verdict),
        beside_name=beside_name(verdict),
        curves=curves_of(verdict),
        evidence=evidence_rows(verdict),
        alerts=[card(alert) for alert in said],
        command=f'plumbline drift acknowledge {verdict.signal} --segment "{verdict.segment}" --reason "..."'
        if verdict.state == "drifting" and _plain(verdict.segment)
        else "",
    )


def _plain(segment: str) -> bool:
    """Whether a shell reads the name as it stands: who copies a command must not run what a sender has written."""
    return all(sign.isalnum() or sign in " _-.:/" for sign in segment)
