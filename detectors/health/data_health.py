"""data.health: all sources, as the drift stage keeps them; which are ill, and since when.

Rules:
1. An hour is judged when the first observation of a later one comes: then all partitions and processes have told theirs.
2. At most WATCHES sources are watched. A newcomer takes the place of the one that has sent least, if that is still learned:
   who invents sources drives out other inventions only. Those without a place are not watched.
3. A source that is silent for ADOPTED_S while another of its type sends as much has been replaced: it is let go.
4. A gap of more than MAX_GAP hours is not gone through hour by hour: all that is longer is silence anyway.
5. A person may say that an illness is known (detectors/decisions.py), or that what was learned of a source holds no more: it
   was retired, or is meant to be as it is now. Then its illness is over, and it is as if it had never spoken; it stands among the
   others, with who said so, until it speaks, or for ADOPTED_S. What still speaks has become the usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from detectors.decisions import DECISIONS, Decided, decide, show, standing
from detectors.health.fields import Needs
from detectors.health.rhythm import LEARN_WEEKS
from detectors.health.share import ALARM, WATCHES
from detectors.health.tally import HOUR_MEASURE, OTHERS, QUIET_HOURS, SIGNAL, TICK_MEASURE
from detectors.health.watch import ADOPTED_S, Illness, Watch
from detectors.health.words import alert_of
from detectors.sequential.stored_state import decode, encode
from detectors.signals.contract import ALL, BASELINE_RETAKEN, Verdict, VerdictState
from schemas.alerts import DataHealthAlert, Interval
from schemas.duration import HOUR
from schemas.errors import EventRefused, Problem
from schemas.observations import Observation

STATE_VERSION = 3
MAX_GAP = QUIET_HOURS
MAX_PAST = 64
_LATEST = 7_258_118_400.0
_MEASURES = (HOUR_MEASURE, TICK_MEASURE)
_WORST: tuple[VerdictState, ...] = ("ill", "acknowledged", "watching")


class Fact(Struct, array_like=True, frozen=True):
    """An illness of a source, as the signals that feed on ``type`` have to know it."""

    type: str
    illness: Illness


class HealthState(Struct, array_like=True):
    """``ends``: of the hour that ``hour`` is of (Unix seconds; 0 before the first); type -> source -> in both."""

    ends: float = 0.0
    hour: dict[str, dict[str, dict[str, list[int]]]] = {}
    watches: dict[str, dict[str, Watch]] = {}
    left_out: int = 0
    past: list[Fact] = []
    """of sources that were let go"""
    needs: dict[str, dict[str, list[str]]] = {}
    """signal -> event type -> fields: as they were when this was stored, for those who show it"""
    decided: dict[str, Decided] = {}
    """``type source`` -> what people decided about it"""


class DataHealth:
    """``needs``: by signal, for the words. Pure, like a signal's drift half."""

    name = SIGNAL
    title = "sources of events that are not what they were"

    def __init__(self, needs: Mapping[str, Needs]) -> None:
        self._needs = needs

    def new_state(self) -> HealthState:
        return HealthState()

    def encode_state(self, state: HealthState) -> bytes:
        return encode(STATE_VERSION, state)

    def decode_state(self, raw: bytes) -> HealthState:
        """Raises StateRefused."""
        return decode(raw, STATE_VERSION, HealthState, what="the state of data.health")

    def step(self, state: HealthState, observation: Observation) -> list[DataHealthAlert]:
        """Raises EventRefused, and leaves ``state`` as it was, for an observation or a decision that can't be."""
        if observation.signal == SIGNAL and observation.measure in DECISIONS:
            return self._decide(state, observation)
        _refuse(observation)
        found: list[DataHealthAlert] = []
        ends = observation.at
        if ends > state.ends:
            if state.ends:
                found = list(self._judge(state, ends))
                for alert in found:
                    _end_acknowledgement(state, alert)
            state.ends, state.hour = ends, {}
        if observation.measure == HOUR_MEASURE:
            of_type = state.hour.setdefault(observation.segments["type"], {})
            counts = of_type.setdefault(observation.segments["source"], {})
            for name, numbers in observation.counts.items():
                _add(counts, name, numbers)
        return found

    def facts(self, state: HealthState) -> list[Fact]:
        """All illnesses that are kept, those that are over too."""
        lasting = [
            Fact(event_type, illness)
            for event_type, watches in state.watches.items()
            for watch in watches.values()
            for illness in watch.illnesses
        ]
        return [*state.past, *lasting]

    def verdicts(self, state: HealthState) -> list[Verdict]:
        """One for each source, named ``type source``; ``all`` is as the worst of them."""
        each = show(state.decided, _by_source(state))
        whole = _verdict(ALL, Watch(), state.ends)
        whole.missing = f"{LEARN_WEEKS} weeks of a source's rhythm"
        whole.n = sum(verdict.n for verdict in each)
        states = {verdict.state for verdict in each}
        for worst in _WORST:
            if worst in states:
                whole.state, whole.missing = worst, ""
                break
        ill = sorted({verdict.finding for verdict in each if verdict.finding})
        whole.finding = ", ".join(ill)
        if state.left_out:
            whole.counted_out = {"no_place": state.left_out}
        return [whole, *each]

    def _decide(self, state: HealthState, observation: Observation) -> list[DataHealthAlert]:
        """Raises EventRefused where there is no such source, and for all at once: each was retired by itself, or was not."""
        if observation.segments.get("segment") == ALL:
            raise EventRefused(
                Problem(
                    code="bad_value",
                    what="a decision about data.health is of one source",
                    where="$.segments.segment",
                    remedy="name its type and source, as plumbline drift lists them",
                )
            )
        verdicts = _by_source(state)
        stood = standing(observation, verdicts)
        decide(state.decided, observation, stood, {verdict.segment for verdict in verdicts})
        if observation.measure != BASELINE_RETAKEN:
            return []
        event_type, _, source = stood.segment.partition(" ")
        watch = state.watches[event_type][source]
        state.watches[event_type][source] = Watch()
        state.hour.get(event_type, {}).pop(source, None)
        told = []
        for illness in watch.illnesses:
            if illness.ended is None:
                illness.ended = max(observation.at, illness.found)
                illness.adopted = illness.symptom != "silent"
                told.append(
                    alert_of(event_type, source, watch, illness, illness.ended, self._needs, forgotten=True)
                )
            state.past.append(Fact(event_type, illness))
        del state.past[:-MAX_PAST]
        return told

    def _judge(self, state: HealthState, until: float) -> Iterator[DataHealthAlert]:
        """Judges the hours that end before ``until``, the first of them with what was told of it."""
        self._give_places(state)
        told = state.hour
        last = min(until, state.ends + MAX_GAP * HOUR)
        ended = state.ends
        while ended < last:
            for event_type, watches in sorted(state.watches.items()):
                counts = told.get(event_type, {})
                for source, watch in sorted(watches.items()):
                    for illness in watch.hour(counts.get(source, {}), ended - HOUR, ended):
                        yield alert_of(event_type, source, watch, illness, ended, self._needs)
            told = {}
            ended += HOUR
        yield from self._let_go(state, ended)

    def _give_places(self, state: HealthState) -> None:
        taken = sum(map(len, state.watches.values()))
        for event_type, sources in sorted(state.hour.items()):
            for source, counts in sorted(sources.items()):
                watches = state.watches.setdefault(event_type, {})
                if source in watches or source == OTHERS:
                    continue
                if taken >= WATCHES and not _make_room(state, sum(counts["seen"])):
                    state.left_out += 1
                    continue
                taken = min(taken + 1, WATCHES)
                watches[source] = Watch()

    def _let_go(self, state: HealthState, at: float) -> Iterator[DataHealthAlert]:
        for event_type, watches in sorted(state.watches.items()):
            replaced = [source for source, watch in watches.items() if _is_replaced(watch, watches, at)]
            for source in sorted(replaced):
                watch = watches.pop(source)
                state.decided.pop(_named(event_type, source), None)
                for illness in watch.illnesses:
                    if illness.ended is None:
                        illness.ended, illness.adopted = at, True
                        yield alert_of(event_type, source, watch, illness, at, self._needs)
                    state.past.append(Fact(event_type, illness))
            for source in [source for source, watch in watches.items() if not watch.newest]:
                if _decided_at(state, event_type, source) <= at - ADOPTED_S:
                    del watches[source]
                    state.decided.pop(_named(event_type, source), None)
        del state.past[:-MAX_PAST]


def _named(event_type: str, source: str) -> str:
    """The segment that a source is."""
    return f"{event_type} {source}"


def _by_source(state: HealthState) -> list[Verdict]:
    return [
        _verdict(_named(event_type, source), watch, state.ends)
        for event_type, watches in sorted(state.watches.items())
        for source, watch in sorted(watches.items())
    ]


def _decided_at(state: HealthState, event_type: str, source: str) -> float:
    """When a person last decided about a source (Unix seconds); 0: never."""
    decided = state.decided.get(_named(event_type, source))
    return decided.decisions[-1].at if decided else 0.0


def _end_acknowledgement(state: HealthState, alert: DataHealthAlert) -> None:
    """It is of the illnesses of a source that were on: over with the last of them, or when another one begins."""
    decided = state.decided.get(_named(alert.type, alert.source))
    if decided is not None:
        watch = state.watches.get(alert.type, {}).get(alert.source)
        if alert.state == "ill" or watch is None or watch.state != "ill":
            decided.known = False


def _is_replaced(watch: Watch, of_type: Mapping[str, Watch], at: float) -> bool:
    if not watch.rhythm.score.ill or at - watch.newest < ADOPTED_S:
        return False
    others = sum(other.rhythm.a_day for other in of_type.values() if not other.rhythm.score.ill)
    return others >= 0.5 * watch.rhythm.a_day


def _make_room(state: HealthState, newcomer: int) -> bool:
    """Takes the place of the smallest source that is still learned, if it has sent less than the newcomer in its first hour."""
    small = [
        (watch.arrived, event_type, source)
        for event_type, watches in state.watches.items()
        for source, watch in watches.items()
        if watch.state == "learning"
    ]
    if not small or min(small)[0] >= newcomer:
        return False
    _, event_type, source = min(small)
    del state.watches[event_type][source]
    state.decided.pop(_named(event_type, source), None)
    return True


def _add(counts: dict[str, list[int]], name: str, numbers: list[int]) -> None:
    have = counts.get(name)
    if have is None:
        counts[name] = list(numbers)
    elif name == "bits":
        counts[name] = sorted({*have, *numbers})
    else:
        counts[name] = [a + b for a, b in zip(have, numbers, strict=True)]


def _verdict(segment: str, watch: Watch, at: float) -> Verdict:
    rhythm = watch.rhythm
    ill = [illness for illness in watch.illnesses if illness.ended is None]
    state = watch.state
    lacking = "its next event"
    if watch.newest and not rhythm.waits:
        lacking = f"{max(0.0, LEARN_WEEKS - rhythm.weeks):.1f} weeks of its rhythm"
    scores = [rhythm.score, watch.behind.score, watch.twice.score, *(s.score for s in watch.filled.values())]
    expected = Interval(estimate=rhythm.a_day, low=rhythm.a_day, high=rhythm.a_day, n=int(rhythm.hours))
    return Verdict(
        signal=SIGNAL,
        segment=segment,
        state=state,
        at=at,
        since=min((illness.began for illness in ill), default=None),
        since_margin_days=None,
        before=expected if rhythm.learned else None,
        now=None,
        statistic=max(score.value for score in scores),
        threshold=ALARM if rhythm.learned else 0.0,
        n=watch.arrived,
        missing=lacking if state == "learning" else "",
        finding=", ".join(f"{each.symptom} {each.field}".strip() for each in ill),
        counted_out={"repeats": watch.repeated} if watch.repeated else {},
        history=[],
        unit="events_a_day",
    )


def _refuse(observation: Observation) -> None:
    problem = _problem(observation)
    if problem:
        raise EventRefused(
            Problem(code="bad_value", what=problem, remedy="report this: Plumbline wrote it itself")
        )


def _problem(observation: Observation) -> str:
    if observation.signal != SIGNAL or observation.measure not in _MEASURES:
        return "not an observation of data.health"
    if not (HOUR <= observation.at <= _LATEST) or observation.at % HOUR:
        return "an hour ends at a full hour, from 1970 to 2200"
    if observation.measure == TICK_MEASURE:
        return ""
    if not observation.segments.keys() >= {"type", "source"}:
        return "a source has a type and a name"
    return "" if _countable(observation.counts) else "counts that can't be"


def _countable(counts: Mapping[str, Sequence[Any]]) -> bool:
    if len(counts.get("seen", ())) != 4 or ("named" in counts) != ("bits" in counts):
        return False
    return all(
        min(numbers, default=0) >= 0 and (not name.startswith("values.") or len(numbers) == 16)
        for name, numbers in counts.items()
    )
