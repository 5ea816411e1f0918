"""How fast a replay is, against decoding the same file alone, and what it costs with more accounts.

    python -m bench.replay [--events 1000000] [--rounds 3] [--write docs/performance.md]

Each measurement is a process of its own, so that none profits from another's memory; the kinds take turns, so that a
machine that changes its speed changes it for all. What an event costs is in processor seconds of the one thread that
does the work; how fast a history is replayed is in seconds by the clock, as ``plumbline replay`` runs on this machine: with
a process on each core. The tables say medians over the rounds, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from bench.events import write
from schemas.events import Event
from schemas.settings import Settings
from streams.history import batches
from streams.icp_files import load_icps
from streams.pipeline import A_HISTORY, Pipeline, spare_the_collector
from streams.replay import processes_for, replay
from streams.stores.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[1]
ICP = ROOT / "examples" / "acme" / "icp.yaml"
SKEW = 1.1
STREAMS: dict[str, dict[str, Any]] = {
    "10 thousand accounts": {"accounts": 10_000},
    "1 million accounts": {"accounts": 1_000_000},
    "10 thousand accounts, one has half": {"accounts": 10_000, "hot_share": 0.5},
}
BEGIN, END = "<!-- bench.replay begins -->", "<!-- bench.replay ends -->"


def decode_alone(path: Path) -> dict[str, float]:
    """msgspec over the lines of the file, into the same event classes, and nothing else."""
    decoder = msgspec.json.Decoder(Event)
    began, wall = time.process_time(), time.perf_counter()
    count = 0
    with path.open("rb", buffering=1 << 22) as lines:
        for line in lines:
            decoder.decode(line)
            count += 1
    return {
        "seconds": time.process_time() - began,
        "wall_s": time.perf_counter() - wall,
        "events": count,
    }


def run_command(path: Path) -> dict[str, Any]:
    """What ``plumbline replay`` does, from its first file to its report, in as many processes as it chooses."""
    processes = processes_for([path])
    report = replay([path], load_icps([ICP]), Settings(), processes=processes)
    if not report.ledger.balanced:
        raise SystemExit("the ledger is not balanced: the measurement is worth nothing")
    return {"wall_s": report.seconds, "events": report.events, "processes": processes}


def run_plane(path: Path) -> dict[str, Any]:
    """What the drift plane costs: two replays, one with all signals and one without any, take each batch in turns, so that a
    machine that changes its speed changes it for both."""
    settings = Settings()
    seconds = {"all": 0.0, "alone": 0.0}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as open_stores:
        pipelines = {}
        for name in seconds:
            store = SqliteStore(Path(scratch) / f"{name}.db")
            open_stores.callback(store.close)
            with patch("streams.pipeline.signals", return_value=[]) if name == "alone" else nullcontext():
                pipelines[name] = Pipeline(store, load_icps([ICP]), settings, time.time)
        spare_the_collector(A_HISTORY)
        order = list(seconds)
        events = 0
        for batch, _ in batches([path], settings.batch_events):
            events += len(batch)
            for name in order:
                began = time.process_time()
                pipelines[name].process(batch)
                seconds[name] += time.process_time() - began
            order.reverse()
        if not all(each.ledger.balanced and each.ledger.received == events for each in pipelines.values()):
            raise SystemExit("the ledger is not balanced: the measurement is worth nothing")
    return {**seconds, "events": events}


def run_replay(path: Path, *, profile: bool = False) -> dict[str, Any]:
    """All of it: decode, step, commits to SQLite, alerts; as ``plumbline replay`` does, with the sample ICP."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as scratch:
        store = SqliteStore(Path(scratch) / "plumbline.db")
        pipeline = Pipeline(store, load_icps([ICP]), settings, time.time)
        spare_the_collector(A_HISTORY)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        profiler = cProfile.Profile()
        alerts = 0
        began, wall = time.process_time(), time.perf_counter()
        if profile:
            profiler.enable()
        for batch, _ in batches([path], settings.batch_events):
            alerts += sum(len(result.alerts) for result in pipeline.process(batch))
        profiler.disable()
        seconds, wall_s = time.process_time() - began, time.perf_counter() - wall
        if profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        accounts = store.account_count()
        ledger = pipeline.ledger
        store.close()
        with sqlite3.connect(Path(scratch) / "plumbline.db") as database:
            sizes = [
                size for (size,) in database.execute("SELECT length(state) FROM states_accounts ORDER BY 1")
            ]
        database.close()
        file_bytes = (Path(scratch) / "plumbline.db").stat().st_size
    if not ledger.balanced:
        raise SystemExit("the ledger is not balanced: the measurement is worth nothing")
    return {
        "seconds": seconds,
        "wall_s": wall_s,
        "events": ledger.received,
        "alerts": alerts,
        "accounts": accounts,
        "state_bytes_median": statistics.median(sizes),
        "state_bytes_mean": statistics.fmean(sizes),
        "state_bytes_highest": sizes[-1],
        "file_bytes": file_bytes,
        "memory_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024,
    }


def _in_process(kind: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.replay", "--one", kind, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{form.format(middle)} ({form.format(low)}-{form.format(high)})"


def measure(events: int, rounds: int, folder: Path) -> str:
    """The results as Markdown."""
    files = {}
    for name, shape in STREAMS.items():
        files[name] = folder / f"{len(files)}.jsonl"
        print(f"writing {name}", file=sys.stderr)
        write(events, shape["accounts"], SKEW, shape.get("hot_share", 0.0), 1, files[name])
    decoded: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    replayed: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    commands: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    planes: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    for number in range(rounds):
        for name, path in files.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            decoded[name].append(_in_process("decode", path))
            commands[name].append(_in_process("command", path))
            replayed[name].append(_in_process("replay", path))
            planes[name].append(_in_process("plane", path))

    def cost(runs: Sequence[dict[str, Any]], of: str = "seconds") -> list[float]:
        return [run[of] / run["events"] * 1e6 for run in runs]

    def speed(runs: Sequence[dict[str, Any]]) -> list[float]:
        return [run["events"] / run["wall_s"] / 1e3 for run in runs]

    first = next(iter(files))
    lines = [
        f"{events:,} events, {rounds} rounds, skew {SKEW}; {platform.processor() or platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"msgspec {msgspec.__version__}.",
        "",
        f"By the clock, thousand events a second; `plumbline replay` took {commands[first][0]['processes']} processes.",
        "",
        "| stream | decode alone (one core) | plumbline replay | replay's speed / decoding's |",
        "|---|---|---|---|",
    ]
    for name in files:
        ratios = [d["wall_s"] / c["wall_s"] for d, c in zip(decoded[name], commands[name], strict=True)]
        lines.append(
            f"| {name} | {_spread(speed(decoded[name]), '{:.0f}')} | {_spread(speed(commands[name]), '{:.0f}')}"
            f" | {_spread(ratios, '{:.3f}')} |"
        )
    lines += [
        "",
        "In one process, microseconds of processor time an event.",
        "",
        "| stream | decode alone | replay | decoding's cost / replay's | cost / cost with 10 thousand | accounts seen | alerts |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in files:
        ratios = [d / r for d, r in zip(cost(decoded[name]), cost(replayed[name]), strict=True)]
        against = [r / b for r, b in zip(cost(replayed[name]), cost(replayed[first]), strict=True)]
        last = replayed[name][-1]
        lines.append(
            f"| {name} | {_spread(cost(decoded[name]))} | {_spread(cost(replayed[name]))} | {_spread(ratios, '{:.3f}')}"
            f" | {_spread(against)} | {last['accounts']:,} | {last['alerts']:,} |"
        )
    lines += [
        "",
        "The drift plane, as a share of what the account stage costs by itself: a replay with all signals and one without, which take "
        "the batches in turns in one process.",
        "",
        "| stream | without signals | with all | the plane / the account stage |",
        "|---|---|---|---|",
    ]
    for name in files:
        runs = planes[name]
        shares = [run["all"] / run["alone"] - 1 for run in runs]
        lines.append(
            f"| {name} | {_spread(cost(runs, 'alone'))} | {_spread(cost(runs, 'all'))} | {_spread(shares)} |"
        )
    lines += [
        "",
        "| stream | state of an account: median / mean / highest | data file an account | memory |",
        "|---|---|---|---|",
    ]
    for name in files:
        last = replayed[name][-1]
        lines.append(
            f"| {name} | {last['state_bytes_median']:,.0f} / {last['state_bytes_mean']:,.0f} / "
            f"{last['state_bytes_highest']:,} bytes | {last['file_bytes'] / last['accounts']:,.0f} bytes | "
            f"{last['memory_bytes'] / 1e6:,.0f} MB |"
        )
    return "\n".join(lines)


def _write(path: Path, results: str) -> None:
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    path.write_text(f"{head}{BEGIN}\n{results}\n{END}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="put the results between the marks of this file")
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="only: where the time of one replay of FILE goes"
    )
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, path = given.one
        measured = {
            "decode": decode_alone,
            "replay": run_replay,
            "plane": run_plane,
            "command": run_command,
        }[kind]
        print(json.dumps(measured(Path(path))))
        return
    if given.profile:
        run_replay(given.profile, profile=True)
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        results = measure(given.events, given.rounds, Path(folder))
    print(results)
    if given.write:
        _write(given.write, results)


if __name__ == "__main__":
    main()
