"""How soon a change of lifetimes could have been found: the Shiryaev-Roberts procedure that knows all, told bit by bit.

For signals that follow what begins and ends (opportunities). What ends soon is known soon; so the lengths of what has ended by
some day are shorter than lengths are, and a likelihood of lengths would take every young cohort for a fast one. Here each
lifetime is told as time passes, by twentieths of the baseline's lengths within its stratum, at the age at which one is
over: it has ended in this one, or it is beyond. The likelihood ratio of each such part is that of the hazards before and after, so nothing depends on how old a
cohort is, and the parts of a lifetime multiply to the likelihood ratio of the whole (the same decomposition as in
detectors/sequential/decile_mixture.py). Otherwise as optimum.py: it knows when the change begins and both hazards, counted
over all seeds, and has the threshold of one monitor.

A ``Question`` says which ends count. The others take a lifetime out of the risk; with ``stays`` they don't (the
subdistribution hazard, Fine and Gray 1999), as the signal counts. ``aged``: only what is older than the stratum's median.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from bench.scenarios.rounds import Run
from detectors.sequential.contract import threshold
from schemas.settings import DriftSettings

PARTS = 20
FEWEST = 20
"""Lifetimes at risk on either side without which a part says nothing, and ends of a stratum without which it has no parts."""


class Question(Struct, frozen=True, kw_only=True):
    ends: tuple[str, ...]
    stays: bool = False
    aged: bool = False


QUESTIONS: dict[str, tuple[Question, ...]] = {
    "slg.cycle_spread": (Question(ends=("won", "lost")),),
    "slg.aged_win_rate": (
        Question(ends=("won",), stays=True, aged=True),
        Question(ends=("lost",), aged=True),
    ),
}
"""signal -> what it asks for together; its lifetimes begin with ``opened`` and end as ``won`` or ``lost``"""


class Lifetime(Struct):
    """Days from the change; ``length`` is infinite and ``end`` empty while it goes on."""

    began: float
    stratum: str
    length: float = math.inf
    end: str = ""


class Step(Struct, frozen=True):
    """At ``day`` it is known of a lifetime that it has ``ended`` in a part, or not."""

    day: float
    part: int
    ended: bool


def delays(signal: str, runs: Sequence[Run], budget: DriftSettings, monitors: int) -> list[float]:
    """Days from the change to the alarm, by run; infinite where there was none. Where a signal asks for two things together,
    the later of both."""
    by_question = [_delays(signal, question, runs, budget, monitors) for question in QUESTIONS[signal]]
    return [max(each) for each in zip(*by_question, strict=True)]


def _delays(
    signal: str, question: Question, runs: Sequence[Run], budget: DriftSettings, monitors: int
) -> list[float]:
    lives = [list(_lifetimes(signal, run)) for run in runs]
    until = [max((each.day for each in run.told), default=0.0) for run in runs]
    bounds = _bounds([each for run in lives for each in run], aged=question.aged)
    steps = [
        [
            (life, list(_steps(life, bounds[life.stratum], question, end)))
            for life in run
            if life.stratum in bounds
        ]
        for run, end in zip(lives, until, strict=True)
    ]
    ramp = max(run.ramp_days for run in runs)
    ratios = _ratios([each for run in steps for each in run], ramp)
    began = [life.began for run in steps for life, told in run if told and life.began < 0]
    days = -min(began, default=-1.0) * len(runs)
    limit = threshold(
        units_per_day=max(len(began) / days, 1e-6),
        false_alarms_per_year=budget.false_alarms_per_year,
        monitors=monitors,
    )
    return [_delay(run, ratios, limit) for run in steps]


def _lifetimes(signal: str, run: Run) -> Iterator[Lifetime]:
    open_: dict[tuple[str, float], Lifetime] = {}
    for each in run.told:
        if each.signal != signal or not each.inside:
            continue
        if each.measure == "opened":
            open_[each.stratum, each.began] = Lifetime(each.began, each.stratum)
        elif each.measure in ("won", "lost") and (each.stratum, each.began) in open_:
            life = open_[each.stratum, each.began]
            life.length, life.end = each.value, each.measure
    yield from open_.values()


def _bounds(lives: Sequence[Lifetime], *, aged: bool) -> dict[str, list[float]]:
    """By stratum: the days at which a part ends; with ``aged`` the first one is the median, and is not judged."""
    found = {}
    for stratum in {life.stratum for life in lives}:
        lengths = [life.length for life in lives if life.stratum == stratum and life.began < 0 and life.end]
        if len(lengths) >= FEWEST:
            places = np.linspace(0.5 if aged else 1 / PARTS, 1.0, PARTS // 2 + 1 if aged else PARTS)
            found[stratum] = [float(bound) for bound in np.quantile(lengths, places)]
    return found


def _steps(life: Lifetime, bounds: Sequence[float], question: Question, until: float) -> Iterator[Step]:
    for part in range(int(question.aged), len(bounds)):
        gone = life.length <= bounds[part]
        ended = gone and life.end in question.ends
        if (ended and question.aged and life.length <= bounds[0]) or (gone and not (ended or question.stays)):
            return
        if life.began + bounds[part] > until:
            return
        yield Step(life.began + bounds[part], part, ended)
        if ended:
            return


Told = tuple[Lifetime, list[Step]]


def _ratios(told: Sequence[Told], ramp: float) -> dict[tuple[str, int, bool], float]:
    """Likelihood ratios of the hazards, each with half an end more (Jeffreys)."""
    counts: Counter[tuple[str, int, bool, bool]] = Counter()
    for life, steps in told:
        if 0 <= life.began < ramp:
            continue
        for step in steps:
            counts[life.stratum, step.part, life.began >= ramp, step.ended] += 1
    found = {}
    for stratum, part in {(stratum, part) for stratum, part, _, _ in counts}:
        hazards = []
        for after in (False, True):
            ended, beyond = counts[stratum, part, after, True], counts[stratum, part, after, False]
            if ended + beyond >= FEWEST:
                hazards.append((ended + 0.5) / (ended + beyond + 1))
        if len(hazards) == 2:
            before, now = hazards
            found[stratum, part, True] = now / before
            found[stratum, part, False] = (1 - now) / (1 - before)
    return found


def _delay(told: Sequence[Told], ratios: dict[tuple[str, int, bool], float], limit: float) -> float:
    """From the change on; a lifetime counts as one with its first step."""
    steps = sorted(
        (step.day, number, step.part, step.ended, life.stratum)
        for number, (life, mine) in enumerate(told)
        if life.began >= 0
        for step in mine
    )
    evidence, seen = 0.0, set()
    for day, number, part, ended, stratum in steps:
        evidence = (evidence + (number not in seen)) * ratios.get((stratum, part, ended), 1.0)
        seen.add(number)
        if evidence >= limit:
            return day
    return math.inf
