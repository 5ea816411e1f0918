"""Random streams by name: one for each aspect of each account, all from one seed.

A stream is found by its place (spawn key), not by how much was drawn before it, so that what one aspect draws never
moves another. numpy keeps the streams of PCG64 stable between its versions, and says so when a distribution changes.
"""

from __future__ import annotations

from typing import Literal, get_args

from numpy.random import PCG64, Generator, SeedSequence

Aspect = Literal[
    "signups",
    "sources",
    "fates",
    "times",
    "company",
    "usage",
    "visits",
    "tickets",
    "deals",
    "profiles",
    "arrival",
    "releases",
    "malformed",
    "support",
    "launch",
    "announcements",
]
_PLACE = {aspect: place for place, aspect in enumerate(get_args(Aspect))}


class Seeds:
    """``group`` 0 is the company as a whole; 1 + n the accounts that plant number n brings."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def company(self, aspect: Aspect, group: int = 0) -> Generator:
        return Generator(PCG64(SeedSequence(self._seed, spawn_key=(0, group, _PLACE[aspect]))))

    def account(self, number: int, aspect: Aspect) -> Generator:
        return Generator(PCG64(SeedSequence(self._seed, spawn_key=(1, number, _PLACE[aspect]))))
