"""Every Prometheus metric, named and explained once. docs/metrics.md is the same for people; a test compares the two.

Rules:
1. Each service instance has its own registry; nothing is global, so two services in one process don't mix.
2. No account id, e-mail address or text of a person is ever a label. Labels come from closed sets (event types,
   results, alert kinds), from the operator's own files (variants, endpoints), or they are bounded: the first N values
   that look like a name, and ``other`` for the rest.
3. Called for each batch, delivery or request, never for each event.
4. Series whose labels are known beforehand are there from the start, at 0: a rate sees their first event only so.
5. Base units: seconds, events, points of score. Times are Unix seconds.
"""

from __future__ import annotations

import platform
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client import Counter as Count
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from detectors.signals.contract import Verdict
from schemas.events import EVENT_CLASSES
from schemas.settings import AlertKind
from streams.batch_result import BatchResult
from streams.delivery.policy import Result
from streams.drift_metrics import DriftMetrics
from streams.exposition import Exposition
from streams.metric_labels import OTHER, bounded_label
from streams.score_histogram import ScoreHistogram

__all__ = ["CONTENT_TYPE", "Metrics"]

ACCOUNTS = "accounts"
UNKNOWN_TYPE = "unknown"
_EVENT_TYPES = {event_class.__name__: event_type for event_type, event_class in EVENT_CLASSES.items()}
_DELIVERY_RESULTS = frozenset(result.value for result in Result)
MAX_REASONS = 50
MAX_ENDPOINTS = 100
MAX_VARIANTS = 100

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
EVENTS = (1, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000, 50_000)
FIT_POINTS = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
TRIGGER_POINTS = (0, 5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200)


class Metrics:
    """The metrics of one service instance. Methods are named for what happened; they may be called on any thread.

    ``segments_per_signal``: segments with series of their own, for each drift signal; the others share ``other``.
    ``served``: beginnings of the names that this process serves; a process that only delivers says nothing of events.
    """

    def __init__(self, *, segments_per_signal: int = 20, served: tuple[str, ...] = ("",)) -> None:
        self._served = served
        self._lock = threading.Lock()
        self._seen: dict[str, set[str]] = {}
        self._registry = registry = CollectorRegistry()

        # events in
        self._events = Count(
            "plumbline_events",
            "Events that went through the account stage, by CloudEvents type (unknown: dead-lettered) and by what became of them.",
            ["type", "result"],
            registry=registry,
        )
        self._dead_letters = Count(
            "plumbline_dead_letters",
            "Events that could not be used, by reason code.",
            ["reason"],
            registry=registry,
        )
        self._gateway_requests = Count(
            "plumbline_gateway_requests",
            "Requests to POST /v1/events, by HTTP status of the answer.",
            ["code"],
            registry=registry,
        )
        self._gateway_events = Count(
            "plumbline_gateway_events",
            "Events in those requests: kept (durable, answered with 202) or refused.",
            ["result"],
            registry=registry,
        )

        # the processor
        self._stopped = Gauge(
            "plumbline_partitions_stopped",
            "Partitions that stand still because too many of their events would be dead letters.",
            registry=registry,
        )
        self._unfetched = Gauge(
            "plumbline_partitions_unfetched",
            "Partitions that this worker was given and has not fetched from for a minute though they have records.",
            registry=registry,
        )
        self._records_lost = Count(
            "plumbline_records_lost",
            "Events and observations that Kafka had removed before a worker read them.",
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "plumbline_batch_seconds",
            "Seconds from the load of a batch's states to the end of its commit.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._commit_seconds = Histogram(
            "plumbline_commit_seconds",
            "Seconds that the commit of a batch took.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._batch_events = Histogram(
            "plumbline_batch_events",
            "Records in a batch: events in the account stage, observations in the drift stage.",
            ["stage"],
            buckets=EVENTS,
            registry=registry,
        )
        self._lag_events = Gauge(
            "plumbline_lag_events", "Events that are kept but not yet processed.", registry=registry
        )
        self._lag_seconds = Gauge(
            "plumbline_lag_seconds",
            "Seconds by which the watermark is behind the clock while events wait; 0 when none waits.",
            registry=registry,
        )
        self._watermark = Gauge(
            "plumbline_watermark_timestamp_seconds",
            "Newest event time applied so far; 0 before the first event.",
            registry=registry,
        )
        self._accounts = Gauge("plumbline_accounts", "Accounts with a state.", registry=registry)

        # scores and alerts
        self._fit_score = ScoreHistogram(
            "plumbline_fit_score",
            "Fit, in points, of accounts whose fit a batch computed anew; 0 for those that the screen puts out.",
            FIT_POINTS,
        )
        self._trigger_score = ScoreHistogram(
            "plumbline_trigger_score",
            "Trigger score, in points, of accounts that a batch touched, after the batch; below 0 counts as 0.",
            TRIGGER_POINTS,
        )
        registry.register(self._fit_score)
        registry.register(self._trigger_score)
        self._alerts = Count("plumbline_alerts", "Alerts made, by kind.", ["kind"], registry=registry)

        self._drift = DriftMetrics(registry, segments_per_signal)

        # alerts out
        self._alerts_waiting = Gauge(
            "plumbline_alerts_topic_waiting",
            "Alerts in the alerts topic that delivery has not taken in yet.",
            registry=registry,
        )
        self._alerts_lost = Count(
            "plumbline_alerts_topic_lost",
            "Alerts that the alerts topic had dropped before delivery read them.",
            registry=registry,
        )
        self._deliveries = Count(
            "plumbline_deliveries",
            "What became of webhook attempts and deliveries, by endpoint.",
            ["endpoint", "result"],
            registry=registry,
        )
        self._delivery_backlog = Gauge(
            "plumbline_delivery_backlog",
            "Deliveries that wait for their first or next attempt.",
            ["endpoint"],
            registry=registry,
        )
        self._delivery_oldest = Gauge(
            "plumbline_delivery_oldest_seconds",
            "Age of the oldest waiting delivery; 0 when none waits.",
            ["endpoint"],
            registry=registry,
        )

        # the service
        self._start_at_zero()
        build = Info("plumbline_build", "Version of Plumbline and of Python, as labels.", registry=registry)
        build.info({"version": version("plumbline"), "python": platform.python_version()})
        ProcessCollector(registry=registry)

    def batch_done(self, stage: str, result: BatchResult, *, watermark: float) -> None:
        """A batch of ``stage`` (accounts, drift) is committed. ``watermark``: of the accounts, after it, in Unix seconds."""
        self._batch_seconds.labels(stage).observe(result.batch_s)
        self._commit_seconds.labels(stage).observe(result.commit_s)
        self._batch_events.labels(stage).observe(result.received)
        for kind, count in Counter(alert.kind for alert in result.alerts).items():
            self._alerts.labels(kind).inc(count)
        if stage == ACCOUNTS:
            self._watermark.set(watermark)
            self._events_done(result)
            self._accounts_scored(result)

    def _events_done(self, result: BatchResult) -> None:
        outcomes: tuple[tuple[str, Mapping[str, int]], ...] = (
            ("applied", result.applied),
            ("duplicate", result.duplicate),
            ("late", result.late),
        )
        for outcome, counts in outcomes:
            for class_name, count in counts.items():
                self._events.labels(_EVENT_TYPES[class_name], outcome).inc(count)
        self._events.labels(UNKNOWN_TYPE, "dead_lettered").inc(len(result.dead_letters))
        for reason, count in Counter(letter.reason for letter in result.dead_letters).items():
            self._dead_letters.labels(self._bounded("reason", reason, MAX_REASONS)).inc(count)

    def _accounts_scored(self, result: BatchResult) -> None:
        fits: dict[str, list[float]] = {}
        triggers: dict[str, list[float]] = {}
        for listing in result.effects.listings:
            triggers.setdefault(listing.variant, []).append(listing.trigger)
            if listing.fit is not None:
                fits.setdefault(listing.variant, []).append(listing.fit)
        with self._lock:
            for histogram, scores in ((self._fit_score, fits), (self._trigger_score, triggers)):
                for variant, values in scores.items():
                    histogram.observe(bounded_label(self._names("variant"), variant, MAX_VARIANTS), values)

    def lag(self, *, events: int, now: float, watermark: float) -> None:
        """``events`` wait to be processed at the time ``now``."""
        self._lag_events.set(events)
        self._lag_seconds.set(max(0.0, now - watermark) if events and watermark else 0.0)

    def accounts(self, count: int) -> None:
        self._accounts.set(count)

    def verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """All verdicts of one or more signals; they replace what was known of these signals."""
        with self._lock:
            self._drift.verdicts(verdicts)

    def forget_verdicts(self, signals: Collection[str]) -> None:
        """Another process shows these signals from now on."""
        with self._lock:
            self._drift.forget(signals)

    def drift_waits(self, held: int, waited_s: float) -> None:
        self._drift.waits(held, waited_s)

    def partitions_stopped(self, count: int) -> None:
        """So many partitions of this process stand still (streams/flood_limit.py)."""
        self._stopped.set(count)

    def partitions_unfetched(self, count: int) -> None:
        """So many partitions of this worker are not read (streams/kafka/fetch_watch.py)."""
        self._unfetched.set(count)

    def records_lost(self, count: int) -> None:
        self._records_lost.inc(count)

    def alerts_topic(self, *, waiting: int) -> None:
        self._alerts_waiting.set(waiting)

    def alerts_lost(self, count: int) -> None:
        self._alerts_lost.inc(count)

    def delivery_result(self, endpoint: str, result: str) -> None:
        """``result``: a value of streams.delivery.policy.Result."""
        label = self._bounded("endpoint", endpoint, MAX_ENDPOINTS)
        self._deliveries.labels(label, result if result in _DELIVERY_RESULTS else OTHER).inc()

    def delivery_backlog(self, waiting: Mapping[str, tuple[int, float]]) -> None:
        """``waiting``: endpoint -> (deliveries, age of the oldest in seconds), for all endpoints."""
        with self._lock:
            self._delivery_backlog.clear()
            self._delivery_oldest.clear()
            for endpoint, (count, oldest_s) in waiting.items():
                label = bounded_label(self._names("endpoint"), endpoint, MAX_ENDPOINTS)
                self._delivery_backlog.labels(label).set(count)
                self._delivery_oldest.labels(label).set(oldest_s)
                for result in _DELIVERY_RESULTS:
                    self._deliveries.labels(label, result)

    def request_answered(self, code: int, *, kept: int = 0, refused: int = 0) -> None:
        """The gateway answered a request for events with the HTTP status ``code``."""
        self._gateway_requests.labels(str(code)).inc()
        self._gateway_events.labels("kept").inc(kept)
        self._gateway_events.labels("refused").inc(refused)

    def expose(self) -> bytes:
        """The text that /metrics answers with; its content type is CONTENT_TYPE."""
        with self._lock:
            return generate_latest(Exposition(self._registry, self._served))

    def _start_at_zero(self) -> None:
        for event_type in EVENT_CLASSES:
            for outcome in ("applied", "duplicate", "late"):
                self._events.labels(event_type, outcome)
        self._events.labels(UNKNOWN_TYPE, "dead_lettered")
        for kind in get_args(AlertKind):
            self._alerts.labels(kind)
        for code in ("202", "207", "400", "401", "413", "415", "429", "503"):
            self._gateway_requests.labels(code)
        for gateway_result in ("kept", "refused"):
            self._gateway_events.labels(gateway_result)

    def _names(self, label: str) -> set[str]:
        return self._seen.setdefault(label, set())

    def _bounded(self, label: str, value: str, top_n: int) -> str:
        with self._lock:
            return bounded_label(self._names(label), value, top_n)
