"""The commands' tables: in a terminal what does not fit is broken, never cut; what is piped is one line a row."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from schemas.alerts import Interval
from streams.cli import deliveries, drift
from streams.cli.drift_reading import DriftReading
from streams.cli.replay import print_report
from streams.delivery.operations import Delivery
from streams.replay import AlertCounts, DriftRow, ReplayReport
from streams.serving.views import VerdictView
from streams.stores.contract import Ledger
from tests.unit.serving_world import World

SOURCE = "product.released https://a-long-name.acme.example"
TRIGGER = "embedded-analytics/asks-for-single-sign-on-and-an-audit-log"


@pytest.fixture
def verdicts(tmp_path: Path) -> list[VerdictView]:
    """A source with a long name, and a signal whose numbers are long."""
    world = World(tmp_path)
    some = world.serving.drift()[0]
    world.close()
    number = Interval(estimate=4.1, low=3.9, high=4.2, n=300)
    source = msgspec.structs.replace(
        some,
        signal="data.health",
        segment=SOURCE,
        state="watching",
        missing="",
        unit="events_a_day",
        before=Interval(estimate=150.6, low=150.6, high=150.6, n=7190),
    )
    breadth = msgspec.structs.replace(
        some, state="watching", missing="", unit="features", before=number, now=number
    )
    learning = msgspec.structs.replace(
        some, segment="source:organic_search", missing="91 of 300 observations"
    )
    return [breadth, learning, source]


def printed(table: object, width: int) -> str:
    out = StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue()


def listed(verdicts: list[VerdictView], monkeypatch: pytest.MonkeyPatch, columns: int | None) -> str:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(drift, "read_drift", lambda *_: DriftReading(verdicts, [], None))  # type: ignore[arg-type]
    environment = {} if columns is None else {"COLUMNS": str(columns)}
    return CliRunner().invoke(drift.command, ["list"], env=environment).output


def test_a_narrow_terminal_loses_no_word_of_the_verdicts(
    verdicts: list[VerdictView], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = listed(verdicts, monkeypatch, 80)
    assert "\N{HORIZONTAL ELLIPSIS}" not in out
    assert out.count("4.1 features") == 2
    for word in (*SOURCE.split(), "watching", "150.6 events a day", "source:organic_search"):
        assert word in out, word
    assert all(len(line) <= 80 for line in out.splitlines())


def test_what_is_piped_has_one_line_a_verdict(
    verdicts: list[VerdictView], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = listed(verdicts, monkeypatch, None)
    assert any(SOURCE in line and "150.6 events a day" in line for line in out.splitlines())
    assert len(out.splitlines()) == 2 * 2 + len(verdicts)


@pytest.fixture
def report() -> ReplayReport:
    """A replay with a trigger, and a source of events, of long names."""
    row = DriftRow(
        signal="plg.conversion_gap", segment="source:content", state="learning", since=None, since_margin_days=None,
        baseline=None, current=None, statistic=0.0, threshold=0.0, n=52, missing="52 of 300 observations",
        finding="", counted_out={}, unit="share",
    )  # fmt: skip
    source = msgspec.structs.replace(row, signal="data.health", segment=SOURCE, state="watching", missing="")
    return ReplayReport(
        events=1, seconds=1.0, ledger=Ledger(), dead_letters={}, rejects=None, accounts=1,
        alerts=AlertCounts({"trigger": 1200}, {}, {f"{TRIGGER}": 1200}),
        drift=[row, source], last=None,
    )  # fmt: skip


def test_a_narrow_terminal_loses_no_word_of_a_replay(report: ReplayReport) -> None:
    out = StringIO()
    print_report(Console(file=out, width=60), report, None)
    text = out.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert TRIGGER in re.sub(r"[\s\d]", "", text)  # broken over lines, beside its number


def test_a_long_name_of_a_source_moves_no_other_line_of_a_replay(report: ReplayReport) -> None:
    out = StringIO()
    print_report(Console(file=out, width=60), report, None)
    assert (
        "  learning  plg.conversion_gap  source:content  (52 of 300 observations)"
        in out.getvalue().splitlines()
    )


def test_a_narrow_terminal_loses_no_word_of_the_deliveries() -> None:
    delivered = Delivery(
        alert_id="ed17aa67896d0000",
        endpoint="demo-receiver",
        kind="trigger",
        alert_at=0.0,
        state="delivered",
        tries=1,
        next_try=None,
        result="delivered",
        status=200,
        detail="",
        created=0.0,
        updated=1_795_411_726.0,
    )
    retried = msgspec.structs.replace(delivered, next_try=0.0)
    for each, heading, width in ((delivered, False, 80), (retried, True, 90)):
        out = printed(deliveries._table([each]), width)
        for word in ("ed17aa67896d", "demo-receiv", "delivered", "(200)", "2026-11-23", "UTC"):
            assert word in out, word
        assert ("next try" in out) is heading
        assert out.count("1970-01-01") == int(heading)
