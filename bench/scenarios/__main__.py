"""The command; what it does is told in the package."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from bench.scenarios import __doc__ as about
from bench.scenarios.report import report
from bench.scenarios.results import Name, add, commit_of, kept_in
from bench.scenarios.rounds import Run, run
from detectors.catalogue import SIGNALS
from streams.pipeline import spare_the_collector
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


def made(tasks: Sequence[Name], jobs: int) -> Iterator[Run]:
    """The runs, in the order in which they end, ``jobs`` at once."""
    began = time.monotonic()
    # Interpreters of their own: what this one has loaded is none of a run's business.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=spare_the_collector) as pool:
        going = [pool.submit(run, *task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(going), start=1):
                found = future.result()
                left = (time.monotonic() - began) / done * (len(tasks) - done)
                drifting = [
                    f"{e.signal}/{e.segment} {e.day:+.0f}" for e in found.said if e.what == "drifting"
                ]
                print(
                    f"{done}/{len(tasks)} {found.scenario} seed {found.seed}: {', '.join(drifting) or 'silent'} "
                    f"({found.events:,} events, {found.seconds:.1f} s; {left / 60:.0f} min left)",
                    file=sys.stderr,
                )
                yield found
        finally:
            pool.shutdown(cancel_futures=True)


def arguments() -> argparse.Namespace:
    """Ends the program with 2 where they can't be followed."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="scenarios; without any, those of all signals"
    )
    parser.add_argument(
        "--signals", default="", help="only the scenarios of these signals, with commas between"
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="keep each run in this file (JSON lines); runs of the same parameters that are there are not made again",
    )
    parser.add_argument("--again", action="store_true", help="make them again; the newer ones hold")
    parser.add_argument(
        "--from-results", action="store_true", help="make none: report on those that are in --results"
    )
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this file")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(SCENARIOS))
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}; plumbline simulate --help lists them")
    given.names = chosen(given.names, [signal for signal in given.signals.split(",") if signal])
    if not given.names or given.seeds < 1 or given.jobs < 1:
        parser.error("nothing is asked for: give a signal that has scenarios, a seed and a job at least")
    if (given.again or given.from_results) and not given.results:
        parser.error("--again and --from-results need --results, the file of the runs")
    if given.again and given.from_results:
        parser.error("--again makes runs and --from-results makes none: give one of them")
    return given


def main() -> None:
    given = arguments()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    # The code may change while this goes on: named is the commit at the beginning.
    commit = commit_of()
    asked = [(name, seed) for name in given.names for seed in seeds]
    kept = kept_in(given.results) if given.results else {}
    missing = [task for task in asked if given.again or task not in kept]
    if missing and given.from_results:
        print(f"{len(missing)} of {len(asked)} runs are not in {given.results}", file=sys.stderr)
    else:
        for each in made(missing, given.jobs) if missing else ():
            kept[each.scenario, each.seed] = (commit, each)
            if given.results:
                add(given.results, commit, each)
    found = [(task, *kept[task]) for task in asked if task in kept]
    if not found:
        sys.exit("none of these runs is there")
    ordered: dict[str, list[Run]] = {}
    for (name, _), _, each in found:
        ordered.setdefault(name, []).append(each)
    commits = Counter(commit for _, commit, _ in found)
    text = f"{_head(seeds, len(asked), commits)}\n\n{report(ordered)}"
    print(text)
    if given.write:
        _write(given.write, text)


def _head(seeds: range, asked: int, commits: Counter[str]) -> str:
    made = sum(commits.values())
    of = "; ".join(f"{commit} ({number} runs)" for commit, number in commits.most_common())
    text = (
        f"Seeds {seeds[0]} to {seeds[-1]}, by commit {of}. A + is a tree that was changed since that commit."
    )
    return text if made == asked else f"{text} **{asked - made} of {asked} runs are missing.**"


def _write(path: Path, results: str) -> None:
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    path.write_text(f"{head}{BEGIN}\n{results}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
