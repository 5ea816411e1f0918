"""python -m bench.text: how often the readers of notes and tickets are right, as the tables of docs/text.md.

Everything is counted, nothing is timed; shuffles are seeded, so the same program gives the same tables.
``--write docs/text.md`` puts them between the page's marks.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from scipy.stats import binomtest

from detectors.text import TicketClassifier, TicketTexts, hedges_in, ticket_tokens
from detectors.text.ticket_kinds import KINDS
from schemas.icp_checks import TicketKind

HERE = Path(__file__).parent
SEEDS = HERE.parents[1] / "detectors" / "text" / "seed_tickets.tsv"
HELD_OUT, BESIDE = HERE / "tickets_held_out.tsv", " | "
MARKS = ("<!-- measured by python -m bench.text -->", "<!-- end of what was measured -->")
ABOUT = ("fit", "timing", "price")
FOLDS = 6


class Ticket(NamedTuple):
    kind: TicketKind
    tokens: tuple[int, ...]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.text", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    page = parser.parse_args().write
    tables = "\n".join([*notes_table(), "", *tickets_table(), "", *kinds_table()])
    print(tables)
    if page is not None:
        before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        page.write_text(f"{before}{MARKS[0]}\n\n{tables}\n\n{MARKS[1]}{after}", encoding="utf-8")


def notes_table() -> Iterator[str]:
    yield "| notes | about | hedges | precision | recall |"
    yield "|---|---|---|---|---|"
    for name, title in (("notes_held_out", "held out"), ("notes_tuned", "made with")):
        rows = rows_of(HERE / f"{name}.tsv")
        read = [(set(label.split("+")), {hedge.about for hedge in hedges_in(note)}) for label, note in rows]
        for about in ABOUT:
            hits = sum(about in truth and about in found for truth, found in read)
            told = sum(about in found for _, found in read)
            true = sum(about in truth for truth, _ in read)
            yield f"| {title} ({len(rows)}) | {about} | {true} | {share(hits, told)} | {share(hits, true)} |"


def tickets_table() -> Iterator[str]:
    yield "| tickets | number | answered | right of the answered | right if it had to answer |"
    yield "|---|---|---|---|---|"
    held_out, before = tickets_of(HELD_OUT, BESIDE), tickets_of(HERE / "tickets_before.tsv", BESIDE)
    yield row("held out", [(TicketClassifier(), TicketTexts(), held_out)])
    halves = []
    order = shuffled(held_out)
    for learned, asked in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        halves.append((TicketClassifier(), taught(learned), asked))
    yield row("held out, after learning the other half", halves)
    yield row("written before the seeds", [(TicketClassifier(), TicketTexts(), before)])
    order = shuffled(tickets_of(SEEDS, "\t"))
    sixths = []
    for fold in range(FOLDS):
        rest = [ticket for place, ticket in enumerate(order) if place % FOLDS != fold]
        sixths.append((TicketClassifier(rest), TicketTexts(), order[fold::FOLDS]))
    yield row("seeds, each sixth from the other five", sixths)


def kinds_table() -> Iterator[str]:
    yield "| kind, held out | tickets | answered | precision | recall of the answered |"
    yield "|---|---|---|---|---|"
    classifier, state = TicketClassifier(), TicketTexts()
    read = [
        (ticket.kind, classifier.classify(state, ticket.tokens).kind)
        for ticket in tickets_of(HELD_OUT, BESIDE)
    ]
    for kind in KINDS:
        mine = [found for truth, found in read if truth == kind]
        answered = sum(found is not None for found in mine)
        hits = sum(found == kind for found in mine)
        told = sum(found == kind for _, found in read)
        yield f"| `{kind}` | {len(mine)} | {answered} | {share(hits, told)} | {share(hits, answered)} |"


def row(title: str, rounds: Iterable[tuple[TicketClassifier, TicketTexts, Sequence[Ticket]]]) -> str:
    number = answered = right = forced = 0
    for classifier, state, tickets in rounds:
        for ticket in tickets:
            guess = classifier.classify(state, ticket.tokens)
            number += 1
            answered += guess.kind is not None
            right += guess.kind == ticket.kind
            forced += guess.likeliest == ticket.kind
    shares = (share(answered, number), share(right, answered), share(forced, number))
    return f"| {title} | {number} | {' | '.join(shares)} |"


def taught(tickets: Iterable[Ticket]) -> TicketTexts:
    classifier, state = TicketClassifier(), TicketTexts()
    for ticket in tickets:
        classifier.learn(state, ticket.tokens, ticket.kind)
    return state


def shuffled(tickets: Sequence[Ticket]) -> list[Ticket]:
    return random.Random(1).sample(tickets, len(tickets))


def rows_of(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def tickets_of(path: Path, between: str) -> list[Ticket]:
    """``between`` parts subject and body."""
    found = []
    for kind, text in (line.split("\t", 1) for line in map("\t".join, rows_of(path))):
        subject, _, body = text.partition(between)
        found.append(Ticket(cast(TicketKind, kind), ticket_tokens(subject, body)))
    return found


def share(hits: int, of: int) -> str:
    """With the 95 % interval of Wilson."""
    if not of:
        return "none"
    interval = binomtest(hits, of).proportion_ci(method="wilson")
    return f"{hits / of:.2f} ({interval.low:.2f}-{interval.high:.2f})"


if __name__ == "__main__":
    main()
