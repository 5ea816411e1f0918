"""What every detector and every signal must keep, as checks that run over the whole catalogue.

Each check takes one implementation and raises Broken, naming the rule, when it does not hold. They are part of the
program, not of its tests, so that somebody who writes a signal of their own can run them: ``for check in SIGNAL_CHECKS:
check(signal)``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from detectors.sequential.contract import Detector
from detectors.signals.contract import ALL, BEFORE_BASELINE, Signal
from detectors.signals.weeks import week_start
from schemas.alerts import encode_alert
from schemas.duration import DAY
from schemas.errors import EventRefused, StateRefused
from schemas.observations import Observation

LARGEST_DETECTOR_STATE = 4_096
LARGEST_SIGNAL_STATE = 1_000_000
"""Bytes; a state that grows with its input would pass them sooner or later."""
SPACING = 3_600.0
"""Seconds between the observations of a detector's example, the first of which is at 0."""

DetectorExample = tuple[Detector, Sequence[float], Sequence[float]]


class Broken(AssertionError):
    """A rule of the contract does not hold."""


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)


def _feed(detector: Detector, state: Any, values: Sequence[float], start: int = 0) -> list[float]:
    statistics = []
    for number, value in enumerate(values, start=start):
        detector.update(state, value, number * SPACING)
        statistics.append(detector.statistic(state))
    return statistics


def detector_state_round_trips(example: DetectorExample) -> None:
    detector, values, _ = example
    half = len(values) // 2
    whole, stored = detector.new_state(), detector.new_state()
    _feed(detector, whole, values[:half])
    _feed(detector, stored, values[:half])
    stored = detector.decode_state(detector.encode_state(stored))
    same = _feed(detector, whole, values[half:], half) == _feed(detector, stored, values[half:], half)
    _must(same, "a stored state goes on as the one that was kept")
    _must(
        detector.encode_state(whole) == detector.encode_state(stored), "the same numbers give the same bytes"
    )


def detector_keeps_nothing_itself(example: DetectorExample) -> None:
    detector, values, _ = example
    alone = _feed(detector, detector.new_state(), values)
    one, other = detector.new_state(), detector.new_state()
    mixed = []
    for number, value in enumerate(values):
        detector.update(one, value, number * SPACING)
        if number % 2:
            detector.update(other, values[number // 2], number // 2 * SPACING)
        mixed.append(detector.statistic(one))
    _must(alone == mixed, "two states of one detector don't touch each other")


def detector_state_is_bounded(example: DetectorExample) -> None:
    detector, values, _ = example
    state = detector.new_state()
    for _ in range(3):
        _feed(detector, state, values)
    size = len(detector.encode_state(state))
    _must(size <= LARGEST_DETECTOR_STATE, f"a state has at most {LARGEST_DETECTOR_STATE} bytes, not {size}")


def detector_is_silent_without_a_change(example: DetectorExample) -> None:
    detector, values, _ = example
    largest = max(_feed(detector, detector.new_state(), values))
    _must(math.isfinite(largest), "the statistic is finite")
    _must(largest < len(values), "the statistic stays below the number of observations where nothing changes")


def detector_refuses_what_cannot_be(example: DetectorExample) -> None:
    detector, values, impossible = example
    state = detector.new_state()
    _feed(detector, state, values[:10])
    before = detector.encode_state(state)
    now = 10 * SPACING
    for value, at in [*((value, now) for value in impossible), (values[0], math.nan), (values[0], math.inf)]:
        try:
            detector.update(state, value, at)
        except ValueError:
            _must(detector.encode_state(state) == before, "a refused number leaves the state as it was")
        else:
            raise Broken(f"a number that can't be ({value} at {at}) is refused with ValueError")


def detector_refuses_foreign_states(example: DetectorExample) -> None:
    detector, _, _ = example
    _refuses_foreign(detector.encode_state(detector.new_state()), detector.decode_state)


def _refuses_foreign(raw: bytes, decode: Callable[[bytes], Any]) -> None:
    version, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
    newer = msgspec.msgpack.encode((version + 1, body))
    for foreign, what in [(newer, "a newer version"), (raw[:-1], "a cut"), (b"", "nothing"), (b"{}", "JSON")]:
        try:
            decode(foreign)
        except StateRefused:
            continue
        raise Broken(f"{what} instead of a state is refused with StateRefused")


def _run(signal: Signal, state: Any, observations: Sequence[Observation]) -> list[bytes]:
    return [encode_alert(alert) for observation in observations for alert in signal.step(state, observation)]


def signal_state_round_trips(signal: Signal) -> None:
    observations = signal.healthy_example()
    whole, stored = signal.new_state(), signal.new_state()
    alerts, again = _run(signal, whole, observations), []
    batch = len(observations) // 7 + 1
    for start in range(0, len(observations), batch):
        again += _run(signal, stored, observations[start : start + batch])
        stored = signal.decode_state(signal.encode_state(stored))
    _must(alerts == again, "any split into batches gives the same alerts")
    _must(signal.encode_state(whole) == signal.encode_state(stored), "and the same state, byte for byte")
    _must(signal.verdicts(whole) == signal.verdicts(stored), "and the same verdicts")


def signal_leaves_its_input_alone(signal: Signal) -> None:
    observations = signal.healthy_example()[:500]
    mine = copy.deepcopy(observations)
    state, other = signal.new_state(), signal.new_state()
    for observation, original in zip(mine, observations, strict=True):
        signal.step(state, observation)
        _must(observation == original, "an observation is not changed")
        observation.segments.clear()
    _run(signal, other, observations)
    same = signal.encode_state(state) == signal.encode_state(other)
    _must(same, "the state holds no reference to an observation")


def signal_state_is_bounded(signal: Signal) -> None:
    state = signal.new_state()
    for i, observation in enumerate(signal.healthy_example()):
        name = f"value-{i % 997}"
        observation.segments = dict.fromkeys(observation.segments, name)
        observation.account = "x" * 256
        signal.step(state, observation)
    size = len(signal.encode_state(state))
    _must(size <= LARGEST_SIGNAL_STATE, f"a state has at most {LARGEST_SIGNAL_STATE} bytes, not {size}")


def signal_is_silent_without_a_change(signal: Signal) -> None:
    state = signal.new_state()
    _must(_run(signal, state, signal.healthy_example()) == [], "no alert where nothing changes")
    states = {verdict.state for verdict in signal.verdicts(state)}
    _must(
        states <= {"learning", "watching"} and "watching" in states, f"it learns, then watches; not {states}"
    )


def signal_refuses_what_cannot_be(signal: Signal) -> None:
    state = signal.new_state()
    observations = signal.healthy_example()
    _run(signal, state, observations[:100])
    before = signal.encode_state(state)
    changes: list[dict[str, Any]] = [
        *({"value": value} for value in (math.nan, math.inf, -math.inf)),
        *({"at": at} for at in (math.nan, math.inf, -1e300)),
        *({"began": began} for began in (math.nan, -math.inf, 1e300)),
        {"measure": "no such measure"},
        {"signal": "no.such.signal"},
    ]
    for change in changes:
        try:
            signal.step(state, msgspec.structs.replace(observations[100], **change))
        except EventRefused as error:
            _must(signal.encode_state(state) == before, "a refused observation leaves the state as it was")
            _must(observations[100].account not in str(error), "no account's id in an error")
        else:
            raise Broken(f"an observation that can't be ({change}) is refused with EventRefused")


def signal_refuses_foreign_states(signal: Signal) -> None:
    _refuses_foreign(signal.encode_state(signal.new_state()), signal.decode_state)


def signal_gives_verdicts_in_order(signal: Signal) -> None:
    state = signal.new_state()
    empty = signal.verdicts(state)
    _must([verdict.segment for verdict in empty] == [ALL], "a new state has one verdict, for all")
    _must(empty[0].state == "learning" and empty[0].missing != "", "which says what learning still needs")
    _run(signal, state, signal.healthy_example())
    names = [verdict.segment for verdict in signal.verdicts(state)]
    _must(
        names == [ALL, *sorted(names[1:])] and len(set(names)) == len(names),
        "all first, then by name, each once",
    )
    for verdict in signal.verdicts(state):
        _must(verdict.signal == signal.name, "a verdict names its signal")
        _must(len(verdict.history) <= 260, "a history has at most 260 points")
        _must(math.isfinite(verdict.statistic) and math.isfinite(verdict.threshold), "numbers are finite")
        _must(
            (verdict.state == "learning") == (verdict.missing != ""),
            "missing is said while learning, only then",
        )


def signal_counts_out_what_began_before_its_baseline(signal: Signal) -> None:
    observations = signal.healthy_example()
    chosen = observations[0].at + 80 * DAY
    state, whole = signal.new_state(chosen), signal.new_state()
    _must(_run(signal, state, observations) == [], "no alert where nothing changes")
    _run(signal, whole, observations)
    verdict, without = signal.verdicts(state)[0], signal.verdicts(whole)[0]
    told, in_all = (each.n + sum(each.counted_out.values()) for each in (verdict, without))
    _must(verdict.counted_out.get(BEFORE_BASELINE, 0) > 0, "what began before is counted out")
    _must(told == in_all and verdict.n < without.n, "each counts once, in the number or out of it")
    _must(verdict.state == "watching", "the baseline is learned from what began since")
    _must(all(point.at >= week_start(chosen) for point in verdict.history), "and so is the chart")
    _must(BEFORE_BASELINE not in without.counted_out, "nothing is counted out unless somebody chose")
    again = signal.decode_state(signal.encode_state(state))
    _must(again.counted_from == chosen, "the choice is kept with the state")
    _must(
        signal.decode_state(signal.encode_state(whole)).counted_from is None, "and so is that there is none"
    )


DETECTOR_CHECKS: tuple[Callable[[DetectorExample], None], ...] = (
    detector_state_round_trips,
    detector_keeps_nothing_itself,
    detector_state_is_bounded,
    detector_is_silent_without_a_change,
    detector_refuses_what_cannot_be,
    detector_refuses_foreign_states,
)
SIGNAL_CHECKS: tuple[Callable[[Signal], None], ...] = (
    signal_state_round_trips,
    signal_leaves_its_input_alone,
    signal_state_is_bounded,
    signal_is_silent_without_a_change,
    signal_refuses_what_cannot_be,
    signal_refuses_foreign_states,
    signal_gives_verdicts_in_order,
    signal_counts_out_what_began_before_its_baseline,
)
