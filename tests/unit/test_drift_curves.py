"""The curves of a verdict as page, API and terminal show them, from a young cohort to a whole horizon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET, UnsetType
from rich.console import Console

from schemas.alerts import Interval
from streams.cli.drift_curves import curve_table
from streams.serving.views import BesideView, CurvesView, CurveView, VerdictView
from streams.web.charts import HEIGHT, WIDTH
from streams.web.curves import NONE_YET, TITLE, Curves, curves_of
from streams.web.drift_rows import beside_name, beside_words
from streams.web.wording import NARROW
from tests.unit.serving_world import World, get, served

GAP = "plg.conversion_gap"


def curve(share: Sequence[float]) -> CurveView:
    return CurveView(
        since=datetime(2026, 5, 1, tzinfo=UTC),
        n=1234,
        share=list(share),
        low=[each / 2 for each in share],
        high=[each * 1.5 for each in share],
    )


def view(curves: CurvesView | UnsetType = UNSET, beside: BesideView | UnsetType = UNSET) -> VerdictView:
    return VerdictView(
        signal=GAP, title="", segment="source:content", state="watching", at=None, since=None, since_margin_days=None,
        before=None, now=None, statistic=0.0, threshold=0.0, n=0, missing="", finding="", counted_out={}, history=[],
        curves=curves, beside=beside,
    )  # fmt: skip


def shown(before: Sequence[float], now: Sequence[float]) -> Curves:
    curves = curves_of(view(CurvesView(before=curve(before), now=curve(now))))
    assert curves is not None
    return curves


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in text.split())]


def test_the_band_is_the_baseline_and_all_of_it_fits() -> None:
    curves = shown([0.01 * day for day in range(1, 61)], [0.005 * day for day in range(1, 31)])
    corners = points(curves.band)
    assert len(corners) == 2 * 61
    drawn = [*corners, *points(curves.before), *points(curves.now)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert points(curves.now)[0] == (0.0, HEIGHT)
    assert points(curves.before)[-1][0] == WIDTH
    assert points(curves.now)[-1][0] == WIDTH / 2
    assert curves.top == f"90.0{NARROW}%"


def test_the_numbers_stand_side_by_side_as_far_as_they_are_known() -> None:
    curves = shown([0.004 * day for day in range(1, 61)], [0.002 * day for day in range(1, 15)])
    told = [(each.days, each.before, each.now) for each in curves.rows]
    assert [(days, before.replace(NARROW, " "), now.replace(NARROW, " ")) for days, before, now in told] == [
        (1, "0.4 %", "0.2 %"),
        (7, "2.8 %", "1.4 %"),
        (14, "5.6 %", "2.8 %"),
        (30, "12.0 %", NONE_YET),
        (60, "24.0 %", NONE_YET),
    ]
    assert curves.baseline == "1,234 accounts since 1 May 2026"


@pytest.mark.parametrize(
    ("horizon", "days"), [(1, [1]), (7, [1, 7]), (45, [1, 7, 14, 30, 45]), (180, [1, 7, 14, 30, 60, 90, 120, 180])]
)  # fmt: skip
def test_the_last_day_is_always_shown(horizon: int, days: list[int]) -> None:
    assert [each.days for each in shown([0.1] * horizon, []).rows] == days


def test_nobody_now_and_nobody_ever() -> None:
    curves = shown([0.0, 0.0], [])
    assert curves.now == ""
    assert all(y == HEIGHT for _, y in points(curves.before))
    assert "not known yet" in text_of(curves)
    assert curves_of(view()) is None
    assert curves_of(view(CurvesView(before=curve([]), now=curve([])))) is None


def text_of(curves: Curves) -> str:
    out = StringIO()
    Console(file=out, width=120, highlight=False).print(curve_table(curves))
    return out.getvalue()


def test_bars_in_a_terminal_have_one_scale() -> None:
    bars = [line.count("█") for line in text_of(shown([0.1] * 14, [0.05] * 14)).splitlines()[1:]]
    assert bars == [18, 18, 18]
    assert text_of(shown([0.1], [0.0])).count("█") == 12


def test_another_segment_is_told_as_far_as_it_is_there() -> None:
    of = Interval(estimate=0.2, low=0.15, high=0.26, n=300)
    source = view(beside=BesideView(segment="source:referral", before=of, now=None))
    assert beside_name(source) == "referral"
    words = beside_words(source)
    assert words.replace(NARROW, " ") == "20.0 % before (95 %: 15.0–26.0 %, n = 300)"
    assert beside_words(view()) == ""
    assert beside_name(view()) == ""


async def test_page_and_api_have_them_of_the_signal_that_follows_by_day(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.drift()
    try:
        async with served(world) as url:
            page = (await get(url, f"/drift/{GAP}")).text
            verdicts = (await get(url, "/v1/drift")).json["verdicts"]
            other = (await get(url, "/drift/slg.hedged_language")).text
    finally:
        world.close()
    assert page.count(f"<h3>{TITLE}</h3>") == 3
    assert page.count("<dt>Referral meanwhile</dt>") == 1
    assert TITLE not in other
    curved = {each["segment"]: each for each in verdicts if "curves" in each}
    assert {each["signal"] for each in curved.values()} == {GAP}
    assert set(curved) == {"all", "source:content", "source:referral"}
    content = msgspec.convert(curved["source:content"]["curves"], CurvesView)
    for each in (content.before, content.now):
        assert len(each.share) == 60
        assert all(
            low <= share <= high for low, share, high in zip(each.low, each.share, each.high, strict=True)
        )
        assert each.share == sorted(each.share)
    assert content.now.high[-1] < content.before.low[-1]
    assert [each["segment"] for each in verdicts if "beside" in each] == ["source:content"]
    assert curved["source:content"]["beside"]["segment"] == "source:referral"
