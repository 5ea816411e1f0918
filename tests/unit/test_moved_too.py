"""A drift names the other signals that drift meanwhile: a wide pipeline hedges more, lasts longer and is off profile."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.signals.contract import VerdictState
from streams.cli.drift_explain import facts
from streams.serving.drift_verdicts import tell_what_moved_too
from streams.serving.views import VerdictView
from streams.web.drift_rows import drift_row


def view(signal: str, segment: str, state: VerdictState, day: int = 1) -> VerdictView:
    return VerdictView(
        signal=signal, title="", segment=segment, state=state, at=None,
        since=datetime(2026, 10, day, tzinfo=UTC) if state in ("drifting", "acknowledged") else None,
        since_margin_days=None, before=None, now=None, statistic=0.0, threshold=0.0, n=0, missing="", finding="",
        counted_out={}, history=[],
    )  # fmt: skip


def test_a_signal_that_moved_in_many_of_its_parts_is_one_line() -> None:
    parts = [view("plg.ticket_comprehension", f"source:{each}", "drifting", 7) for each in "abcd"]
    whole = view("plg.ticket_comprehension", "all", "drifting", 5)
    gap = view("plg.conversion_gap", "all", "drifting")

    def told(*moved: VerdictView) -> list[str]:
        tell_what_moved_too([gap, *moved])
        return [each.words.replace("\u202f", " ") for each in drift_row(gap).moved_too]

    assert told(whole, *parts) == ["all accounts, since 5 Oct 2026, and 4 segments"]
    assert told(whole, *parts[:2]) == [
        "all accounts, since 5 Oct 2026",
        "source:a, since 7 Oct 2026",
        "source:b, since 7 Oct 2026",
    ]
    assert told(*parts) == [
        "source:a, since 7 Oct 2026",
        "source:b, since 7 Oct 2026",
        "source:c, since 7 Oct 2026, and 1 more segment",
    ]
    assert told() == []


def test_what_else_drifts_is_named_with_its_date() -> None:
    views = [
        view("slg.hedged_language", "all", "drifting", 4),
        view("slg.hedged_language", "rep:ben", "acknowledged", 5),
        view("slg.cycle_spread", "all", "drifting", 9),
        view("slg.off_profile_pipeline", "all", "watching"),
        view("clg.churn_cohorts", "all", "resolved"),
        view("data.health", "web.visit /web", "acknowledged", 7),
    ]
    tell_what_moved_too(views)
    hedged, ben, spread, *others = views
    assert [(each.signal, each.segment) for each in hedged.moved_too] == [("slg.cycle_spread", "all")]
    assert hedged.moved_too == ben.moved_too
    assert [(each.segment, each.state) for each in spread.moved_too] == [
        ("all", "drifting"),
        ("rep:ben", "acknowledged"),
    ]
    assert not any(each.moved_too for each in others)

    told = facts(spread, drift_row(spread))
    at = [name for name, _ in told].index("moved too")
    assert [(name, text.replace("\u202f", " ")) for name, text in told[at : at + 2]] == [
        ("moved too", "slg.hedged_language, all accounts, since 4 Oct 2026"),
        ("", "slg.hedged_language, rep:ben, since 5 Oct 2026"),
    ]
