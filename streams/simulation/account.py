"""What became of an account, and of all accounts: one row an account, times in Unix seconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.simulation.calendar import Ints

Bools = NDArray[np.bool_]


class Account(Struct, gc=False):
    """What became of one account. Times are Unix seconds, NEVER if it doesn't come; they may be after the history's end.

    ``lead_at`` is when it was first heard of; for the self-serve this is the sign-up.
    """

    number: int
    source: int
    fit: int
    employees: int
    band: int
    elite: bool
    sales_led: bool
    installed: bool
    lead_at: int
    signed_up: int
    activated: int
    onboarded: int
    paid: int
    churned: int
    opened: int
    closed: int

    @property
    def id(self) -> str:
        return f"acct-{self.number:06d}"


class Population(Struct):
    """The columns of Account, as arrays."""

    number: Ints
    source: Ints
    fit: Ints
    employees: Ints
    band: Ints
    elite: Bools
    sales_led: Bools
    installed: Bools
    lead_at: Ints
    signed_up: Ints
    activated: Ints
    onboarded: Ints
    paid: Ints
    churned: Ints
    opened: Ints
    closed: Ints

    def __len__(self) -> int:
        return len(self.number)

    def accounts(self, chunk: int = 4096) -> Iterator[Account]:
        for first in range(0, len(self), chunk):
            columns = [
                getattr(self, field)[first : first + chunk].tolist() for field in self.__struct_fields__
            ]
            for row in zip(*columns, strict=True):
                yield Account(*row)
