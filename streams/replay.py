"""Replay: history through the very same processor, as fast as it goes, on a store of its own that is thrown away.

Timers fire by the watermark alone: a replay has no clock, but for refusing events from the future. What comes out is
what a live run on the same events would have said.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from detectors.signals.contract import Verdict
from schemas.alerts import Interval, TriggerAlert, decode_alert, moment
from schemas.errors import PlumblineError
from schemas.icp import ICP
from schemas.settings import Settings
from streams.dead_letters import write_rejects
from streams.pipeline import Pipeline, spare_the_collector
from streams.stores.contract import Ledger
from streams.stores.sqlite import SqliteStore

READ_BYTES = 1 << 22

Progress = Callable[[int, int], None]
"""called with (bytes read, events received) after each batch"""


class AlertCounts(Struct):
    by_kind: dict[str, int]
    by_variant: dict[str, int]
    by_trigger: dict[str, int]
    """trigger alerts by variant/trigger that added most"""


class DriftRow(Struct, kw_only=True):
    """One signal in one segment at the end of the history; ``baseline`` and ``current`` with their intervals."""

    signal: str
    segment: str
    state: str
    since: datetime | None
    since_margin_days: float | None
    baseline: Interval | None
    current: Interval | None
    statistic: float
    threshold: float
    n: int
    missing: str
    finding: str
    counted_out: dict[str, int]


class ReplayReport(Struct, kw_only=True):
    """What a replay says. ``seconds`` it took; ``last`` is the newest event's time."""

    events: int
    seconds: float
    ledger: Ledger
    dead_letters: dict[str, int]
    """by reason"""
    rejects: str | None
    accounts: int
    alerts: AlertCounts
    drift: list[DriftRow]
    last: datetime | None


def replay(
    paths: Sequence[Path],
    icps: Sequence[ICP],
    settings: Settings,
    *,
    alerts_to: Path | None = None,
    rejects_to: Path | None = None,
    progress: Progress = lambda *_: None,
) -> ReplayReport:
    """Runs the events in ``paths`` (JSONL, one after the other) through a fresh pipeline.

    ``alerts_to`` gets all alerts as JSONL in order of (time, id); ``rejects_to`` the events that could not be used,
    with their reasons. Raises PlumblineError when a file can't be read.
    """
    spare_the_collector()
    began = time.perf_counter()
    started_at = time.time()
    with tempfile.TemporaryDirectory(prefix="plumbline-replay-") as scratch:
        store = SqliteStore(Path(scratch) / "plumbline.db")
        try:
            pipeline = Pipeline(store, icps, settings, lambda: started_at)
            reasons: Counter[str] = Counter()
            read = 0
            for batch, size in batches(paths, settings.batch_events):
                results = pipeline.process(batch)
                reasons.update(letter.reason for result in results for letter in result.dead_letters)
                read += size
                progress(read, pipeline.ledger.received)
            rejects = None
            if rejects_to is not None and pipeline.ledger.dead_lettered:
                write_rejects(rejects_to, store.dead_letters())
                rejects = str(rejects_to)
            bodies = store.alerts()
            if alerts_to is not None:
                _write_lines(alerts_to, bodies)
            return ReplayReport(
                events=pipeline.ledger.received,
                seconds=time.perf_counter() - began,
                ledger=pipeline.ledger,
                dead_letters=dict(sorted(reasons.items())),
                rejects=rejects,
                accounts=store.account_count(),
                alerts=_count(bodies),
                drift=[_row(verdict) for verdict in pipeline.verdicts()],
                last=moment(pipeline.watermark) if pipeline.watermark else None,
            )
        finally:
            store.close()


def batches(paths: Sequence[Path], size: int) -> Iterator[tuple[list[tuple[int, bytes]], int]]:
    """The lines of the files as records (offset, line) in batches, with the bytes that each batch took. Empty lines
    are passed over. Raises PlumblineError when a file can't be read."""
    offset = 0
    for path in paths:
        try:
            with path.open("rb", buffering=READ_BYTES) as file:
                while lines := list(islice(file, size)):
                    taken = sum(map(len, lines))
                    if b"\n" in lines or b"\r\n" in lines:
                        lines = [line for line in lines if not line.isspace()]
                    yield list(zip(range(offset, offset + len(lines)), lines, strict=True)), taken
                    offset += len(lines)
        except OSError as error:
            raise PlumblineError(
                f"{path} can't be read: {error.strerror}", remedy="check the path and its permissions"
            ) from None


def _row(verdict: Verdict) -> DriftRow:
    return DriftRow(
        signal=verdict.signal,
        segment=verdict.segment,
        state=verdict.state,
        since=None if verdict.since is None else moment(verdict.since),
        since_margin_days=verdict.since_margin_days,
        baseline=verdict.before,
        current=verdict.now,
        statistic=verdict.statistic,
        threshold=verdict.threshold,
        n=verdict.n,
        missing=verdict.missing,
        finding=verdict.finding,
        counted_out=verdict.counted_out,
    )


def _count(bodies: Sequence[bytes]) -> AlertCounts:
    kinds: Counter[str] = Counter()
    variants: Counter[str] = Counter()
    triggers: Counter[str] = Counter()
    for body in bodies:
        alert = decode_alert(body)
        kinds[str(alert.__struct_config__.tag)] += 1
        if isinstance(alert, TriggerAlert):
            variants[alert.variant] += 1
            triggers[f"{alert.variant}/{alert.why_now[0].name}"] += 1
    return AlertCounts(
        dict(sorted(kinds.items())), dict(variants.most_common()), dict(triggers.most_common())
    )


def _write_lines(path: Path, bodies: Sequence[bytes]) -> None:
    """All or nothing: a file that is there is complete."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as out:
        for body in bodies:
            out.write(body + b"\n")
    partial.replace(path)


def report_json(report: ReplayReport) -> bytes:
    """The report as one JSON object, for machines."""
    return msgspec.json.encode(report)
