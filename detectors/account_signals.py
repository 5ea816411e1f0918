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
from detectors.text import kind_by_category
from schemas.icp import ICP
from schemas.icp_checks import TicketKind
from schemas.observations import Observation

SIGNAL_TIMER = "signal"
"""Timers of signals are named ``signal:<signal>:<the signal's own name>``."""

InForce = Callable[[float], CompiledICP]


class Turn:
    """The account whose turn it is, as one signal sees it: both AccountFacts and AccountOutput. A stage has one for each signal, and
    lends it: most events are none of a signal's business, so that making one for each would cost more than what they do.

    What costs something is found when it is asked for. ``in_force``: the ICP version at a time.
    """

    __slots__ = ("_in_force", "_kind", "_signal", "account", "effects", "rests", "state", "tally")

    account: str
    tally: Tally
    """the partition's; set by who lends the turn"""
    state: AccountState
    effects: Effects

    def __init__(self, signal: Signal, in_force: InForce) -> None:
        self._signal = signal.name
        self._kind = signal.memory
        self._in_force = in_force
        self.rests = f"{signal.name} rests until"
        self.tally = Tally()

    def of(self, account: str, state: AccountState, effects: Effects) -> Turn:
        self.account = account
        self.state = state
        self.effects = effects
        return self

    # What a signal reads.

    @property
    def milestones(self) -> Mapping[str, float]:
        return self.state.milestones

    @property
    def source(self) -> str:
        """The acquisition source as it stands, fixed or not."""
        state = self.state
        if state.source:
            return state.source
        stated, _ = state.attributes.get("acquisition_source", (None, 0.0))
        return self._in_force(state.now).acquisition.of_account(stated, state.first_visit)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return present(self.state)

    @property
    def now(self) -> float:
        return self.state.now

    @property
    def told_until(self) -> float:
        return self.effects.time

    @property
    def used(self) -> int:
        return self.state.used

    @property
    def memory(self) -> Any:
        memory: Any = self.state.memories.get(self._signal)
        if type(memory) is self._kind:
            return memory
        if self._kind is None:
            raise TypeError(f"{self._signal} has no memory")
        return memory_of(self.state, self._signal, self._kind)

    def icp(self, at: float) -> ICP:
        return self._in_force(at).written

    def ticket_kind(self, category: str | None, at: float) -> TicketKind | None:
        return kind_by_category(category, self._in_force(at).ticket_kinds)

    def fits(self, at: float) -> Mapping[str, float | None]:
        attributes = present(self.state)
        found: dict[str, float | None] = {}
        for variant in self._in_force(at).variants:
            fit = variant.fit.judge(attributes)
            found[variant.name] = fit.score if fit.out is None else None
        return found

    @property
    def tenure_began(self) -> float | None:
        state = self.state
        began = state.milestones.get("signed_up")
        if began is not None:
            return began
        since, _ = state.attributes.get("customer_since", (None, 0.0))
        return _seconds_of(since) if isinstance(since, str) else None

    def tenure_s(self, at: float) -> float | None:
        began = self.tenure_began
        return at - began if began is not None and began <= at else None

    # Where it puts what it finds. Whole numbers become floats: one that goes on as it is must be what another is that was written
    # down and read again.

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
        effects = self.effects
        effects.positions.append(effects.position)
        effects.observations.append(
            Observation(
                signal=self._signal,
                measure=measure,
                at=float(at),
                began=float(began),
                value=float(value),
                account=self.account,
                known=effects.time,
                segments=dict(segments),
                stratum=stratum,
                exposure=float(exposure),
                phrases=list(phrases),
                tokens=list(tokens),
            )
        )

    def recorded(self, measure: str, at: float) -> None:
        if must_tell_since(self.tally, self._signal, measure, at, self.effects.time):
            self.observe(measure, at=at, began=at, value=1.0, segments={})

    def set_timer(self, name: str, due: float) -> None:
        set_timer(self.state, f"{SIGNAL_TIMER}:{self._signal}:{name}", due, self.effects)

    def drop_timer(self, name: str) -> None:
        drop_timer(self.state, f"{SIGNAL_TIMER}:{self._signal}:{name}", self.effects)

    def rest(self, until: float) -> None:
        self.state.__dict__[self.rests] = until


@lru_cache(4096)
def _seconds_of(written: str) -> float | None:
    """Unix seconds of a time as profiles are checked to write it (RFC 3339); None for what is none. Asked for at each of an
    account's product events: remembered."""
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo is not None else None
