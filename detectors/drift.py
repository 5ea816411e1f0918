"""The drift stage: one observation of one signal -> new state, drift alerts and notices.

Keyed by the signal's name. A signal without state begins with ``new_state``; what its half of the work is stands in
detectors/signals/contract.py. Beside it are kept the decisions of people (detectors/decisions.py), what they announced
(detectors/announcements.py), the second opinion where one is asked for (detectors/signals/second_opinion.py), and what was
left out because a source was ill (detectors/suspension.py): the state of data.health is at hand in every step, since one
order holds for all observations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from detectors.announcements import announce, of_segment, tell_as_announced
from detectors.decisions import DECISIONS, Decided, decide, forget_what_ended, show, standing
from detectors.effects import Effects
from detectors.health.data_health import DataHealth, Fact, HealthState
from detectors.health.fields import Needs
from detectors.health.needs import concerns, needs_of
from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.health.tally import Heard
from detectors.signals.contract import (
    ACKNOWLEDGED,
    ALL,
    ANNOUNCED,
    BASELINE_RETAKEN,
    Announcement,
    Chosen,
    Signal,
    Verdict,
)
from detectors.signals.second_opinion import OpinionState, SecondOpinion
from detectors.suspension import adopted_until, count_out, over_until, shown, touched
from schemas.icp import ICP
from schemas.observations import Observation
from schemas.settings import DriftSettings, RiverDetectorName


class DriftState(Struct):
    """``own``: the signal's state; of one that this version does not know, all that is stored, as it is. ``decided``: segment ->
    what people decided about it. ``left_out``: segment -> observations that an illness touched. Until when (Unix seconds) the
    signal was ``interrupted`` by one, as it was told; ``relearned``: the newest time from which on a changed source is the
    usual one. ``second``: of the second opinion, where there is one. ``announced``: the newest comes last."""

    own: Any
    decided: dict[str, Decided] = {}
    left_out: dict[str, int] = {}
    interrupted: float = 0.0
    relearned: float = 0.0
    second: OpinionState | None = None
    announced: list[Announcement] = []


class _Stored(Struct):
    own: bytes
    decided: dict[str, Decided]
    left_out: dict[str, int] = {}
    interrupted: float = 0.0
    relearned: float = 0.0
    second: bytes = b""
    announced: list[Announcement] | UnsetType = UNSET
    """not stored where there are none: the state is then what it was before there were announcements"""


_stored = msgspec.msgpack.Decoder(_Stored)


class DriftStage:
    name = "drift"
    tally_key = ""
    beside_key = DATA_HEALTH

    def __init__(
        self,
        signals: Sequence[Signal],
        icps: Sequence[ICP] = (),
        second_opinions: Mapping[str, RiverDetectorName] | None = None,
        baseline_from: Mapping[str, datetime] | None = None,
    ) -> None:
        """``icps``: they say which event types a milestone comes from, and so what an ill source takes from a signal. Who only
        shows what is stored needs none. ``second_opinions``: signal -> river's detector beside it. ``baseline_from``: signal -> from
        when on its baseline is learned; a state that has begun keeps what it began with."""
        self._signals = {signal.name: signal for signal in signals}
        self._counted_from = {name: at.timestamp() for name, at in (baseline_from or {}).items()}
        asked = second_opinions or {}
        self._opinions = {
            name: SecondOpinion(asked[name], signal)
            for name, signal in self._signals.items()
            if name in asked
        }
        self._knows_milestones = bool(icps)
        self._needs: dict[str, Needs] = {signal.name: needs_of(signal, icps) for signal in signals}
        self._health = DataHealth(self._needs)
        self._health_state = self._health.new_state()
        self._facts: dict[str, list[Fact]] = {}
        """signal -> the illnesses that concern it, found again when one begins or ends"""

    @classmethod
    def configured(cls, signals: Sequence[Signal], icps: Sequence[ICP], settings: DriftSettings) -> Self:
        return cls(signals, icps, settings.second_opinion, settings.baseline_from)

    @property
    def signal_names(self) -> Sequence[str]:
        return [*self._signals]

    def begin_tally(self, state: Any, time: float) -> None:
        """Observations are not counted."""

    def tally(self, state: Any, heard: Heard) -> None:
        """Observations are not counted."""

    def hold(self, state: HealthState) -> None:
        self._health_state = state
        self._facts = {}
        if self._knows_milestones:
            state.needs = {
                signal: {event_type: sorted(fields) for event_type, fields in sorted(needs.items())}
                for signal, needs in self._needs.items()
            }
        else:
            for signal, stored in state.needs.items():
                if signal in self._needs:
                    self._needs[signal] = {kind: frozenset(fields) for kind, fields in stored.items()}

    def new_state(self, signal: str) -> Any:
        if signal == DATA_HEALTH:
            return self._health.new_state()
        found = self._signals.get(signal)
        own = found.new_state(self._counted_from.get(signal)) if found is not None else b""
        return DriftState(own, second=self._opinion_of(signal, b""))

    def encode_state(self, signal: str, state: Any) -> bytes:
        if signal == DATA_HEALTH:
            return self._health.encode_state(state)
        found = self._signals.get(signal)
        if found is None:
            return bytes(state.own)
        own, opinion = found.encode_state(state.own), self._opinions.get(signal)
        second = opinion.encode_state(state.second) if opinion is not None else b""
        return msgspec.msgpack.encode(
            _Stored(
                own,
                state.decided,
                state.left_out,
                state.interrupted,
                state.relearned,
                second,
                state.announced or UNSET,
            )
        )

    def decode_state(self, signal: str, raw: bytes) -> Any:
        """Raises StateRefused. A state from before decisions were kept is the signal's own, and nothing more. An empty one was
        written by a version that does not know the signal. A second opinion that is asked for no more is dropped."""
        if signal == DATA_HEALTH:
            return self._health.decode_state(raw)
        found = self._signals.get(signal)
        if found is None:
            return DriftState(raw)
        if not raw:
            return self.new_state(signal)
        try:
            stored = _stored.decode(raw)
        except msgspec.MsgspecError:
            return DriftState(found.decode_state(raw), second=self._opinion_of(signal, b""))
        return DriftState(
            found.decode_state(stored.own),
            {_named_now(segment): decided for segment, decided in stored.decided.items()},
            stored.left_out,
            stored.interrupted,
            stored.relearned,
            self._opinion_of(signal, stored.second),
            [
                each if each.segment is None else replace(each, segment=_named_now(each.segment))
                for each in stored.announced or []
            ],
        )

    def step(self, signal: str, state: Any, observation: Observation, at: float, effects: Effects) -> bool:
        """Raises EventRefused, and leaves ``state`` as it was, for an observation that can't be."""
        if signal == DATA_HEALTH:
            told = self._health.step(state, observation)
            if told:
                self._facts = {}
                effects.alerts.extend(told)
            return True
        found = self._signals.get(signal)
        if found is None:
            return True
        if observation.measure == ANNOUNCED:
            announce(state.announced, state.decided, observation, found.verdicts(state.own))
            return True
        if observation.measure not in DECISIONS:
            facts = self._concerning(found)
            if facts and self._keeps_out(found, state, facts, observation, effects):
                return True
            alerts = found.step(state.own, observation)
            if alerts and state.decided:
                forget_what_ended(state.decided, alerts)
            if alerts and state.announced:
                verdicts = found.verdicts(state.own)
                alerts = tell_as_announced(state.announced, state.decided, alerts, verdicts)
            effects.alerts.extend(alerts)
            opinion = self._opinions.get(signal)
            if opinion is not None:
                effects.alerts.extend(opinion.listen(state.second, state.own))
            return True
        verdicts = found.verdicts(state.own)
        stood = standing(observation, verdicts)
        if observation.measure != ACKNOWLEDGED:
            self._retake(found, state, observation, effects)
        decide(state.decided, observation, stood, {verdict.segment for verdict in verdicts})
        return True

    def finish(self, effects: Effects) -> None:
        """Nothing is left for the end of a batch."""

    def due(self, state: DriftState) -> float | None:
        """A drift signal has no timers: it looks when an observation arrives."""
        return None

    def fire(self, signal: str, state: DriftState, until: float, effects: Effects) -> None:
        """Nothing to fire."""

    def verdicts(self, signal: str, state: Any) -> Sequence[Verdict]:
        """As they stand with the state of data.health that was given last (``hold``)."""
        if signal == DATA_HEALTH:
            return self._health.verdicts(state)
        found = self._signals.get(signal)
        if found is None:
            return ()
        verdicts = show(state.decided, found.verdicts(state.own))
        for verdict in verdicts if state.announced else ():
            verdict.announcements = of_segment(state.announced, verdict.segment)
        opinion = self._opinions.get(signal)
        if opinion is not None:
            verdicts[0].second_opinion = opinion.opinion(state.second)
        chosen = self.chosen(signal, state)
        for verdict in verdicts:
            verdict.chosen = chosen
        return shown(verdicts, self._concerning(found), state.left_out)

    def chosen(self, signal: str, state: DriftState) -> Chosen | None:
        """From when on the operator wants the baseline of a signal that is known here; None: nobody has chosen."""
        begun_with, asked = state.own.counted_from, self._counted_from.get(signal)
        return None if begun_with is None and asked is None else Chosen(begun_with, asked)

    def _opinion_of(self, signal: str, raw: bytes) -> OpinionState | None:
        opinion = self._opinions.get(signal)
        return opinion.decode_state(raw) if opinion is not None else None

    def _retake(self, signal: Signal, state: DriftState, observation: Observation, effects: Effects) -> None:
        """Takes a baseline anew; with that of the whole, the second opinion begins anew."""
        effects.alerts.extend(signal.step(state.own, observation))
        if state.second is not None and observation.segments["segment"] == ALL:
            state.second = self._opinions[signal.name].new_state(state.second.kept.told_at)

    def _concerning(self, signal: Signal) -> list[Fact]:
        facts = self._facts.get(signal.name)
        if facts is None:
            all_facts = self._health.facts(self._health_state)
            facts = self._facts[signal.name] = [
                fact for fact in all_facts if concerns(self._needs[signal.name], fact)
            ]
        return facts

    def _keeps_out(
        self,
        signal: Signal,
        state: DriftState,
        facts: Sequence[Fact],
        observation: Observation,
        effects: Effects,
    ) -> bool:
        """Tells the signal of an illness that is over, and lets it learn anew where a changed source has become the usual one.
        Returns whether the observation is left out."""
        over = over_until(facts)
        if over > state.interrupted:
            state.interrupted = over
            signal.interrupted(state.own, over)
        adopted = adopted_until(facts)
        if adopted > state.relearned:
            state.relearned = adopted
            for verdict in signal.verdicts(state.own):
                self._retake(signal, state, _relearn(signal.name, verdict.segment, adopted), effects)
        if not touched(facts, observation):
            return False
        count_out(state.left_out, observation)
        return True


def _named_now(segment: str) -> str:
    """plg.conversion_gap once named the segment of a source by the source alone: what people said of it then is stored so."""
    return segment if segment == ALL or ":" in segment else f"source:{segment}"


def _relearn(signal: str, segment: str, at: float) -> Observation:
    return Observation(
        signal=signal,
        measure=BASELINE_RETAKEN,
        at=at,
        began=at,
        value=1.0,
        account="",
        segments={"segment": segment},
    )


def all_verdicts(stage: DriftStage, signals: Sequence[Signal], states: Mapping[str, Any]) -> list[Verdict]:
    """Those of all signals, in their order, with ``states`` as stored (key -> state); of data.health at the end, when it has
    heard of a source."""
    health = states.get(DATA_HEALTH)
    stage.hold(health if health is not None else stage.new_state(DATA_HEALTH))
    found: list[Verdict] = []
    for signal in signals:
        state = states.get(signal.name)
        found += stage.verdicts(signal.name, stage.new_state(signal.name) if state is None else state)
    if health is not None:
        found += stage.verdicts(DATA_HEALTH, health)
    return found
