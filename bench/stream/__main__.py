"""python -m bench.stream: what `make bench-stream` runs, in an environment of its own (.venv-bench)."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.stream.latency import Plan, in_words, measure_latency
from bench.stream.measuring import ARMS, Size, fill, measure, say
from bench.stream.report import put, throughput
from bench.stream.running import ArmFailed
from bench.stream.services import running_services

LATENCY = "latency"
FULL_PLAN = Plan(busy_s=16.0, probes=400, probes_a_second=10)
QUICK_PLAN = Plan(busy_s=4.0, probes=20, probes_a_second=5)
FULL = Size(long=400_000, short=20_000, rounds=3)
QUICK = Size(long=30_000, short=3_000, rounds=1)


@click.command()
@click.option("--quick", is_flag=True, help="A few events and one round: whether it runs, not how fast.")
@click.option("--rounds", type=click.IntRange(1, 20), help=f"Instead of {FULL.rounds}.")
@click.option("--events", type=click.IntRange(10_000), help=f"Instead of {FULL.long:,} for the quick arms.")
@click.option(
    "--arms", help=f"Only these, with commas between: {', '.join(arm.name for arm in ARMS)}, latency."
)
@click.option(
    "--write",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put the results between the marks of this page, unless they are --quick.",
)
def command(
    quick: bool, rounds: int | None, events: int | None, arms: str | None, write: Path | None
) -> None:
    """Measure Plumbline's worker and its peers on one broker, with the same events and the same step."""
    size = QUICK if quick else FULL
    size = Size(long=events or size.long, short=size.short, rounds=rounds or size.rounds)
    known = [*(arm.name for arm in ARMS), LATENCY]
    wanted = arms.split(",") if arms else known
    unknown = set(wanted) - set(known)
    if unknown:
        raise click.BadParameter(f"there is no arm `{sorted(unknown)[0]}`", param_hint="--arms")
    with running_services() as services:
        fill(services, size)
        try:
            results = measure(services, size, [arm for arm in ARMS if arm.name in wanted])
            text = throughput(results, size)
            if LATENCY in wanted:
                plan = QUICK_PLAN if quick else FULL_PLAN
                text += "\n\n" + in_words(measure_latency(services, plan))
        except ArmFailed as failure:
            say(f"plumbline: {failure}")
            sys.exit(1)
    click.echo(text)
    if write is not None and not quick:
        put(write, text)


if __name__ == "__main__":
    command()
