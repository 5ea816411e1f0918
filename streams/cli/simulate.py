"""plumbline simulate: the event history of a simulated company, and its truth beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from schemas.errors import BadInput, PlumblineError
from streams.cli.output_paths import refuse_outputs
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.simulation.truth import Truth

MOMENT = "2026-11-01T00:00:00Z"
"""Where a history ends unless it is asked otherwise: fixed, so that the same command gives the same file."""


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 2015 <= moment.year <= 2200:
        raise click.BadParameter(f"write a time with an offset, between 2015 and 2200, like {MOMENT}")
    return moment.astimezone(UTC).replace(microsecond=0)


@click.command()
@click.option("--scenario", required=True, type=click.Choice(sorted(SCENARIOS)), help="What is planted.")
@click.option("--accounts", default=2000, show_default=True, type=click.IntRange(1, 5_000_000))
@click.option(
    "--days", default=400, show_default=True, type=click.IntRange(1, 3650), help="Length of the history."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Same seed, same bytes.")
@click.option("--until", default=MOMENT, show_default=True, callback=_moment, help="End of the history.")
@click.option(
    "--drift-at", callback=_moment, help="When the planted changes start; default: at 60 % of the days."
)
@click.option(
    "--activity",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 100),
    help="Multiplies product use.",
)
@click.option(
    "--malformed", default=0, show_default=True, type=click.IntRange(0, 1_000_000), help="Plant bad lines."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Events, JSON lines.",
)
@click.option(
    "--truth", "truth_path", type=click.Path(dir_okay=False, path_type=Path),
    help="What was planted; default: truth.json beside the output.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    scenario: str,
    accounts: int,
    days: int,
    seed: int,
    until: datetime,
    drift_at: datetime | None,
    activity: float,
    malformed: int,
    output: Path,
    truth_path: Path | None,
    as_json: bool,
) -> None:
    """Write the event history of a simulated company, in the order of arrival."""
    beside = truth_path if truth_path is not None else output.with_name("truth.json")
    order = Order(
        scenario=SCENARIOS[scenario],
        accounts=accounts,
        days=days,
        seed=seed,
        until=until,
        activity=activity,
        malformed=malformed,
        change_at=drift_at,
    )
    _check(order, output, beside)
    console = Console(stderr=True)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        words = {"living": "accounts", "writing": "events"}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(words[stage], total=total)
            bars.update(tasks[stage], completed=done, total=total)

        try:
            truth = simulate(order, output, progress)
            beside.write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=2) + b"\n")
        except OSError as error:
            raise PlumblineError(
                f"the history can't be written: {error.strerror}",
                remedy="check that the folder is there, that it may be written and that the disk has room",
            ) from None
    if as_json:
        click.echo(msgspec.json.encode(truth))
    else:
        _show(truth, output, beside)


def _check(order: Order, output: Path, beside: Path) -> None:
    refuse_outputs({"-o": output, "--truth": beside})
    if order.change_at is None:
        return
    if not order.scenario.plants and not order.scenario.happenings:
        raise BadInput(
            f"nothing is planted in the scenario {order.scenario.name}",
            remedy="leave --drift-at out, or choose another scenario",
        )
    age_days = (order.until - order.change_at).total_seconds() / 86_400
    if not 0 < age_days <= order.days:
        raise BadInput(
            "--drift-at is not within the history",
            remedy="give a time less than --days before --until",
        )


def _show(truth: Truth, output: Path, beside: Path) -> None:
    console = Console(soft_wrap=True)
    counts = truth.accounts
    console.print(f"  {truth.scenario}: {truth.about}", highlight=False)
    console.print(
        f"  {truth.lines:,} lines · {counts['all']:,} accounts · {counts['signed_up']:,} sign-ups · "
        f"{counts['activated']:,} activated · {counts['paid']:,} paying",
        highlight=False,
    )
    table = Table(box=None, pad_edge=True)
    table.add_column("type")
    table.add_column("events", justify="right")
    for name, count in truth.events_by_type.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    console.print(
        f"  {truth.repeated:,} repeated · {truth.late:,} late · {truth.too_late:,} more than 30 days late · "
        f"{sum(truth.malformed.values()):,} malformed",
        highlight=False,
    )
    for plant in truth.plants:
        where = ", ".join(plant.segment.values()) or "all"
        console.print(
            f"  planted: {plant.lever} x {plant.factor:g} in {where} from {plant.starts}", highlight=False
        )
    for happening in truth.happenings:
        console.print(f"  happens: {happening.kind} from {happening.starts}", highlight=False)
    said = _expected(truth)
    if said:
        console.print(f"  expected: {said}", highlight=False)
    console.print(f"  {output} and {beside}", highlight=False)


def _expected(truth: Truth) -> str:
    parts = [f"{signal} drifts" for signal in truth.expected.drifts]
    if truth.expected.resembles:
        parts.append(f"{truth.expected.resembles} stays silent")
    if truth.expected.ill:
        parts.append(f"the data of {truth.expected.ill} are ill")
    return "; ".join(parts)
