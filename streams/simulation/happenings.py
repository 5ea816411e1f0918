"""What happens to a company beside its plants: a launch, a flood of tickets, a clean-up of the CRM, a tracker that dies.

Plants change how accounts behave; happenings are single events which a detector must tell from a drift, or which only
damage the data. What each kind does is told in HAPPENINGS.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from streams.simulation.calendar import DAY_S, NEVER, Calendar

Kind = Literal[
    "feature_launched",
    "ticket_flood",
    "outage",
    "zombies_closed",
    "quarter_end",
    "stages_renamed",
    "rep_joined",
    "note_template",
    "ticket_form_changed",
    "features_renamed",
    "source_silent",
    "field_emptied",
    "sent_twice",
    "clock_behind",
    "prices_announced",
]

HAPPENINGS: dict[str, str] = {
    "feature_launched": "a release brings the feature `assistant`; it is used beside an account's favourites, and asked "
    "about for two weeks",
    "ticket_flood": "one account in use writes `amount` tickets within two days",
    "outage": "half of the accounts that use the product that day write a ticket about it",
    "zombies_closed": "deals that are open for longer than 1.5 median cycles, and are to be lost, are closed at once",
    "quarter_end": "deals that would be won within 21 days are won in the last four days before",
    "stages_renamed": "the CRM has another stage model",
    "rep_joined": "a rep more takes every tenth new opportunity and hedges in all of them",
    "note_template": "the CRM puts one phrase in front of every note, and writes it where there was none",
    "ticket_form_changed": "the help desk's form gives every ticket the category that stands first in its list",
    "features_renamed": "the tracker tells the parts of each feature apart, under new names",
    "source_silent": "events of a type are not sent",
    "field_emptied": "a field of a type's data is not filled",
    "sent_twice": "events of a type are sent `amount` times, each with an id of its own",
    "clock_behind": "events of a type carry a time that is `amount` hours behind",
    "prices_announced": "two weeks before, a person announces to `plg.conversion_gap` that new prices hold from that day on",
}

LAUNCHED = "assistant"
ASKED_FOR_S = 14 * DAY_S
OF_TYPE = frozenset({"source_silent", "field_emptied", "sent_twice", "clock_behind"})


class Happening(Struct, frozen=True, kw_only=True):
    """One happening. ``start`` is a share of the history; it lasts ``days``, or for good.

    ``type`` and ``field`` name what is damaged (``field`` within ``data``); ``amount`` is what HAPPENINGS says.
    """

    kind: Kind
    start: float = 0.6
    days: float | None = None
    type: str = ""
    field: str = ""
    amount: float = 1.0
    because: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < 1 or (self.days is not None and self.days <= 0):
            raise ValueError("a happening starts within the history and lasts a time")
        if bool(self.type) != (self.kind in OF_TYPE) or bool(self.field) != (self.kind == "field_emptied"):
            raise ValueError(f"a happening {self.kind} needs just the type and field that it damages")
        if not self.amount > 0:
            raise ValueError("a happening's amount is above 0")


class Happenings:
    """The happenings of a scenario on a calendar. ``start`` in Unix seconds overrides where all of them start."""

    def __init__(
        self, happenings: tuple[Happening, ...], calendar: Calendar, start: int | None = None
    ) -> None:
        self.all = happenings
        self._calendar = calendar
        self._start = start
        self._began = {happening.kind: self.starts(happening) for happening in happenings}

    def starts(self, happening: Happening) -> int:
        return self._calendar.at_share(happening.start) if self._start is None else self._start

    def ends(self, happening: Happening) -> int | None:
        return None if happening.days is None else self.starts(happening) + round(happening.days * DAY_S)

    def at(self, kind: Kind) -> int:
        """When it began, Unix seconds; NEVER where it does not happen."""
        return self._began.get(kind, NEVER)

    def after(self, kind: Kind, second: int) -> bool:
        return second >= self._began.get(kind, NEVER)

    def of(self, kind: Kind) -> list[Happening]:
        return [happening for happening in self.all if happening.kind == kind]

    def earliest(self) -> int:
        return min(self._began.values(), default=NEVER)
