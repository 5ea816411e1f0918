"""A benchmark stream: as many events as asked, over as many accounts, skewed as in life, in order of time over 30 days.

Accounts are drawn by Zipf's law: the k-th has a share proportional to k ** -skew; which account is the k-th is shuffled.
Events have the simulation's lines (streams/simulation), so their sizes are its; the mix is MIX. No milestone is made
twice on purpose and nothing is late or repeated: a benchmark measures the path that most events take.

    python -m bench.events --events 1000000 --accounts 10000 --skew 1.1 --seed 1 -o events.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from rich.console import Console
from rich.progress import track

from schemas.events import StageChangedData, SupportTicketData, encode_event
from streams.simulation import texts, wire
from streams.simulation.account import Account
from streams.simulation.calendar import DAY_S, NEVER, Calendar
from streams.simulation.companies import describe
from streams.simulation.deals import STAGES
from streams.simulation.usage import ACTIONS, FEATURES
from streams.simulation.visits import BEFORE, BESIDE, BUYING

MIX = {"product": 0.70, "visit": 0.20, "profile": 0.04, "ticket": 0.03, "stage": 0.03}
DAYS = 30
END = 1_793_491_200  # 2026-11-01T00:00:00Z
CHUNK = 50_000
COMPANIES = 2_000
"""distinct sets of attributes that the accounts share"""
PEOPLE = 6
SLOTS = 1000
_MILESTONES: tuple[tuple[str, str | None, float], ...] = (
    ("user_invited", None, 0.01),
    ("signed_up", None, 0.004),
    ("first_report_shared", "reports", 0.003),
)
_VISITS = tuple(
    (path, share / len(paths))
    for paths, share in ((BESIDE, 0.80), (BEFORE, 0.15), (BUYING, 0.05))
    for path in paths
)


@click.command()
@click.option("--events", default=1_000_000, show_default=True, type=click.IntRange(1))
@click.option("--accounts", default=10_000, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option("--skew", default=1.1, show_default=True, type=click.FloatRange(0, 5), help="Zipf's exponent.")
@click.option(
    "--hot-share", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of one account."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def command(events: int, accounts: int, skew: float, hot_share: float, seed: int, output: Path) -> None:
    """Write a benchmark stream; prints what it holds as JSON."""
    try:
        shape = write(events, accounts, skew, hot_share, seed, output)
    except OSError as error:
        raise click.FileError(str(output), hint=error.strerror) from None
    click.echo(json.dumps(shape))


def write(
    events: int, accounts: int, skew: float, hot_share: float, seed: int, output: Path
) -> dict[str, Any]:
    """Writes the stream and returns its shape: events by kind, accounts that occur, shares of the busiest."""
    draw = Generator(PCG64(SeedSequence(seed)))
    calendar = Calendar(END, DAYS)
    weights = np.arange(1, accounts + 1, dtype=np.float64) ** -skew
    if hot_share:
        # The hot account is the first, and has this share of all events; the others share the rest by the law.
        weights[0] = 0.0 if accounts > 1 else 1.0
    bounds = np.cumsum(weights)
    shuffled = draw.permutation(accounts)
    makers = {kind: maker(calendar) for kind, maker in _MAKERS.items()}
    kinds = list(MIX)
    seen = np.zeros(accounts, dtype=np.int64)
    counts = dict.fromkeys(kinds, 0)
    console = Console(stderr=True)
    with output.open("wb") as out:
        for first in track(
            range(0, events, CHUNK),
            "  writing",
            console=console,
            disable=not console.is_terminal,
            transient=True,
        ):
            n = min(CHUNK, events - first)
            rank = np.searchsorted(bounds[:-1], draw.random(n) * bounds[-1], side="right")
            rank[draw.random(n) < hot_share] = 0
            account = shuffled[rank]
            seen += np.bincount(account, minlength=accounts)
            kind = draw.choice(len(kinds), size=n, p=list(MIX.values()))
            second = calendar.start + (np.arange(first, first + n) * (DAYS * DAY_S) // events)
            luck = draw.random((2, n))
            lines = [
                makers[kinds[k]](number, a, s, u, v)
                for number, (k, a, s, u, v) in enumerate(
                    zip(
                        kind.tolist(), account.tolist(), second.tolist(), luck[0].tolist(), luck[1].tolist(),
                        strict=True,
                    ),
                    start=first,
                )
            ]  # fmt: skip
            out.write("\n".join(lines).encode())
            out.write(b"\n")
            for place, name in enumerate(kinds):
                counts[name] += int(np.count_nonzero(kind == place))
    busiest = np.sort(seen)[::-1]
    return {
        "events": events,
        "accounts": accounts,
        "accounts_that_occur": int(np.count_nonzero(seen)),
        "skew": skew,
        "hot_share": hot_share,
        "share_of_the_busiest": float(busiest[0] / events),
        "share_of_top_1_percent": float(busiest[: max(1, accounts // 100)].sum() / events),
        "share_of_top_10_percent": float(busiest[: max(1, accounts // 10)].sum() / events),
        "bytes": output.stat().st_size,
        "by_kind": counts,
    }


Weighted = TypeVar("Weighted", bound=tuple[Any, ...])
Maker = Callable[[int, int, int, float, float], str]
"""event number, account, second, two uniforms -> line"""


def _slots(weighted: Sequence[Weighted]) -> list[Weighted]:
    """A table for drawing by one index; the weight is each one's last part."""
    bounds = np.cumsum([each[-1] for each in weighted])
    return [
        weighted[int(np.searchsorted(bounds, (slot + 0.5) / SLOTS * bounds[-1]))] for slot in range(SLOTS)
    ]


def _product(calendar: Calendar) -> Maker:
    table = _slots((*ACTIONS, *_MILESTONES))

    def make(number: int, account: int, second: int, u: float, v: float) -> str:
        name, feature, _ = table[int(u * SLOTS)]
        before, after = wire.product_frame(f"acct-{account:06d}")
        data = wire.product_data(name, f"user-{account:06d}-{int(v * v * PEOPLE)}", feature)
        return f"{data}{before}{number}{after}{calendar.written(second)}{wire.END}"

    return make


def _visit(calendar: Calendar) -> Maker:
    table = _slots(_VISITS)

    def make(number: int, account: int, second: int, u: float, v: float) -> str:
        path, _ = table[int(u * SLOTS)]
        before, after = wire.visit_frame(f"acct-{account:06d}")
        user = int(v * v * PEOPLE)
        data = wire.visit_data(f"v-{account:06d}-{user}", path, f"user-{account:06d}-{user}")
        return f"{data}{before}{number}{after}{calendar.written(second)}{wire.END}"

    return make


def _profile(calendar: Calendar) -> Maker:
    companies = []
    for place in range(COMPANIES):
        draw = Generator(PCG64(SeedSequence(0, spawn_key=(place,))))
        fit = int(np.searchsorted((0.66, 0.90), draw.random(), side="right"))
        employees = int((14, 45, 240)[fit] * np.exp(0.9 * draw.standard_normal())) + 1
        companies.append((employees, describe(_somebody(place, fit, employees), draw)))

    def make(number: int, account: int, second: int, u: float, v: float) -> str:
        employees, company = companies[account % COMPANIES]
        attributes: dict[str, Any]
        if u < 0.3:
            attributes = {"industry": company.industry, "employees": employees}
        elif u < 0.6:
            attributes = {"technologies": company.technologies, "sales_reps": company.sales_reps}
        elif u < 0.8:
            attributes = {"compliance": company.compliance, "deployment": company.deployment}
        else:
            attributes = {"contacts": company.contacts, "seats": 1 + int(v * 30)}
        subject = f"acct-{account:06d}"
        return encode_event(wire.profile(subject, number, second, wire.ENRICHMENT, attributes)).decode()

    return make


def _somebody(number: int, fit: int, employees: int) -> Account:
    return Account(
        number=number, source=0, fit=fit, employees=employees, band=1, elite=False, sales_led=False, installed=False, lead_at=0,
        signed_up=0, activated=NEVER, onboarded=NEVER, paid=NEVER, churned=NEVER, opened=NEVER, closed=NEVER,
    )  # fmt: skip


def _ticket(calendar: Calendar) -> Maker:
    kinds = [(kind, *written) for kind, known in texts.TICKETS.items() for written in known]

    def make(number: int, account: int, second: int, u: float, v: float) -> str:
        kind, subject, body = kinds[int(u * len(kinds))]
        feature = FEATURES[int(v * len(FEATURES))]
        data = SupportTicketData(
            ticket_id=f"{account:06d}-{number}",
            subject=subject.format(feature=feature),
            body=body.format(feature=feature) if v < 0.55 else None,
            category=texts.CATEGORIES[kind][0],
            status="open" if v < 0.55 else "solved",
        )
        return encode_event(wire.ticket(f"acct-{account:06d}", number, second, data)).decode()

    return make


def _stage(calendar: Calendar) -> Maker:
    def make(number: int, account: int, second: int, u: float, v: float) -> str:
        step = int(u * (len(STAGES) + 1))
        won = v < 0.25
        over = step == len(STAGES)
        data = StageChangedData(
            opportunity_id=f"opp-{account:06d}-{int(v * 3)}",
            from_stage=STAGES[step - 1] if step else None,
            to_stage=("won" if won else "lost") if over else STAGES[step],
            outcome=("won" if won else "lost") if over else None,
            amount=1000.0 * (1 + account % 90),
            currency="EUR",
            owner_id=f"rep-{account % 8:02d}",
            opened_at=wire.utc(second - 20 * DAY_S),
            note=None if over else texts.NOTES[int(v * len(texts.NOTES))],
        )
        return encode_event(wire.stage(f"acct-{account:06d}", number, second, data)).decode()

    return make


_MAKERS: dict[str, Callable[[Calendar], Maker]] = {
    "product": _product,
    "visit": _visit,
    "profile": _profile,
    "ticket": _ticket,
    "stage": _stage,
}


if __name__ == "__main__":
    command()
