"""Watches a share that a person's file defines, with a baseline for each version of the file.

A new version changes the share on one day without anybody behaving otherwise. So each version has a monitor of its own
(rate_monitor.py), and one of them acts: the newest that has a baseline. That nothing is missed while a new version is still
being learned, each account is judged under the version before, too (``told_before``), and the older monitor goes on with
these. Rules:
1. What is told under the version before (``told_before``, with that version as ``stratum``) is given to its monitor, if
   there is one, and counts nowhere else.
2. The newest MAX_VERSIONS have a monitor. A newer one takes over when its baseline is frozen; while the older one is
   drifting it goes on, for as long as it is told something.
3. A drift whose version is gone has ended: nobody can say any more whether it holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from detectors.signals.contract import Point, VerdictState
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateState, Way
from schemas.alerts import Interval
from schemas.observations import Observation

MAX_VERSIONS = 2


class Version(Struct, array_like=True):
    """``began``: of the first observation under it, Unix seconds."""

    name: str
    began: float
    state: RateState


class VersionedState(Struct, kw_only=True):
    """``versions`` in order of their beginning; ``acting``: the name of one of them, or nothing. What was counted and told by
    monitors that are gone is in ``n`` and ``episodes``."""

    versions: list[Version] = []
    acting: str = ""
    n: int = 0
    newest: float = 0.0
    episodes: int = 0


class VersionedMonitor:
    def __init__(
        self, promise: Promise, way: Way, told_before: str, stored: VersionedState | None = None
    ) -> None:
        self._promise = promise
        self._way: Way = way
        self._told_before = told_before
        self._kept = stored if stored is not None else VersionedState()
        self._monitors = {
            version.name: RateMonitor(promise, way, version.state) for version in self._kept.versions
        }

    @property
    def stored(self) -> VersionedState:
        for version in self._kept.versions:
            version.state = self._monitors[version.name].stored
        return self._kept

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        kept, name = self._kept, observation.stratum
        told_before = observation.measure == self._told_before
        out: list[Change] = []
        if not told_before:
            kept.n += 1
            kept.newest = max(kept.newest, observation.began)
            if name not in self._monitors:
                out += self._begin(name, observation.began)
        monitor = self._monitors.get(name)
        if monitor is None:
            return out
        for change in monitor.take(_without_stratum(observation), may_freeze=may_freeze):
            if name == kept.acting:
                kept.episodes += change.kind == "drifting"
                out.append(change)
            elif change.kind == "noticed" and monitor is self._newest:
                out.append(change)
        self._hand_over()
        return out or NOTHING

    def weight(self, observation: Observation) -> float:
        acting = self._acting
        if acting is None or observation.stratum != self._kept.acting:
            return 0.0
        return acting.weight(_without_stratum(observation))

    @property
    def phase(self) -> VerdictState:
        return self._acting.phase if self._acting is not None else "learning"

    @property
    def episode(self) -> int:
        return self._kept.episodes

    @property
    def finding(self) -> str:
        newest = self._newest
        if newest is not None and self._acting is not None and newest is not self._acting:
            return "new version"
        return ""

    @property
    def has_enough(self) -> bool:
        return self._newest is not None and self._newest.has_enough

    @property
    def missing(self) -> str:
        newest = self._newest if self._newest is not None else RateMonitor(self._promise, self._way)
        return "" if self.phase != "learning" else newest.missing

    @property
    def n(self) -> int:
        return self._kept.n

    @property
    def newest(self) -> float:
        return self._kept.newest

    @property
    def statistic(self) -> float:
        return self._acting.statistic if self._acting is not None else 0.0

    @property
    def threshold(self) -> float:
        return self._acting.threshold if self._acting is not None else 0.0

    @property
    def since(self) -> float | None:
        return self._acting.since if self._acting is not None else None

    @property
    def since_margin_days(self) -> float | None:
        return self._acting.since_margin_days if self._acting is not None else None

    @property
    def before(self) -> Interval | None:
        return self._acting.before if self._acting is not None else None

    @property
    def now(self) -> Interval | None:
        shown = self._acting if self._acting is not None else self._newest
        return shown.now if shown is not None else None

    def level_since(self, since: float) -> Interval | None:
        return self._acting.level_since(since) if self._acting is not None else None

    @property
    def mix_share(self) -> float | None:
        return None

    @property
    def history(self) -> list[Point]:
        """Of the version that acts; while none does, of the newest."""
        shown = self._acting if self._acting is not None else self._newest
        return shown.history if shown is not None else []

    def relearn(self, at: float) -> None:
        """Of every version: the decision is about now."""
        for monitor in self._monitors.values():
            monitor.relearn(at)
        self._kept.acting = ""

    def absorb(self, other: VersionedMonitor) -> None:
        kept = self._kept
        kept.n += other._kept.n
        kept.newest = max(kept.newest, other._kept.newest)
        for version in other.stored.versions:
            if version.name not in self._monitors:
                self._begin(version.name, version.began)
            if version.name in self._monitors:
                self._monitors[version.name].absorb(other._monitors[version.name])

    @property
    def _acting(self) -> RateMonitor | None:
        return self._monitors.get(self._kept.acting)

    @property
    def _newest(self) -> RateMonitor | None:
        return self._monitors[self._kept.versions[-1].name] if self._kept.versions else None

    def _begin(self, name: str, began: float) -> list[Change]:
        """A version that was not seen yet; one that is older than all that are kept is passed over."""
        kept = self._kept
        kept.versions.append(Version(name, began, RateState()))
        kept.versions.sort(key=lambda version: (version.began, version.name))
        self._monitors[name] = RateMonitor(self._promise, self._way)
        out: list[Change] = []
        for version in kept.versions[:-MAX_VERSIONS]:
            gone = self._monitors.pop(version.name)
            if version.name == kept.acting:
                kept.acting = ""
                if gone.phase == "drifting":
                    out.append(Change("resolved"))
        del kept.versions[:-MAX_VERSIONS]
        return out

    def _hand_over(self) -> None:
        acting = self._acting
        if acting is not None and acting.phase == "drifting":
            return
        for version in reversed(self._kept.versions):
            if self._monitors[version.name].stored.watch is not None:
                self._kept.acting = version.name
                return


def _without_stratum(observation: Observation) -> Observation:
    """What told the versions apart is no stratum to the monitor of one version."""
    return Observation(
        signal=observation.signal,
        measure=observation.measure,
        at=observation.at,
        began=observation.began,
        value=observation.value,
        account=observation.account,
    )
