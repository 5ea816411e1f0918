"""The observations of a segment that weigh most: what a person looks at first.

Rules:
1. At most MAX_EVIDENCE accounts, each once, with its strongest observation.
2. A weight halves every HALF_LIFE, so that what is shown is about now. Kept is ``log2(weight) + at / HALF_LIFE``, which
   orders them at any later time (forward decay), so nothing is ever weighed again.
3. Phrases are short and few: LONGEST_PHRASE characters, MAX_PHRASES an observation; never a whole text.
"""

from __future__ import annotations

import math

from msgspec import Struct

from detectors.signals.contract import Evidence
from schemas.duration import DAY
from schemas.observations import Observation

MAX_EVIDENCE = 10
MAX_PHRASES = 3
LONGEST_PHRASE = 80
HALF_LIFE = 14 * DAY


class Weighed(Struct, array_like=True):
    rank: float
    account: str
    at: float
    weight: float
    phrases: list[str]


def weigh_in(kept: list[Weighed], observation: Observation, weight: float) -> None:
    """Keeps ``observation`` in ``kept`` (the strongest first) if it is among those that weigh most."""
    if not 0 < weight < math.inf:
        return
    rank = math.log2(weight) + observation.at / HALF_LIFE
    if len(kept) == MAX_EVIDENCE and rank < kept[-1].rank:
        return
    for number, each in enumerate(kept):
        if each.account == observation.account:
            if rank < each.rank:
                return
            del kept[number]
            break
    phrases = [phrase[:LONGEST_PHRASE] for phrase in observation.phrases[:MAX_PHRASES]]
    kept.append(Weighed(rank, observation.account, observation.at, weight, phrases))
    # The newer of two that weigh the same comes first, and the account decides where even that is the same.
    kept.sort(key=lambda each: (-each.rank, -each.at, each.account))
    del kept[MAX_EVIDENCE:]


def merge_evidence(into: list[Weighed], other: list[Weighed]) -> None:
    strongest: dict[str, Weighed] = {}
    for each in sorted([*into, *other], key=lambda each: (-each.rank, -each.at, each.account)):
        strongest.setdefault(each.account, each)
    into[:] = list(strongest.values())[:MAX_EVIDENCE]


def shown(kept: list[Weighed]) -> list[Evidence]:
    return [Evidence(each.account, each.at, each.weight, list(each.phrases)) for each in kept]


def phrases_of(kept: list[Weighed]) -> list[str]:
    """The different phrases, the strongest first."""
    return list(dict.fromkeys(phrase for each in kept for phrase in each.phrases))
