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
from streams.serving.contract import Snapshot, Wanted
from streams.serving.drift_verdicts import verdict_views
from streams.serving.records import ledger_view
from streams.serving.sources import source_of
from streams.serving.views import LedgerView, VerdictView
from streams.settings_names import refuse_unknown_names
from streams.terminal_text import printable
from streams.web.wording import segment_words

MAX_ALERTS = 5


class DriftReading(Struct):
    """``alerts``: what was said of the one segment that was asked for, the newest first."""

    verdicts: list[VerdictView]
    alerts: list[Alert]
    ledger: LedgerView


def read_drift(settings: Settings, data_dir: Path | None) -> DriftReading:
    """All of one moment. Raises BadInput, Unreadable, StateRefused."""
    with closing(source_of(settings, data_dir)) as source, source.snapshot() as snapshot:
        return DriftReading(_verdicts(snapshot, settings), [], ledger_view(snapshot))


def read_segment(settings: Settings, data_dir: Path | None, signal: str, segment: str) -> DriftReading:
    """Its verdict alone, and what was said of it. Raises BadParameter as find_verdict does, BadInput,
    Unreadable, StateRefused."""
    with closing(source_of(settings, data_dir)) as source, source.snapshot() as snapshot:
        verdict = find_verdict(_verdicts(snapshot, settings), signal, segment)
        said = newest_alerts(snapshot, Wanted(signal=signal, segment=verdict.segment), MAX_ALERTS)
        return DriftReading([verdict], said, ledger_view(snapshot))


def find_verdict(verdicts: list[VerdictView], signal: str, segment: str) -> VerdictView:
    """Of the segment of this name, or that lists show by it. Raises BadParameter with the names that there are."""
    of_signal = [verdict for verdict in verdicts if verdict.signal == signal]
    if not of_signal:
        names = ", ".join(dict.fromkeys(verdict.signal for verdict in verdicts))
        raise click.BadParameter(f"there is no such signal; use one of {names}", param_hint="SIGNAL")
    shown = {segment_words(signal, verdict.segment): verdict for verdict in reversed(of_signal)}
    named = {verdict.segment: verdict for verdict in of_signal}
    found = named.get(segment) or shown.get(segment)
    if found is None:
        raise click.BadParameter(
            f"the signal has no such segment; use one of {printable(', '.join(named))}",
            param_hint="--segment",
        )
    return found


def _verdicts(snapshot: Snapshot, settings: Settings) -> list[VerdictView]:
    refuse_unknown_names(settings, None)
    return verdict_views(snapshot, signals(settings.drift), settings.drift)
