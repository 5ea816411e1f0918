"""What plg.ticket_comprehension says to a person."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.signals.contract import ALL
from detectors.signals.plg_ticket_comprehension_state import FORM_OF, FORM_SAME, Shared
from detectors.signals.plg_ticket_comprehension_taxonomy import BASIC, since
from detectors.signals.rate_state import Mix
from detectors.signals.rate_words import change_of_share, heard, mix_or_rate, moved_most
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.words import count, day, listed, per_hundred
from detectors.text.ticket_kinds import KINDS

SHARE_OF = "the share of tickets that ask for the basics"
_NAMES = tuple(kind.replace("_", " ") for kind in KINDS)


def words_drifting(case: Case) -> Words:
    own = case.segment != ALL
    sources = [] if own else moved_most(case, "source")
    who = f" It moved most with {listed(sources)}." if sources else ""
    began = day(case.monitor.since)
    return Words(
        what=(
            change_of_share(case, "tickets", "ask for the basics")
            + mix_or_rate(case, "tenures", "ask for the basics")
            + who
            + ("" if own else _taxonomy(case))
            + heard(case.phrases)
        ),
        means=(
            "This is what silent drift looks like: accounts come in that do not know what the product is for. They sign up, "
            "even activate, and ask what it is; paid conversion follows a quarter later."
        ),
        check=(
            f"Read the tickets behind the evidence, and look at what changed around {began}: a campaign and what it promises, "
            "the first screens of the product, its documentation."
        ),
        wrong_if=(
            "It would be wrong if there were no more basic questions than before but less of everything else, if the help "
            "desk sorts tickets otherwise since then, or if plg.conversion_gap and plg.adoption_breadth hold."
        ),
    )


def words_mix(case: Case) -> Words:
    facts: Mix = case.facts
    before = f" from {per_hundred(case.monitor.before.estimate)}" if case.monitor.before is not None else ""
    return Words(
        what=(
            f"Since about {day(facts.since)} {SHARE_OF}{where(case.segment)} has moved{before} to "
            f"{per_hundred(facts.now.estimate)} of 100, and it is mix: other tenures than before, or more tickets whose kind "
            "only their text tells; each as always."
        ),
        means=(
            "Newcomers always ask for the basics. Look at whether you want that many of them, and whether the help desk still "
            "fills in its categories."
        ),
    )


def words_other_kinds(case: Case, began: float) -> Words:
    shared: Shared = case.shared
    before, now = list(shared.taxonomy.before), since(shared.taxonomy, began)
    before[BASIC] = now[BASIC] = 0
    return Words(
        what=(
            f"Since about {day(began)} the tickets that don't ask for the basics are of other kinds than in the baseline. Of 100 "
            f"of them: {_moves(before, now, [kind for kind in range(len(KINDS)) if kind != BASIC])}."
        ),
        means=(
            "This is no drift. But where other kinds become rarer, the share of basic questions rises by itself: compare "
            "numbers before shares."
        ),
    )


def words_form(written: int) -> Words:
    return Words(
        what=(
            f"{FORM_SAME} of the last {FORM_OF} tickets with a category are “{_NAMES[written]}”, and their texts say otherwise."
        ),
        means=(
            "The help desk's form seems to write the category, not the person. It is a matter of data health: until tickets have "
            "several kinds again, the text decides."
        ),
    )


def _taxonomy(case: Case) -> str:
    """The whole taxonomy before and now, and whether the rest of it has shifted, with a space before it."""
    shared: Shared = case.shared
    before, now = shared.taxonomy.before, since(shared.taxonomy, case.monitor.since)
    if not sum(before) or not sum(now):
        return ""
    rest = count(len(KINDS) - 1)
    shifted = (
        f"the other {rest} have shifted among themselves as well"
        if shared.taxonomy.told
        else f"whether the other {rest} have shifted among themselves is not sure"
    )
    return f" Kinds of 100 tickets: {_moves(before, now, range(len(KINDS)))}; {shifted}."


def _moves(before: Sequence[int], now: Sequence[int], kinds: Sequence[int]) -> str:
    """``bug 20.0 to 12.1, billing ...``"""
    a, b = sum(before), sum(now)
    shown = [
        f"{_NAMES[kind]} {per_hundred(before[kind] / a)} to {per_hundred(now[kind] / b)}" for kind in kinds
    ]
    return ", ".join(shown)
