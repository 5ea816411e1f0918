"""What a share is made of: its strata (reps, tenure bands), learned in a baseline, so that a shift between them is no drift.

Rules:
1. A stratum that the baseline has seen is judged against its own share there. Small strata lend from the whole: their
   share is shrunk towards it, the more the less the strata differ.
2. A stratum that the baseline has seen fewer than NEWCOMER times is a newcomer: not judged until it has been, and from then on
   by what it was in these. So a newcomer who is different is mix, whatever it is. Judged by a guess, it would look like
   drift as soon as it grows. Only where most of the baseline is of such small strata (many reps), they are judged at once.
3. So few observations are not the newcomer's true share. An error of the whole is one number for all, and its bound pays for
   it; that of a newcomer is its own, however much of the flow it is. So a newcomer is judged against the bound of its own
   share (``own_bound``; rate_baseline.py), is known better each time that it was seen twice as often, and is left out of
   ``uncertainty``. It stays a newcomer when the baseline grows: shrunk towards a whole of which it is a small part until
   then, it would look like drift again.
4. At most MAX_STRATA have a name; the others together are one. Where all names are taken, who has not been seen for weeks makes
   room (``make_room``): sellers come and go, and one who joins after the sixty-third must not look like those without a name.

Reference for the shrinking: J. C. Kleinman, "Proportions with extraneous variance: single and independent samples",
Journal of the American Statistical Association 68 (1973), the moment estimate of the beta-binomial.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence

from msgspec import Struct, field
from scipy.special import betaincinv

MAX_STRATA = 64
NEWCOMER = 30
MOSTLY_KNOWN = 0.5
"""Part of the baseline's observations that is of strata seen NEWCOMER times, at least; else all are judged, by what they lend."""
LONGEST_NAME = 64
_LEAST_PRIOR, _MOST_PRIOR = 2.0, 1000.0
_ANY = 2.0
"""Observations that are worth what is known of a share before any: half of them ones (Bayes and Laplace)."""
_NOBODY = 0.5
"""Ones that are added to a whole without any, so that no share is 0 or 1."""


class Counts(Struct, array_like=True):
    n: int = 0
    ones: int = 0


class Strata(Struct, array_like=True):
    """``names[i]`` has the share ``shares[i]`` (None: not judged yet), which is worth as much as ``worth[i]`` observations;
    ``seen[i]``: what was counted of a newcomer. Number 0 is for those without a name of their own; a further number without a
    name is free."""

    names: list[str] = field(default_factory=lambda: [""])
    shares: list[float | None] = field(default_factory=lambda: [None])
    worth: list[float] = field(default_factory=lambda: [0.0])
    seen: list[Counts] = field(default_factory=lambda: [Counts()])


def number_of(strata: Strata, name: str) -> int:
    """The number of a stratum, given now if need be."""
    if name in strata.names:
        return strata.names.index(name)
    if len(name) > LONGEST_NAME:
        return 0
    if len(strata.names) >= MAX_STRATA:
        free = next((number for number in range(1, MAX_STRATA) if not strata.names[number]), 0)
        if free:
            strata.names[free] = name
        return free
    strata.names.append(name)
    strata.shares.append(None)
    strata.worth.append(0.0)
    strata.seen.append(Counts())
    return len(strata.names) - 1


def make_room(strata: Strata, seen: Container[int]) -> None:
    """Where all names are taken, takes them from those who are not among the ``seen`` numbers."""
    if len(strata.names) < MAX_STRATA:
        return
    for number in range(1, len(strata.names)):
        if number not in seen:
            strata.names[number], strata.shares[number] = "", None
            strata.worth[number], strata.seen[number] = 0.0, Counts()


def is_newcomer(strata: Strata, number: int) -> bool:
    """Judged, and by what was seen of it outside of any baseline."""
    return strata.shares[number] is not None and strata.seen[number].n > 0


def learn(strata: Strata, counts: Mapping[int, Counts]) -> None:
    """Takes the shares from what was counted in a baseline, by number; needs an observation of one that is no newcomer."""
    counts = {number: each for number, each in counts.items() if not is_newcomer(strata, number)}
    n, ones = sum(each.n for each in counts.values()), sum(each.ones for each in counts.values())
    whole = whole_share(n, ones)
    prior = _prior(list(counts.values()), n, whole)
    known = {number: each for number, each in counts.items() if each.n >= NEWCOMER}
    if sum(each.n for each in known.values()) < MOSTLY_KNOWN * n:
        known = counts
    for number in range(len(strata.names)):
        if is_newcomer(strata, number):
            continue
        each = known.get(number)
        strata.shares[number] = (each.ones + prior * whole) / (each.n + prior) if each else None
        strata.worth[number] = each.n + prior if each else 0.0
        strata.seen[number] = Counts() if each else counts.get(number, Counts())


def meet(strata: Strata, number: int, ones: int) -> None:
    """Counts one observation of a newcomer. With NEWCOMER of them it has a share, and another one each time that they have
    doubled: the mean of its posterior, if any share was as likely before."""
    seen = strata.seen[number]
    seen.n += 1
    seen.ones += ones
    if seen.n >= (NEWCOMER if strata.shares[number] is None else 2 * (strata.worth[number] - _ANY)):
        strata.worth[number] = seen.n + _ANY
        strata.shares[number] = (seen.ones + _ANY / 2) / strata.worth[number]


def own_bound(share: float, worth: float, level: float) -> float:
    """In (0, 1): a share that is known to be ``share`` by what is worth ``worth`` observations is below with probability ``level``."""
    return float(betaincinv(share * worth, (1 - share) * worth, level))


def whole_share(n: int, ones: int) -> float:
    """Never 0 and never 1."""
    return min(max(ones, _NOBODY), n - _NOBODY) / n


def uncertainty(strata: Strata, mix: Mapping[int, int]) -> float:
    """Standard error of the log odds that the shares give a ``mix`` (number -> observations), newcomers left out; 0 for none.
    Where the mix has moved to strata that the baseline hardly knows it is larger than the baseline's own."""
    variance = information = 0.0
    for number, n in mix.items():
        share = strata.shares[number]
        if share is not None and not is_newcomer(strata, number):
            variance += n * n * share * (1 - share) / strata.worth[number]
            information += n * share * (1 - share)
    return math.sqrt(variance) / information if information else 0.0


def _prior(counts: Sequence[Counts], n: int, whole: float) -> float:
    """How many observations the whole is worth to each of its parts."""
    binomial = whole * (1 - whole)
    seen = [each for each in counts if each.n]
    between = sum(each.n * (each.ones / each.n - whole) ** 2 for each in seen) - (len(seen) - 1) * binomial
    room = n - sum(each.n**2 for each in seen) / n
    if between <= 0 or room <= 0:
        return _MOST_PRIOR
    return min(max(binomial / (between / room) - 1, _LEAST_PRIOR), _MOST_PRIOR)
