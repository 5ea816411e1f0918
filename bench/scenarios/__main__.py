"""The command; what it does is told in the package."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import msgspec

from bench.scenarios import __doc__ as about
from bench.scenarios.report import report
from bench.scenarios.rounds import Run, run
from detectors.catalogue import SIGNALS
from streams.simulation.scenarios import SCENARIOS

BEGIN, END = "<!-- bench.scenarios begins -->", "<!-- bench.scenarios ends -->"


def chosen(names: list[str], signals: list[str]) -> list[str]:
    """The scenarios that were asked for, in their order: by name, else those that concern one of the signals, else those
    of which at least one signal can be judged."""
    if names:
        return [name for name in SCENARIOS if name in names]
    wanted = set(signals) or set(SIGNALS)
    found = []
    for name, scenario in SCENARIOS.items():
        concerned = {*scenario.drifts, scenario.resembles} - {""}
        if scenario.ill and not concerned:
            concerned = {"data.health"}
        if concerned & wanted or (not signals and not (concerned and not scenario.ill)):
            found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="scenarios; without any, those of all signals"
    )
    parser.add_argument(
        "--signals", default="", help="only the scenarios of these signals, with commas between"
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this file")
    parser.add_argument("--runs", type=Path, help="put what each run said into this file, as JSON lines")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(SCENARIOS))
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}; plumbline simulate --help lists them")
    names = chosen(given.names, [signal for signal in given.signals.split(",") if signal])
    if not names or given.seeds < 1 or given.processes < 1:
        parser.error("nothing is asked for: give a signal that has scenarios, a seed and a process at least")
    tasks = [(name, given.first_seed + each) for name in names for each in range(given.seeds)]
    by_scenario: defaultdict[str, list[Run]] = defaultdict(list)
    # A fresh interpreter each: what one run leaves in memory is none of another's business.
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool:
        going = [pool.submit(run, *task) for task in tasks]
        for done, future in enumerate(as_completed(going), start=1):
            found = future.result()
            by_scenario[found.scenario].append(found)
            drifting = [f"{e.signal}/{e.segment} {e.day:+.0f}" for e in found.said if e.what == "drifting"]
            print(
                f"{done}/{len(tasks)} {found.scenario} seed {found.seed}: {', '.join(drifting) or 'silent'} "
                f"({found.events:,} events, {found.seconds:.1f} s)",
                file=sys.stderr,
            )
    ordered = {name: sorted(by_scenario[name], key=lambda each: each.seed) for name in names}
    if given.runs:
        with given.runs.open("wb") as out:
            for runs in ordered.values():
                for each in runs:
                    out.write(msgspec.json.encode(msgspec.structs.replace(each, told=[])) + b"\n")
    text = report(ordered)
    print(text)
    if given.write:
        _write(given.write, f"Seeds {given.first_seed} to {given.first_seed + given.seeds - 1}.\n\n{text}")


def _write(path: Path, results: str) -> None:
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    path.write_text(f"{head}{BEGIN}\n{results}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
