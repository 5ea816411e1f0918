"""Metrics: bounded labels, nothing personal in them, and numbers that mean what docs/metrics.md says."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detectors.signals.contract import Verdict, VerdictState
from schemas.alerts import Interval
from streams.metric_labels import OTHER, bounded_label
from streams.metrics import TRIGGER_POINTS, Metrics
from streams.score_histogram import ScoreHistogram
from tests.unit.batch_results import batch, dead_letter, listing


def served(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return served(metrics).get((name, frozenset(labels.items())))


def verdict(segment: str, *, signal: str = "plg.conversion_gap", **changes: Any) -> Verdict:
    interval = Interval(estimate=0.2, low=0.1, high=0.3, n=100)
    known: dict[str, Any] = {
        "state": "watching",
        "at": 1.8e9,
        "since": None,
        "since_margin_days": None,
        "before": interval,
        "now": interval,
        "statistic": 3.0,
        "threshold": 100.0,
        "n": 100,
        "missing": "",
        "counted_out": {},
        "history": [],
    }
    return Verdict(signal=signal, segment=segment, **(known | changes))


@given(st.lists(st.text(max_size=80)), st.integers(0, 5))
def test_a_label_has_at_most_top_n_values_and_other(values, top_n):
    seen: set[str] = set()
    labels = {bounded_label(seen, value, top_n) for value in values}
    assert len(labels - {OTHER}) <= top_n
    assert labels <= {*values, OTHER}


def test_a_label_keeps_its_meaning_once_let_in():
    seen: set[str] = set()
    assert [bounded_label(seen, value, 2) for value in ("content", "paid", "social", "content", OTHER)] == [
        "content", "paid", OTHER, "content", OTHER,
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["ann@acme.example", "a\nb", 'quo"te', "", "x" * 65, "\u202eevil", "{}"])
def test_what_does_not_read_like_a_name_is_other(value):
    assert bounded_label(set(), value, 10) == OTHER


@given(st.lists(st.lists(st.floats(-200, 400), max_size=30), max_size=5))
def test_a_batch_of_scores_counts_as_the_client_library_counts_one_by_one(batches):
    registry = CollectorRegistry()
    one_by_one = Histogram("score", "Points.", ["variant"], buckets=TRIGGER_POINTS, registry=registry)
    one_by_one.labels("v")
    batchwise_registry = CollectorRegistry()
    batchwise = ScoreHistogram("score", "Points.", TRIGGER_POINTS)
    batchwise_registry.register(batchwise)
    for scores in [[], *batches]:
        batchwise.observe("v", scores)
        for score in scores:
            one_by_one.labels("v").observe(max(score, 0.0))

    def samples(source: CollectorRegistry) -> dict[str, float]:
        return {
            f"{sample.name}{sorted(sample.labels.items())}": pytest.approx(sample.value)
            for family in text_string_to_metric_families(generate_latest(source).decode())
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    assert samples(batchwise_registry) == samples(registry)


def test_two_services_in_one_process_do_not_mix():
    one, two = Metrics(), Metrics()
    one.batch_done("accounts", batch(), watermark=1.8e9)
    assert value(one, "plumbline_alerts_total", kind="trigger") == 1
    assert value(two, "plumbline_alerts_total", kind="trigger") == 0


def test_a_batch_is_counted_to_the_last_event():
    metrics = Metrics()
    result = batch()
    metrics.batch_done("accounts", result, watermark=1.8e9)
    counted = {
        (dict(labels)["type"], dict(labels)["result"]): number
        for (name, labels), number in served(metrics).items()
        if name == "plumbline_events_total" and number
    }
    assert counted == {
        ("web.visit", "applied"): 3,
        ("web.visit", "duplicate"): 2,
        ("support.ticket", "late"): 1,
        ("unknown", "dead_lettered"): 1,
    }
    assert sum(counted.values()) == result.received
    assert value(metrics, "plumbline_batch_events_sum", stage="accounts") == result.received


def test_scores_of_a_batch_by_variant():
    metrics = Metrics()
    metrics.batch_done(
        "accounts",
        batch(
            listings=(
                listing("acct-1", fit=80.0, trigger=61.0),
                listing("acct-2", fit=-1.0, trigger=0.0),  # the screen puts it out
                listing("acct-3", fit=None, trigger=12.0),  # fit as it was
                listing("acct-1", fit=30.0, trigger=5.0, variant="embedded"),
            )
        ),
        watermark=1.8e9,
    )
    assert value(metrics, "plumbline_fit_score_count", variant="reverse-etl") == 2
    assert value(metrics, "plumbline_fit_score_bucket", variant="reverse-etl", le="0.0") == 1
    assert value(metrics, "plumbline_trigger_score_sum", variant="reverse-etl") == 73
    assert value(metrics, "plumbline_trigger_score_sum", variant="embedded") == 5


def test_nothing_of_an_account_is_exposed():
    metrics = Metrics()
    result = batch(dead_letters=(dead_letter("unknown_type"), dead_letter("ann@acme.example")))
    metrics.batch_done("accounts", result, watermark=1.8e9)
    assert value(metrics, "plumbline_dead_letters_total", reason="unknown_type") == 1
    assert value(metrics, "plumbline_dead_letters_total", reason=OTHER) == 1
    text = metrics.expose()
    assert b"ann@" not in text
    assert b"acct-" not in text


def test_the_drift_stage_does_not_move_what_the_events_moved():
    metrics = Metrics()
    metrics.batch_done("accounts", batch(), watermark=500.0)
    before = value(metrics, "plumbline_events_total", type="web.visit", result="applied")
    metrics.batch_done("drift", batch(stage="drift"), watermark=100.0)
    assert value(metrics, "plumbline_watermark_timestamp_seconds") == 500
    assert value(metrics, "plumbline_events_total", type="web.visit", result="applied") == before
    assert value(metrics, "plumbline_alerts_total", kind="trigger") == 2


@pytest.mark.parametrize(
    ("events", "now", "watermark", "seconds"),
    [
        (3, 1000.0, 940.0, 60.0),
        (0, 1000.0, 940.0, 0.0),  # caught up: an old watermark is a quiet sender, not a lag
        (3, 1000.0, 1060.0, 0.0),  # the newest event is from a clock that is ahead
        (3, 1000.0, 0.0, 0.0),  # nothing applied yet: no watermark to measure from
    ],
)
def test_lag(events, now, watermark, seconds):
    metrics = Metrics()
    metrics.lag(events=events, now=now, watermark=watermark)
    assert value(metrics, "plumbline_lag_events") == events
    assert value(metrics, "plumbline_lag_seconds") == seconds


def test_a_verdict_shows_one_state_and_no_baseline_while_learning():
    metrics = Metrics()
    metrics.verdicts([verdict("all", state="learning", before=None, now=None)])
    labels = {"signal": "plg.conversion_gap", "segment": "all"}
    states = {
        state: value(metrics, "plumbline_drift_state", **labels, state=state)
        for state in get_args(VerdictState)
    }
    assert states == {state: int(state == "learning") for state in get_args(VerdictState)}
    assert value(metrics, "plumbline_drift_baseline", **labels) is None
    assert value(metrics, "plumbline_drift_current", **labels) is None


def test_new_verdicts_replace_those_of_their_signal_alone():
    metrics = Metrics()
    metrics.verdicts([verdict("all"), verdict("source:content"), verdict("all", signal="slg.cycle_spread")])
    metrics.verdicts([verdict("all", statistic=9.0)])
    segments = {
        (dict(labels)["signal"], dict(labels)["segment"]): number
        for (name, labels), number in served(metrics).items()
        if name == "plumbline_drift_statistic"
    }
    assert segments == {("plg.conversion_gap", "all"): 9, ("slg.cycle_spread", "all"): 3}


def test_forgotten_signals_are_not_served_until_they_are_told_again():
    metrics = Metrics()
    metrics.verdicts([verdict("all"), verdict("all", signal="slg.cycle_spread")])
    metrics.forget_verdicts({"plg.conversion_gap", "clg.churn_cohorts"})
    gone, kept = ({"signal": name, "segment": "all"} for name in ("plg.conversion_gap", "slg.cycle_spread"))
    assert value(metrics, "plumbline_drift_statistic", **gone) is None
    assert value(metrics, "plumbline_drift_statistic", **kept) is not None
    metrics.verdicts([verdict("all", statistic=9.0)])
    assert value(metrics, "plumbline_drift_statistic", **gone) == 9


def test_a_drifting_segment_does_not_hide_among_the_others():
    metrics = Metrics(segments_per_signal=2)
    metrics.verdicts(
        [
            verdict("all"),
            verdict("source:content"),
            verdict("email", statistic=90.0),
            # still drifting, below its threshold again
            verdict("source:partner", statistic=50.0, state="drifting"),
            verdict("social", statistic=1.0),
        ]
    )
    labels = {"signal": "plg.conversion_gap", "segment": OTHER}
    assert value(metrics, "plumbline_drift_state", **labels, state="drifting") == 1
    assert value(metrics, "plumbline_drift_statistic", **labels) == 50
    assert (
        value(
            metrics,
            "plumbline_drift_state",
            signal="plg.conversion_gap",
            segment="source:partner",
            state="drifting",
        )
        is None
    )


def test_no_label_names_a_person():
    metrics = Metrics()
    metrics.verdicts(
        [verdict("all"), verdict("rep:anna@seller.example", statistic=7.0), verdict("rep:other")]
    )
    assert "anna" not in metrics.expose().decode()
    labels = {"signal": "plg.conversion_gap", "segment": OTHER}
    assert value(metrics, "plumbline_drift_statistic", **labels) == 7


def test_the_backlog_of_an_endpoint_that_is_gone_goes_too_and_its_counters_stay():
    metrics = Metrics()
    metrics.delivery_backlog({"crm": (2, 7.0), "chat": (0, 0.0)})
    assert value(metrics, "plumbline_deliveries_total", endpoint="crm", result="dead") == 0
    metrics.delivery_result("crm", "dead")
    metrics.delivery_result("crm", "made up")
    metrics.delivery_backlog({"chat": (1, 3.0)})
    assert value(metrics, "plumbline_delivery_backlog", endpoint="crm") is None
    assert value(metrics, "plumbline_delivery_oldest_seconds", endpoint="chat") == 3
    assert value(metrics, "plumbline_deliveries_total", endpoint="crm", result="dead") == 1
    assert value(metrics, "plumbline_deliveries_total", endpoint="crm", result=OTHER) == 1
