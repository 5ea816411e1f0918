"""What a drift signal's account half sees of an account, and where it puts what it finds (detectors/signals/contract.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from detectors.account_state import AccountState, drop_timer, memory_of, present, set_timer
from detectors.compiled_icp import CompiledICP
from detectors.effects import Effects
from detectors.health.tally import Tally, must_tell_since
from detectors.signals.contract import Signal
from schemas.icp import ICP
from schemas.observations import Observation

SIGNAL_TIMER = "signal"
"""Timers of signals are named ``signal:<signal>:<the signal's own name>``."""

InForce = Callable[[float], CompiledICP]


class Turn:
    """The account whose turn it is, as one signal after the other sees it: both AccountFacts and AccountOutput. A stage has one,
    and lends it: most events are none of a signal's business, so that making one for each would cost more than what they do.

    What costs something is found when it is asked for. ``in_force``: the ICP version at a time. ``tally``: the partition's.
    """

    __slots__ = ("_effects", "_in_force", "_state", "account", "signal", "tally")

    account: str
    signal: Signal
    """whose turn it is to look; set by who lends the turn"""
    _state: AccountState
    _effects: Effects

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self.tally = Tally()

    def of(self, account: str, state: AccountState, effects: Effects) -> Turn:
        self.account = account
        self._state = state
        self._effects = effects
        return self

    # What a signal reads.

    @property
    def milestones(self) -> Mapping[str, float]:
        return self._state.milestones

    @property
    def source(self) -> str:
        """The acquisition source as it stands, fixed or not."""
        state = self._state
        if state.source:
            return state.source
        return self._in_force(state.now).acquisition.of_account(present(state), state.first_visit)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return present(self._state)

    @property
    def now(self) -> float:
        return self._state.now

    @property
    def used(self) -> int:
        return self._state.used

    @property
    def memory(self) -> Any:
        signal = self.signal
        if signal.memory is None:
            raise TypeError(f"{signal.name} has no memory")
        return memory_of(self._state, signal.name, signal.memory)

    def icp(self, at: float) -> ICP:
        return self._in_force(at).written

    def fits(self, at: float) -> Mapping[str, float | None]:
        attributes = present(self._state)
        found: dict[str, float | None] = {}
        for variant in self._in_force(at).variants:
            fit = variant.fit.judge(attributes)
            found[variant.name] = fit.score if fit.out is None else None
        return found

    def tenure_s(self, at: float) -> float | None:
        state = self._state
        began = state.milestones.get("signed_up")
        if began is None:
            since = state.attributes.get("customer_since")
            began = _seconds_of(since[0]) if since is not None and isinstance(since[0], str) else None
        return at - began if began is not None and began <= at else None

    # Where it puts what it finds.

    def observe(
        self,
        measure: str,
        *,
        at: float,
        began: float,
        value: float,
        segments: Mapping[str, str],
        stratum: str = "",
        exposure: float = 1.0,
        phrases: Sequence[str] = (),
        tokens: Sequence[int] = (),
    ) -> None:
        effects = self._effects
        effects.positions.append(effects.position)
        effects.observations.append(
            Observation(
                signal=self.signal.name,
                measure=measure,
                at=at,
                began=began,
                value=value,
                account=self.account,
                known=effects.time,
                segments=dict(segments),
                stratum=stratum,
                exposure=exposure,
                phrases=list(phrases),
                tokens=list(tokens),
            )
        )

    def recorded(self, measure: str, at: float) -> None:
        if must_tell_since(self.tally, self.signal.name, measure, at, self._effects.time):
            self.observe(measure, at=at, began=at, value=1.0, segments={})

    def set_timer(self, name: str, due: float) -> None:
        set_timer(self._state, f"{SIGNAL_TIMER}:{self.signal.name}:{name}", due, self._effects)

    def drop_timer(self, name: str) -> None:
        drop_timer(self._state, f"{SIGNAL_TIMER}:{self.signal.name}:{name}", self._effects)


@lru_cache(4096)
def _seconds_of(written: str) -> float | None:
    """Unix seconds of a time as profiles are checked to write it (RFC 3339); None for what is none. Asked for at each of an
    account's product events: remembered."""
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo is not None else None
