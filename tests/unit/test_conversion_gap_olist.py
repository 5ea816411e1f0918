"""plg.conversion_gap on a real history whose recording of wins begins in the middle (skipped where it is absent)."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detectors.signals.contract import ALL, Verdict
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_measures import PAID
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from tests.unit.conversion_gap_world import Account, drift_alerts, observe, run

OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist"

pytestmark = pytest.mark.skipif(
    not OLIST.is_dir(), reason="the Olist history is not here: its licence keeps it out of the repository"
)


def seconds(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def accounts() -> list[Account]:
    """A lead has signed up and activated at first contact, and converts when it is won."""
    with (OLIST / "deals.csv").open(newline="") as deals:
        won = {row["mql_id"]: seconds(row["won_date"]) for row in csv.DictReader(deals)}
    with (OLIST / "leads.csv").open(newline="") as leads:
        rows = list(csv.DictReader(leads))
    found = []
    for row in rows:
        at = seconds(row["first_contact_date"])
        milestones = {"signed_up": at, "activated": at}
        if row["mql_id"] in won:
            milestones["converted"] = won[row["mql_id"]]
        found.append(Account(row["mql_id"], row["origin"] or "unknown", milestones))
    return found


def judged(horizon_days: float) -> tuple[dict[str, Verdict], list[DriftAlert | Notice]]:
    signal = ConversionGap(horizon_s=horizon_days * DAY)
    observations = observe(signal, accounts())
    state, alerts = run(signal, observations)
    verdicts = {verdict.segment: verdict for verdict in signal.verdicts(state)}
    whole = verdicts[ALL]
    # Nothing is lost: every lead is counted, or counted out by reason.
    assert sum(o.measure == PAID for o in observations) == 7_999
    assert whole.n + sum(whole.counted_out.values()) == 8_000
    assert whole.counted_out["sales_led"] == 1
    return verdicts, alerts


@pytest.mark.parametrize("horizon_days", [30, 60, 90])
def test_the_left_edge_raises_no_alarm(horizon_days: float) -> None:
    verdicts, alerts = judged(horizon_days)
    early = [alert for alert in alerts if alert.at < datetime(2018, 5, 1, tzinfo=UTC)]
    assert early == []
    before = verdicts[ALL].before
    assert before is not None
    assert before.low > 0.06, "the baseline holds no cohort whose wins were not recorded"
    assert verdicts[ALL].history[0].at >= seconds("2018-01-01")
    assert verdicts[ALL].counted_out["left_truncated"] > 1_700


@pytest.mark.parametrize("horizon_days", [30, 60])
def test_no_alarm_by_thirty_days_nor_by_sixty(horizon_days: float) -> None:
    _, alerts = judged(horizon_days)
    assert drift_alerts(alerts) == []


def test_by_ninety_days_the_cohorts_of_may_alarm_and_it_is_called_market_wide() -> None:
    """They did convert less (by 90 days 8.4 % of 1,303), and nearly all sources alike. Twelve monitors share the budget here."""
    _, alerts = judged(90)
    (alert,) = drift_alerts(alerts)
    assert alert.segment == ALL
    assert alert.since.month in (4, 5)
    assert alert.now.low < 0.084 < alert.now.high
    assert [notice.finding for notice in alerts if isinstance(notice, Notice)] == ["market-wide"]


def test_sources_are_segments_and_the_small_ones_say_what_they_lack() -> None:
    verdicts, _ = judged(60)
    watched = {name for name, verdict in verdicts.items() if verdict.state == "watching"}
    assert {"source:organic search", "source:paid search", "source:social", "source:unknown"} <= watched
    assert verdicts["source:referral"].missing == "208 of 300 observations"
