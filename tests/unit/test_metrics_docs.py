"""docs/metrics.md and what the service serves are the same: names, types and labels, both ways."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from detectors.signals.contract import Verdict
from schemas.alerts import Interval
from streams.metrics import Metrics
from tests.unit.batch_results import batch

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\|", re.M)


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    text = (ROOT / "docs/metrics.md").read_text()
    return {
        row["name"]: (row["type"], frozenset(re.findall(r"`(\w+)`", row["labels"])))
        for row in ROW.finditer(text)
    }


def lively_metrics() -> Metrics:
    """A service to which everything has happened once."""
    interval = Interval(estimate=0.2, low=0.1, high=0.3, n=100)
    metrics = Metrics()
    for stage in ("accounts", "drift"):
        metrics.batch_done(stage, batch(stage=stage), watermark=1.8e9)
    metrics.lag(events=3, now=1.8e9 + 5, watermark=1.8e9)
    metrics.accounts(12)
    metrics.verdicts(
        [
            Verdict(
                signal="plg.conversion_gap",
                segment="all",
                state="watching",
                at=1.8e9,
                since=None,
                since_margin_days=None,
                before=interval,
                now=interval,
                statistic=3.0,
                threshold=1e5,
                n=100,
                missing="",
                counted_out={},
                history=[],
            )
        ]
    )
    metrics.delivery_result("crm", "delivered")
    metrics.delivery_backlog({"crm": (2, 7.0)})
    metrics.request_answered(207, kept=4, refused=1)
    metrics.partitions_stopped(1)
    metrics.partitions_unfetched(1)
    metrics.alerts_topic(waiting=2)
    metrics.alerts_lost(1)
    metrics.records_lost(3)
    return metrics


def served() -> dict[str, tuple[str, frozenset[str]]]:
    found = {}
    for family in text_string_to_metric_families(lively_metrics().expose().decode()):
        if not family.name.startswith("plumbline_"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert family.samples, f"{name} has no sample: let it happen in lively_metrics()"
        found[name] = (family.type, frozenset(labels))
    return found


def test_the_page_lists_what_is_served_with_type_and_labels():
    assert documented() == served()


def test_every_alert_named_on_the_page_is_a_rule_and_every_rule_is_named():
    written = "\n".join(path.read_text() for path in (ROOT / "deploy/prometheus").glob("*.rules.yml"))
    rules = set(re.findall(r"^\s*- alert: (\w+)", written, re.M))
    named = set(re.findall(r"`(Plumbline[A-Z]\w+)`", (ROOT / "docs/metrics.md").read_text()))
    assert named == rules
