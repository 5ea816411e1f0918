"""Do a field's values come from where they came from? A template, a form's first entry or a new vocabulary takes over.

Days are put together until LEAST events are in them, a bin, and compared with the usual distribution over BUCKETS by total variation:
the share of events that would have to change places. Rules:
1. Taken over is: in IN_A_ROW bins, one after the other, at least half have changed places. Where nothing has changed the
   distance of LEAST independent events is 0.244 on average at most, and beyond half with a chance of exp(-5.2) (McDiarmid 1989);
   three times in a row once in 6 million bins.
2. Bins are days apart, so that one outage, one flood or one launch is not enough.
3. Well again when a bin lies nearer than NEAR. What has lasted ADOPTED_DAYS becomes the usual.
"""

from __future__ import annotations

from msgspec import Struct, field

from detectors.health.fields import BUCKETS
from detectors.health.share import FORGET, LEARN_DAYS

LEAST = 40.0
ENOUGH = 400.0
"""Events from which the usual distribution is known well enough."""
FAR, NEAR = 0.5, 0.4
IN_A_ROW = 3


class Values(Struct, array_like=True):
    """``usual`` and ``bin``: events by bucket. ``far``: bins in a row that are far; ``since``: when the first of them began."""

    usual: list[float] = field(default_factory=lambda: [0.0] * BUCKETS)
    days: int = 0
    bin: list[float] = field(default_factory=lambda: [0.0] * BUCKETS)
    bin_began: float = 0.0
    far: int = 0
    since: float = 0.0
    distance: float = 0.0
    ill: bool = False

    def hour(self, buckets: list[int]) -> None:
        self.bin = [have + new for have, new in zip(self.bin, buckets, strict=True)]

    def day_ended(self, began: float, ended: float) -> bool:
        """The day from ``began`` to ``ended`` is over. Returns whether the field became ill or well."""
        if not self.bin_began:
            self.bin_began = began
        total = sum(self.bin)
        if self.days < LEARN_DAYS or sum(self.usual) < ENOUGH:
            self._learn()
            self._next(ended)
            return False
        if total < LEAST:
            return False
        self.distance = self._distance()
        self.far = self.far + 1 if self.distance >= (NEAR if self.ill else FAR) else 0
        if self.far == 1 and not self.ill:
            self.since = self.bin_began
        turned = False
        if self.far >= IN_A_ROW and not self.ill:
            self.ill = turned = True
        elif self.ill and not self.far:
            self.ill, turned = False, True
        if not self.far:
            self._learn()
        self._next(ended)
        return turned

    def adopt(self) -> None:
        """What comes now is the usual from now on."""
        self.usual = [0.0] * BUCKETS
        self.days = self.far = 0
        self.ill = False

    def _distance(self) -> float:
        usual, now = sum(self.usual), sum(self.bin)
        return 0.5 * sum(abs(a / usual - b / now) for a, b in zip(self.usual, self.bin, strict=True))

    def _learn(self) -> None:
        self.days += 1
        self.usual = [a * FORGET + b for a, b in zip(self.usual, self.bin, strict=True)]

    def _next(self, ended: float) -> None:
        self.bin, self.bin_began = [0.0] * BUCKETS, ended
