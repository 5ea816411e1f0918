"""What came out, as Markdown: costs and speeds of the arms, the worker's ratios to them, and which goals are reached.

Ratios are taken within a round and then ordered: lowest, median, highest. Absolute figures hold for one machine.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.stream.arms import ARMS as KINDS
from bench.stream.measuring import ACCOUNTS, ARMS, PARTITIONS, SKEW, Results, Size
from tests.services.kafka import VERSION as KAFKA

BEGIN, END = "<!-- bench.stream begins -->", "<!-- bench.stream ends -->"
WORKER = "plumbline"
GOALS = (
    ("faust-table", "worker / Faust with a table", 15.0),
    ("faust", "worker / Faust without", 6.0),
    ("bytewax", "worker / Bytewax", 1.2),
    ("quix", "worker / Quix Streams", 2.0),
    ("decode", "worker / fetch and decode alone", 0.3),
)
TWO_GOAL = 1.6
_PACKAGES = ("aiokafka", "bytewax", "confluent-kafka", "faust-streaming", "msgspec", "quixstreams", "redis")


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Median (lowest-highest)."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{form.format(middle)} ({form.format(low)}-{form.format(high)})"


def machine() -> str:
    """The machine and the versions that the figures hold for."""
    names = [
        f"Python {platform.python_version()}",
        f"Apache Kafka {KAFKA} (one broker, KRaft)",
        _redis_server(),
    ]
    for package in _PACKAGES:
        try:
            names.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{_processor()}, {os.cpu_count()} cores; {', '.join(names)}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _redis_server() -> str:
    try:
        said = subprocess.run(
            ["redis-server", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "Redis"
    return f"Redis {said.partition('v=')[2].split()[0]}"


def throughput(results: Results, size: Size) -> str:
    """The tables of the arms that were run."""
    lines = [
        f"{size.long:,} events ({size.short:,} for Faust and Quix), {ACCOUNTS:,} accounts, skew {SKEW}, {PARTITIONS} partitions, "
        f"lz4, {size.rounds} rounds; {machine()}.",
        "",
        "| arm | thousand events a second | processor time an event, us | broker's | Redis' |",
        "|---|---|---|---|---|",
    ]
    for arm in ARMS:
        runs = results.get(arm.name, [])
        if not runs:
            continue
        name = KINDS[arm.kind][1] if arm.processes == 1 else f"{arm.processes} Plumbline workers"
        cells = [
            name,
            spread([run.speed.rate / 1000 for run in runs], "{:.1f}"),
            spread([run.speed.cost for run in runs], "{:.1f}"),
            *(
                f"{statistics.median(run.services.get(program, 0.0) for run in runs):.1f}"
                for program in ("java", "redis-server")
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_goals(results)])


def _goals(results: Results) -> list[str]:
    worker = results.get(WORKER, [])
    rows: list[tuple[str, float, list[float], str]] = []
    for arm, words, goal in GOALS:
        pairs = list(zip(worker, results.get(arm, []), strict=False))
        if pairs:
            rates = [w.speed.rate / run.speed.rate for w, run in pairs]
            costs = [run.speed.cost / w.speed.cost for w, run in pairs]
            rows.append((words, goal, rates, spread(costs)))
    pairs = list(zip(results.get("plumbline-two", []), worker, strict=False))
    if pairs:
        rows.append(
            ("two workers / one", TWO_GOAL, [two.speed.rate / one.speed.rate for two, one in pairs], "")
        )
    if not rows:
        return []
    return [
        "| goal | at least | measured | reached | by processor time |",
        "|---|---|---|---|---|",
        *(
            f"| {words} | {goal} | {spread(rates)} | {'yes' if statistics.median(rates) >= goal else 'no'} | {costs} |"
            for words, goal, rates, costs in rows
        ),
    ]


def put(page: Path, results: str) -> None:
    """Puts ``results`` between the marks of the page. What else is on it stays."""
    head, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, tail = rest.split(END)
    page.write_text(f"{head}{BEGIN}\n{results}\n{END}{tail}", encoding="utf-8")
