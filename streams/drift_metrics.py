"""The metrics of drift: a series for each signal and segment, bounded in number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, Gauge

from detectors.signals.contract import Verdict, VerdictState, names_a_person
from streams.metric_labels import OTHER, bounded_label

DRIFT_STATES: tuple[str, ...] = get_args(VerdictState)
MAX_SIGNALS = 50


class DriftMetrics:
    """Not for several threads at once: whoever calls takes care of that. ``segments_per_signal``: segments with series of
    their own; the others share ``other``."""

    def __init__(self, registry: CollectorRegistry, segments_per_signal: int) -> None:
        self._segments_per_signal = segments_per_signal
        self._signals: set[str] = set()
        self._segments: dict[str, set[str]] = {}
        self._latest: dict[str, list[Verdict]] = {}
        by_segment = ["signal", "segment"]
        self._statistic = Gauge(
            "plumbline_drift_statistic",
            "The detector's statistic: it alarms at the threshold.",
            by_segment,
            registry=registry,
        )
        self._threshold = Gauge(
            "plumbline_drift_threshold",
            "Where the detector alarms; set by the promised rate of false alarms.",
            by_segment,
            registry=registry,
        )
        self._baseline = Gauge(
            "plumbline_drift_baseline",
            "Estimate in the frozen baseline, in the signal's unit; absent while learning.",
            by_segment,
            registry=registry,
        )
        self._current = Gauge(
            "plumbline_drift_current",
            "Estimate now, in the signal's unit; absent while unknown.",
            by_segment,
            registry=registry,
        )
        self._state = Gauge(
            "plumbline_drift_state",
            "1 for the state that the segment is in, 0 for the others.",
            [*by_segment, "state"],
            registry=registry,
        )
        self._held = Gauge(
            "plumbline_drift_held", "Observations that wait for an account partition.", registry=registry
        )
        self._waits = Gauge(
            "plumbline_drift_waits_seconds", "Since when the first of them waits.", registry=registry
        )

    def verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """All verdicts of one or more signals; they replace what was known of these signals.

        Where several segments share ``other``, it shows the one nearest to its threshold: the worst must not hide.
        """
        by_signal: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            by_signal.setdefault(verdict.signal, []).append(verdict)
        self._latest.update(by_signal)
        self._show_all()

    def forget(self, signals: Collection[str]) -> None:
        for signal in signals:
            self._latest.pop(signal, None)
        self._show_all()

    def _show_all(self) -> None:
        for gauge in (self._statistic, self._threshold, self._baseline, self._current, self._state):
            gauge.clear()
        for signal, known in self._latest.items():
            for segment, verdict in self._shown(signal, known).items():
                self._show(bounded_label(self._signals, signal, MAX_SIGNALS), segment, verdict)

    def waits(self, held: int, waited_s: float) -> None:
        self._held.set(held)
        self._waits.set(waited_s)

    def _shown(self, signal: str, verdicts: Sequence[Verdict]) -> dict[str, Verdict]:
        """segment label -> the verdict that it shows"""
        shown: dict[str, Verdict] = {}
        seen = self._segments.setdefault(signal, set())
        for verdict in verdicts:
            label = OTHER
            if not names_a_person(verdict.segment):
                label = bounded_label(seen, verdict.segment, self._segments_per_signal)
            if label not in shown or _nearness(verdict) > _nearness(shown[label]):
                shown[label] = verdict
        return shown

    def _show(self, signal: str, segment: str, verdict: Verdict) -> None:
        self._statistic.labels(signal, segment).set(verdict.statistic)
        self._threshold.labels(signal, segment).set(verdict.threshold)
        if verdict.before is not None:
            self._baseline.labels(signal, segment).set(verdict.before.estimate)
        if verdict.now is not None:
            self._current.labels(signal, segment).set(verdict.now.estimate)
        for state in DRIFT_STATES:
            self._state.labels(signal, segment, state).set(1 if state == verdict.state else 0)


def _nearness(verdict: Verdict) -> tuple[bool, float]:
    """How near a verdict is to an alarm; drifting comes before everything, also before what is known of."""
    ratio = verdict.statistic / verdict.threshold if verdict.threshold > 0 else 0.0
    return verdict.state in ("drifting", "ill"), ratio
