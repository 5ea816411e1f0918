"""Which accounts a verdict rests on most, as pages and the terminal show them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from schemas.alerts import Alert, DriftAlert
from streams.serving.views import VerdictView
from streams.web.wording import day


class EvidenceRow(Struct, frozen=True):
    account: str
    words: str


def evidence_rows(verdict: VerdictView, alerts: Iterable[Alert]) -> list[EvidenceRow]:
    """The strongest first. A signal that does not weigh its observations has named accounts in the alert of the drift that is
    on; ``alerts``: of the segment, the newest first."""
    if verdict.evidence:
        return [
            EvidenceRow(each.account, ", ".join([day(each.at), *each.phrases])) for each in verdict.evidence
        ]
    if verdict.state not in ("drifting", "acknowledged"):
        return []
    for alert in alerts:
        if isinstance(alert, DriftAlert) and alert.state == "drifting":
            return [
                EvidenceRow(account, f"named by the alert of {day(alert.at)}") for account in alert.evidence
            ]
    return []
