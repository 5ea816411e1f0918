"""Which accounts a verdict rests on most, as pages and the terminal show them."""

from __future__ import annotations

from msgspec import Struct

from streams.serving.views import VerdictView
from streams.web.wording import day


class EvidenceRow(Struct, frozen=True):
    account: str
    words: str


def evidence_rows(verdict: VerdictView) -> list[EvidenceRow]:
    """The strongest first."""
    return [EvidenceRow(each.account, ", ".join([day(each.at), *each.phrases])) for each in verdict.evidence]
