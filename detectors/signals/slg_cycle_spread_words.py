"""What slg.cycle_spread says to a person: how the spread has changed, who the slow ones are and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from msgspec import Struct

from detectors.sequential.decile_mixture import PARTS
from detectors.signals.contract import ALL
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.slg_cycle_spread_state import (
    OPEN,
    Band,
    Followed,
    UnsteadySpread,
    age,
    decile,
)
from detectors.signals.words import day, days, listed, per_hundred, per_hundred_interval, percent

RARELY_WON = 1 / 4
"""of the core's share: in a tail that is won so seldom deals are kept open before they are lost"""
FEWEST = 5
"""Deals on a side without which nothing is said of it."""
_SHAPES = {
    "wider": "The spread is wider on both sides",
    "two clusters": "There are two clusters, a fast core and a slow tail",
    "longer tail": "The tail is longer, while the others take as long as before",
}


class Side(Struct, frozen=True):
    """The core or the tail: how many deals, their median and all days that they were open, and of the closed the share won."""

    n: int
    median: float
    days: float
    won: float | None


def sides(known: Sequence[tuple[Band, Followed]], now: float) -> tuple[Side | None, Side | None]:
    """(core, tail): the tail is what is beyond the last decile of its own band's baseline; open deals up to ``now``."""
    slow = [(band, deal) for band, deal in known if decile(band, deal) == PARTS - 1]
    core = [(band, deal) for band, deal in known if decile(band, deal) < PARTS - 1]
    return _side(core, now), _side(slow, now)


def _side(deals: Sequence[tuple[Band, Followed]], now: float) -> Side | None:
    if len(deals) < FEWEST:
        return None
    ages = [age(deal, now) for _, deal in deals]
    closed = [deal for _, deal in deals if deal.days != OPEN]
    won = sum(deal.won for deal in closed) / len(closed) if len(closed) >= FEWEST else None
    return Side(len(deals), median(ages), sum(ages), won)


def drifting(case: Case) -> Words:
    monitor = case.monitor
    before, now, since = monitor.before, monitor.now, monitor.since
    core, tail = sides(monitor.known_since(since), case.at)
    return Words(
        what=(
            f"Opportunities{where(case.segment)} created since {day(since)} (±{days(monitor.since_margin_days or 1)}) take "
            f"more differently long than before, each compared with its own amount band: {per_hundred(now.estimate)} of 100 "
            f"(95 %: {per_hundred_interval(now)}) are as fast or as slow as {per_hundred(before.estimate)} were. "
            f"{_SHAPES[monitor.finding]}.{_sides(core, tail)}{_reps(case)}"
        ),
        means=_meaning(core, tail),
        check=(
            "Check first who is in the tail: the accounts named here, whether they fit the profile, and who took them in since "
            f"{day(since)}."
        ),
        wrong_if=(
            "It would be wrong if deals were closed or dated otherwise than before (a new rule when a deal is closed as lost, "
            "an import of old deals), or if amounts came to mean something else, since it is by them that deals are compared."
        ),
    )


def _meaning(core: Side | None, tail: Side | None) -> str:
    means = (
        "This is what deliberate widening looks like in a calendar: the average may hold, but two kinds of buyers are in "
        "one pipeline, those for whom it was made and those who have to be talked into it."
    )
    if core is None or tail is None or core.won is None or tail.won is None:
        return means
    if tail.won < RARELY_WON * core.won:
        means += (
            " Hardly any of the tail are won: so far deals are rather kept open for longer before they are lost, which "
            "spreads their lengths as well (slg.aged_win_rate follows what becomes of them)."
        )
    return means


def _sides(core: Side | None, tail: Side | None) -> str:
    if core is None or tail is None:
        return ""
    told = (
        f" The tail (beyond what nine in ten took before) is {tail.n} of {core.n + tail.n} deals, with a median of "
        f"{days(tail.median)} so far; the core has one of {days(core.median)}. The tail eats "
        f"{percent(tail.days / (tail.days + core.days))} of the days that deals are open."
    )
    if tail.won is not None and core.won is not None:
        told += (
            f" Of the closed, {percent(tail.won)} of the tail were won and {percent(core.won)} of the core."
        )
    return told


def _reps(case: Case) -> str:
    if case.segment != ALL:
        return ""
    drifted = sorted(name.partition(":")[2] for name, each in case.parts.items() if each.phase == "drifting")
    return f" It is sure by itself for {listed(drifted)}." if drifted and len(case.parts) > 1 else ""


def resolved(case: Case, *, retaken: bool) -> Words:
    monitor: Any = case.monitor
    if retaken:
        what = f"The baseline{where(case.segment)} is taken anew by a person's decision; the drift is closed."
        means = "What is normal is learned again; until then a drift in this segment is not found."
    else:
        since = day(case.at if monitor.since is None else monitor.since)
        now = (
            f" ({per_hundred(monitor.now.estimate)} of 100 are as fast or as slow as 20 were)"
            if monitor.now
            else ""
        )
        what = f"Opportunities{where(case.segment)} created since {since} take as long as in the baseline again{now}."
        means = "The segment is watched again against the same baseline."
    return Words(
        what=what,
        means=means,
        check="Write down what ended it: it is what to do the next time.",
        wrong_if="It would be wrong if it came back: a new alert would say so.",
    )


def unsteady(case: Case) -> Words:
    facts: UnsteadySpread = case.facts
    return Words(
        what=(
            f"While the baseline{where(case.segment)} was being learned, the spread of the cycles in the band “{facts.band}” "
            f"grew: slow deals (the ninth decile) took {facts.older:.1f} times as long as fast ones (the first), and since "
            f"about {day(facts.since)} {facts.newer:.1f} times."
        ),
        means=(
            "A stretch with two different spreads is no baseline: the older part is left out, and learning goes on with the "
            "newer. If the older one was healthy, the drift has already happened and won't be reported as such."
        ),
    )
