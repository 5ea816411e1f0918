"""What a monitor is: it watches one quantity in one segment, from learning a baseline to the end of a drift.

detectors/signals/segmented.py runs one for each segment of a signal, and makes alerts, notices and verdicts of what they
say. rate_monitor.py is the one to read. Rules that every monitor keeps:

1. Phases: ``learning`` -> ``watching`` -> ``drifting`` -> ``resolved`` -> ``watching``. An alarm that means something else
   than the signal's own pattern is a ``noticed`` with the finding's name, and the phase stays ``watching``.
2. ``take`` is told observations only that were checked and are not on the left edge, in the order of their maturing. It
   freezes no baseline while ``may_freeze`` is false: until then two monitors may still become one (``absorb``).
3. All that was learned is in ``stored``, a msgspec Struct of plain values, bounded in size; a monitor made from it goes on
   as the one that it was. Detectors follow from it and are made anew.
4. It knows neither words nor alerts, and no account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from detectors.sequential.contract import threshold
from detectors.signals.contract import Point, VerdictState
from schemas.alerts import Interval
from schemas.observations import Observation

RESOLVED_DAYS = 28.0
"""``resolved`` is shown so long, while watching has begun again already."""


class Promise(Struct, frozen=True, kw_only=True):
    """What the installation asks of each monitor; ``monitors`` share the false alarms a year."""

    false_alarms_per_year: float
    monitors: int
    min_baseline: int
    min_baseline_days: float

    def threshold(self, units_per_day: float) -> float:
        """For one of the monitors whose detector counts so many of its units a day."""
        return threshold(
            units_per_day=units_per_day,
            false_alarms_per_year=self.false_alarms_per_year,
            monitors=self.monitors,
        )


class Change(Struct, frozen=True):
    """What one observation has changed.

    ``frozen``: a baseline was frozen. ``drifting``: the signal's own pattern was found, an episode begins. ``resolved``:
    it is over. ``noticed``: the named ``finding`` was found (``kept alive``, ``one trend alone``), which is never paged;
    ``facts`` is what the monitor wants to hand to the words, if the monitor itself will not know it later.
    """

    kind: Literal["frozen", "drifting", "resolved", "noticed"]
    finding: str = ""
    facts: Any = None


NOTHING: tuple[Change, ...] = ()


class Monitor(Protocol):
    @property
    def stored(self) -> Any:
        """What it keeps: an instance of the signal's ``monitor_state``."""
        ...

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        """Counts one observation in, and says what that has changed (NOTHING, mostly)."""
        ...

    def weight(self, observation: Observation) -> float:
        """How strongly an observation that was taken speaks for the drift: 0 not at all; evidence is what weighs most."""
        ...

    @property
    def phase(self) -> VerdictState: ...

    @property
    def episode(self) -> int:
        """Number of the newest drift, or of the newest alarm that was only noticed; ids of alerts are made of it."""
        ...

    @property
    def finding(self) -> str:
        """The named finding that holds now beside the phase, or nothing."""
        ...

    @property
    def has_enough(self) -> bool:
        """Whether there is enough for a baseline."""
        ...

    @property
    def missing(self) -> str:
        """What learning still needs, in words, in observations and days; not empty while learning, empty afterwards."""
        ...

    @property
    def n(self) -> int:
        """Observations counted in, ever."""
        ...

    @property
    def newest(self) -> float:
        """When the newest of them began, Unix seconds; 0 without one."""
        ...

    @property
    def statistic(self) -> float:
        """The detector's, 0 while learning; finite."""
        ...

    @property
    def threshold(self) -> float:
        """In the unit of the statistic; 0 while learning."""
        ...

    @property
    def since(self) -> float | None:
        """When the drift likely began (Unix seconds); of a resolved one, when it ended. None outside of an episode."""
        ...

    @property
    def since_margin_days(self) -> float | None: ...

    @property
    def before(self) -> Interval | None:
        """Of the baseline; None while learning."""
        ...

    @property
    def now(self) -> Interval | None:
        """Since the drift began or ended, else over the last weeks; None where nothing was seen."""
        ...

    @property
    def mix_share(self) -> float | None:
        """The part of the change from before to now that is mix (0 to 1 where mix and rate point the same way); None where
        nothing is to be split."""
        ...

    @property
    def history(self) -> list[Point]:
        """By week, at most 260."""
        ...

    def relearn(self, at: float) -> None:
        """Takes the baseline anew from what begins in the weeks after ``at`` (Unix seconds): a person has decided so then. An episode
        ends without a word."""
        ...

    def absorb(self, other: Self) -> None:
        """Takes in what ``other`` has learned; both are still learning."""
        ...
