"""What the drift commands read: verdicts and what was said, from a service's data directory or Redis."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
from msgspec import Struct

from detectors.catalogue import signals
from schemas.alerts import Alert
from schemas.settings import Settings
from streams.serving.alert_archive import newest_alerts
from streams.serving.contract import Wanted
from streams.serving.drift_verdicts import verdict_views
from streams.serving.records import ledger_view
from streams.serving.sources import source_of
from streams.serving.views import LedgerView, VerdictView
from streams.terminal_text import printable

MAX_ALERTS = 5


class DriftReading(Struct):
    """``alerts``: what was said of the segment that was asked for, the newest first."""

    verdicts: list[VerdictView]
    alerts: list[Alert]
    ledger: LedgerView


def read_drift(settings: Settings, data_dir: Path | None, wanted: Wanted | None = None) -> DriftReading:
    """All of one moment. Raises Unreadable, StateRefused."""
    with closing(source_of(settings, data_dir)) as source, source.snapshot() as snapshot:
        return DriftReading(
            verdict_views(snapshot, signals(settings.drift), settings.drift),
            newest_alerts(snapshot, wanted, MAX_ALERTS) if wanted is not None else [],
            ledger_view(snapshot),
        )


def segment_named(written: str) -> str:
    """Lists show names with spaces, and ``all`` in words; both ways of writing are understood."""
    return "all" if written == "all accounts" else written


def find_verdict(verdicts: list[VerdictView], signal: str, segment: str) -> VerdictView:
    """Raises BadParameter with the names that there are."""
    of_signal = [verdict for verdict in verdicts if verdict.signal == signal]
    if not of_signal:
        names = ", ".join(dict.fromkeys(verdict.signal for verdict in verdicts))
        raise click.BadParameter(f"there is no such signal; use one of {names}", param_hint="SIGNAL")
    for verdict in of_signal:
        if segment in (verdict.segment, verdict.segment.replace("_", " ")):
            return verdict
    names = ", ".join(verdict.segment for verdict in of_signal)
    raise click.BadParameter(
        f"the signal has no such segment; use one of {printable(names)}", param_hint="--segment"
    )
