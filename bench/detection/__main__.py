"""python -m bench.detection: what ``make bench-detection`` runs.

    python -m bench.detection [--seed 1] [--quick | --part 0.4] [--only NAME ...] [--page docs/detection.md]

Everything is simulated with a stated seed, and every number has its 95 % interval. The tables are printed, and with --page
written between the markers of that page: all of them, or with --only the named ones, while the others stay as they are.
--quick takes a tenth of the replicates, --part another part of them; tables that count them show it.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import scipy
from river import __version__ as river_version

from bench.detection import (
    cohorts,
    conversion_gap,
    disturbed,
    early,
    installation,
    others,
    peers,
    shares,
    spread,
)

BEGINS, ENDS = "<!-- bench.detection begins -->", "<!-- bench.detection ends -->"
TABLES: dict[str, tuple[str, Callable[[int, float], str]]] = {
    "known": ("A baseline that is known: 0.2 falls to 0.1, both sides watched", shares.known),
    "estimated": (
        "A baseline that was estimated from 2,000 observations, both sides watched",
        shares.estimated,
    ),
    "peers": ("River's detectors on the same change", peers.peers),
    "cohorts": ("Cohorts: 30 sign-ups a day, 10 % falls to 5 %, median lag 14 days", cohorts.cohorts),
    "early": (
        "The early watch of plg.conversion_gap: 30 a day, one of 120 monitors, 10 % falls to 5 % or takes twice as long",
        early.held,
    ),
    "disturbed": ("Bursts, wobble and weekends: 0.2 falls to 0.1, threshold 10,000", disturbed.disturbed),
    "spread": ("Cycle spread", spread.spread),
    "others": ("The other detectors", others.others),
    "cost": ("What an update costs", peers.cost),
    "watched": ("One source as plg.conversion_gap watches it, learning included", conversion_gap.fall),
    "installation": (
        "Installations of 100 segments while nothing changes, a year each",
        installation.healthy,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of the replicates")
    parser.add_argument("--part", type=float, default=1.0, help="of the replicates (0 to 1)")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--page", type=Path, help="write the tables between the markers of this page")
    options = parser.parse_args()
    if not 0 < options.part <= 1:
        parser.error(f"--part is above 0 and at most 1, not {options.part:g}")
    scale = 0.1 if options.quick else options.part
    parts = [
        f"Seed {options.seed}{f', {scale:g} of the replicates' if scale < 1 else ''}; Python {platform.python_version()}, "
        f"numpy {numpy.__version__}, scipy {scipy.__version__}, river {river_version}."
    ]
    for name in options.only:
        title, measure = TABLES[name]
        started = time.perf_counter()
        shown = measure(options.seed, scale)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        parts.append(f"**{title}**\n\n{shown}")
        print(f"\n{title}\n\n{shown}", flush=True)
    if options.page is not None:
        _write(options.page, parts[0], parts[1:], all_of_them=options.only == list(TABLES))


def _write(page: Path, head: str, tables: list[str], *, all_of_them: bool) -> None:
    text = page.read_text(encoding="utf-8")
    if BEGINS not in text or ENDS not in text:
        raise SystemExit(
            f"{page} has no place for the results: put {BEGINS} and {ENDS} into it, each on its own line"
        )
    before, rest = text.split(BEGINS, 1)
    written, after = rest.split(ENDS, 1)
    old_head, *old = written.strip().split("\n\n**")
    if old and not all_of_them:
        head = old_head
    found = {_title(table): table for table in [*old, *tables]}
    titles = [title for title, _ in TABLES.values()]
    kept = [found[title] for title in titles if title in found]
    body = "\n\n".join([head, *(table if table.startswith("**") else f"**{table}" for table in kept)])
    page.write_text(f"{before}{BEGINS}\n{body}\n{ENDS}{after}", encoding="utf-8")


def _title(table: str) -> str:
    return table.removeprefix("**").split("**", 1)[0]


if __name__ == "__main__":
    main()
