"""Replay: history through the very same processor, as fast as it goes, on a store of its own that is thrown away.

Timers fire by the watermark alone: a replay has no clock, but for refusing events from the future. What comes out is
what a live run on the same events would have said.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from heapq import merge
from pathlib import Path

import msgspec
from msgspec import Struct

from detectors.signals.contract import Quantity, Verdict, VerdictState
from schemas.alerts import Interval, TriggerAlert, decode_alert, moment
from schemas.icp import ICP
from schemas.settings import Settings
from streams.dead_letters import write_rejects
from streams.history import Progress, batches
from streams.pipeline import A_HISTORY, Pipeline, spare_the_collector
from streams.replay_shards import NotShared, replay_shared
from streams.stores.contract import Ledger
from streams.stores.sqlite import SqliteStore

WORTH_SHARING = 20_000_000
"""Bytes of history from which on several processes are quicker than one; each takes a moment to start."""
MOST_PROCESSES = 8


class AlertCounts(Struct):
    by_kind: dict[str, int]
    by_variant: dict[str, int]
    by_trigger: dict[str, int]
    """trigger alerts by variant/trigger that added most"""


class DriftRow(Struct, kw_only=True):
    """One signal in one segment at the end of the history; ``baseline`` and ``current`` with their intervals."""

    signal: str
    segment: str
    state: VerdictState
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
    unit: Quantity
    suspended: str = ""
    """which source is ill, while ``state`` says so"""


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
    processes: int = 1,
    alerts_to: Path | None = None,
    rejects_to: Path | None = None,
    progress: Progress = lambda *_: None,
) -> ReplayReport:
    """Runs the events in ``paths`` (JSONL, one after the other) through a fresh pipeline, in so many processes.

    ``alerts_to`` gets all alerts as JSONL in order of (time, id); ``rejects_to`` the events that could not be used,
    with their reasons; there is no such file when there are none. Raises PlumblineError when a file can't be read.
    """
    spare_the_collector(A_HISTORY)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="plumbline-replay-") as scratch, ExitStack() as open_stores:

        def opened(path: Path) -> SqliteStore:
            return open_stores.enter_context(closing(SqliteStore(path)))

        now = time.time()
        done: _Done | None = None
        if processes > 1:
            with suppress(NotShared):
                done = _in_shards(paths, icps, settings, processes, now, Path(scratch), opened, progress)
        if done is None:
            done = _alone(paths, icps, settings, now, Path(scratch), opened, progress)
        rejects = None
        if rejects_to is not None and done.ledger.dead_lettered:
            letters = merge(
                *(store.dead_letters() for store in done.stores), key=lambda letter: letter.offset
            )
            write_rejects(rejects_to, letters)
            rejects = str(rejects_to)
        elif rejects_to is not None:
            rejects_to.unlink(missing_ok=True)  # that of an earlier replay: its events have been mended
        bodies = [body for _, _, body in merge(*(store.alerts_in_order() for store in done.stores))]
        if alerts_to is not None:
            _write_lines(alerts_to, bodies)
        return ReplayReport(
            events=done.ledger.received,
            seconds=time.perf_counter() - began,
            ledger=done.ledger,
            dead_letters=dict(sorted(done.reasons.items())),
            rejects=rejects,
            accounts=done.accounts,
            alerts=_count(bodies),
            drift=[_row(verdict) for verdict in done.verdicts],
            last=moment(done.watermark) if done.watermark else None,
        )


def processes_for(paths: Sequence[Path]) -> int:
    """In how many processes a history is best replayed here."""
    if sum(path.stat().st_size for path in paths) < WORTH_SHARING:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


class _Done(Struct):
    """What a replay found, and the open stores that hold its alerts and dead letters."""

    ledger: Ledger
    watermark: float
    accounts: int
    reasons: dict[str, int]
    verdicts: list[Verdict]
    stores: list[SqliteStore]


def _alone(
    paths: Sequence[Path],
    icps: Sequence[ICP],
    settings: Settings,
    now: float,
    scratch: Path,
    opened: Callable[[Path], SqliteStore],
    progress: Progress,
) -> _Done:
    store = opened(scratch / "plumbline.db")
    pipeline = Pipeline(store, icps, settings, lambda: now)
    reasons: Counter[str] = Counter()
    read = 0
    for batch, size in batches(paths, settings.batch_events):
        results = pipeline.process(batch)
        reasons.update(letter.reason for result in results for letter in result.dead_letters)
        read += size
        progress(read, pipeline.ledger.received)
    return _Done(
        pipeline.ledger,
        pipeline.watermark,
        store.account_count(),
        dict(reasons),
        pipeline.verdicts(),
        [store],
    )


def _in_shards(
    paths: Sequence[Path],
    icps: Sequence[ICP],
    settings: Settings,
    processes: int,
    now: float,
    scratch: Path,
    opened: Callable[[Path], SqliteStore],
    progress: Progress,
) -> _Done:
    """Raises NotShared."""
    store = opened(scratch / "drift.db")
    drift = Pipeline(store, icps, settings, None)
    shared = replay_shared(
        paths,
        icps,
        settings,
        processes=processes,
        now=now,
        folder=scratch,
        observe=drift.observe,
        progress=progress,
    )
    stores = [store, *(opened(path) for path in shared.stores)]
    return _Done(shared.ledger, shared.watermark, shared.accounts, shared.reasons, drift.verdicts(), stores)


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
        unit=verdict.unit,
        suspended=verdict.suspended,
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
