"""The page of a drift signal and what the API adds to a verdict, over real HTTP: all that a verdict rests on, made safe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from detectors.signals.contract import ACKNOWLEDGED, Quantity
from schemas.alerts import Interval
from schemas.observations import Observation
from streams.cli.drift_reading import find_verdict
from streams.serving.views import VerdictView
from streams.web.charts import sparkline
from streams.web.drift_page import segment_cards
from streams.web.drift_rows import drift_row
from streams.web.wording import NARROW, measure
from tests.unit.health_world import CRM, told
from tests.unit.serving_world import DAY, HOUR, NOW, World, get, served

GAP = "plg.conversion_gap"
EVIL = "<script>alert(1)</script>"


def decision(segment: str, by: str, reason: str, kind: str = ACKNOWLEDGED) -> Observation:
    return Observation(
        signal=GAP,
        measure=kind,
        at=NOW - DAY,
        began=NOW - DAY,
        value=1.0,
        account="",
        segments={"segment": segment, "by": by},
        phrases=[reason],
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("data"))
    world.drift()
    world.observe([decision("source:content", EVIL, f"because of {EVIL}")])
    return world


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with served(world) as url:
        yield url


async def test_the_page_has_all_that_the_verdict_rests_on(url: str) -> None:
    page = (await get(url, f"/drift/{GAP}")).text
    for words in (
        "acknowledged",
        "95 %: ",
        "where it alarms",
        "by mistake about once in",
        "What was decided",
        "What weighs most",
        "has not paid yet",
        "the band is the baseline",
        "the line is when it began",
        "Means of four weeks",
        "False-alarm promise",
    ):
        assert words in page, words
    assert page.index(">source:content <span") < page.index(">source:referral <span")


async def test_who_and_why_are_text_and_nothing_else(url: str) -> None:
    for path in ("/", f"/drift/{GAP}"):
        page = (await get(url, path)).text
        assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


async def test_the_first_page_leads_to_it_and_says_who_knows(url: str) -> None:
    page = (await get(url, "/")).text
    assert f'href="/drift/{GAP}"' in page
    assert "known: &lt;script" in page
    assert "1 known" in page or "drifting</span>" in page


@pytest.mark.parametrize("path", ["/drift/plg.nothing", "/drift/%3Cscript%3E", "/drift/..%2f..%2fetc"])
async def test_another_signal_is_not_found(url: str, path: str) -> None:
    answer = await get(url, path)
    assert answer.status == 404
    assert "There is no such drift signal" in answer.text
    assert "<script" not in answer.text


async def test_the_api_says_what_was_decided_and_what_the_threshold_means(url: str) -> None:
    (found,) = (await get(url, f"/v1/drift?signal={GAP}&state=acknowledged")).json["verdicts"]
    assert found["segment"] == "source:content"
    assert found["unit"] == "share"
    assert 0 < found["false_alarms_per_year"] < 0.05
    (made,) = found["decisions"]
    assert (made["by"], made["kind"], made["state"]) == (EVIL, "acknowledged", "drifting")
    refused = await get(url, "/v1/drift?state=nonsense")
    assert refused.status == 400
    assert "acknowledged" in refused.text


@pytest.mark.parametrize(
    ("signal", "segment", "shown"),
    [
        (GAP, "all", "all accounts"),
        (GAP, "source:paid_search", "source:paid_search"),
        ("slg.hedged_language", "rep:anna-maria_b", "rep:anna-maria_b"),
        ("data.health", "all", "all sources"),
        ("data.health", "crm.stage_changed /crm", "crm.stage_changed /crm"),
    ],
)
def test_what_others_have_named_is_shown_as_they_wrote_it(
    world: World, signal: str, segment: str, shown: str
) -> None:
    (whole,) = [each for each in world.serving.drift() if (each.signal, each.segment) == (GAP, "all")]
    whole.signal, whole.segment = signal, segment
    assert drift_row(whole).segment == shown
    other = msgspec.structs.replace(whole, segment=shown)
    assert find_verdict([other, whole], signal, segment) is whole
    assert find_verdict([whole], signal, shown) is whole


@pytest.mark.parametrize(("total", "high"), [(0.0, "100"), (2.0, "40.0")])
def test_a_share_that_stays_the_same_has_an_axis_of_shares(world: World, total: float, high: str) -> None:
    (whole,) = [each for each in world.serving.drift() if (each.signal, each.segment) == (GAP, "all")]
    point = whole.history[0]
    whole.before = None
    whole.history = [
        msgspec.structs.replace(point, at=point.at + timedelta(weeks=week), n=10, total=total)
        for week in range(3)
    ]
    chart = sparkline(whole)
    assert chart is not None
    assert (chart.low, chart.high) == (f"0.0{NARROW}%", f"{high}{NARROW}%")


def test_a_source_has_neither_a_chart_nor_an_interval(world: World) -> None:
    (whole,) = [each for each in world.serving.drift() if (each.signal, each.segment) == (GAP, "all")]
    assert drift_row(whole).charted
    source = msgspec.structs.replace(
        whole,
        signal="data.health",
        unit="events_a_day",
        before=Interval(estimate=35.3, low=35.3, high=35.3, n=7190),
        history=[],
    )
    row = drift_row(source)
    assert (row.charted, row.chart, row.before_interval) == (False, None, "")
    assert (row.before, row.before_sample) == ("35.3 events a day", "learned in 7,190 hours")


def test_a_command_to_copy_holds_nothing_that_a_sender_wrote(world: World) -> None:
    (whole,) = [each for each in world.serving.drift() if (each.signal, each.segment) == (GAP, "all")]

    class Told:
        """Serving, with one verdict of a segment of this name."""

        def __init__(self, segment: str) -> None:
            self.segment = segment

        def drift(self) -> list[VerdictView]:
            whole.state, whole.segment = "drifting", self.segment
            return [whole]

        def newest_alerts(self, wanted: object, limit: int) -> list[object]:
            return []

    for segment, shown in (("rep:anna", True), ('x"; rm -rf ~; "', False), ("$(id)", False), ("`id`", False)):
        (card,) = segment_cards(Told(segment), GAP)  # type: ignore[arg-type]
        assert bool(card.command) is shown, segment


@pytest.mark.parametrize(
    ("a_day", "words"),
    [
        (2340.4, "2,340 events a day"),
        (1.0, "1 event a day"),
        (0.7, "4.9 events a week"),
        (0.04, "0.3 events a week"),
    ],
)
def test_a_source_says_how_often_it_speaks(a_day: float, words: str) -> None:
    assert measure(a_day, "events_a_day") == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (4.0, "features", "4.0 features"),
        (1.0, "ratio", "1.0×"),
        (46.0, "days", f"46.0{NARROW}d"),
        (0.5, "share", f"50.0{NARROW}%"),
    ],
)
def test_every_number_has_its_unit_and_one_decimal(value: float, unit: Quantity, words: str) -> None:
    assert measure(value, unit) == words


def test_the_breadth_of_use_is_counted_in_features(world: World) -> None:
    units = {each.signal: each.unit for each in world.serving.drift()}
    assert units["plg.adoption_breadth"] == "features"


def test_the_weeks_of_a_ratio_are_shares_and_are_called_so(world: World) -> None:
    (whole,) = [each for each in world.serving.drift() if (each.signal, each.segment) == (GAP, "all")]
    chart = sparkline(msgspec.structs.replace(whole, unit="ratio"))
    assert chart is not None
    assert chart.high.endswith("%")
    assert chart.of == "the share seen"
    assert chart.baseline is None
    as_it_is = sparkline(whole)
    assert as_it_is is not None
    assert as_it_is.of == ""


@pytest.mark.parametrize(
    ("signal", "of"),
    [
        ("clg.churn_cohorts", "× is of what the baseline would give"),
        ("slg.aged_win_rate", "× is of what the baseline would give"),
        ("clg.support_burden", "× is of what a seat outside the elite asks"),
        (GAP, ""),
    ],
)
async def test_a_ratio_says_what_it_is_of(url: str, signal: str, of: str) -> None:
    page = (await get(url, f"/drift/{signal}")).text
    assert page.count("× is ") == bool(of)
    assert of in page


def test_sources_have_a_budget_of_their_own(tmp_path: Path) -> None:
    """One a year for 64 of them (docs/drift.md), whatever the settings leave to the signals."""
    world = World(tmp_path)
    world.observe([told(CRM, NOW, 5), told(CRM, NOW + HOUR, 5)])
    promised = {each.signal: each.false_alarms_per_year for each in world.serving.drift()}
    world.close()
    assert promised["data.health"] == 1 / 64
    assert promised[GAP] != promised["data.health"]
