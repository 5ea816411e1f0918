"""A baseline that the operator chose: what began before is in none of it, and what a changed setting does and does not do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import BEFORE_BASELINE, Chosen, Verdict
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from schemas.observations import Observation, encode_observation
from schemas.settings import DriftSettings, Settings
from streams.cli.drift import command as drift
from streams.pipeline import Pipeline
from streams.serving.views import BaselineView, DecidedView
from streams.stores.memory import MemoryStore
from streams.web.drift_rows import baseline_words
from tests.unit import notes_world
from tests.unit.account_world import T0
from tests.unit.conversion_gap_world import START, company, drift_alerts, observe, run
from tests.unit.judging import retaken
from tests.unit.serving_world import World, get, icp, served

GAP = ConversionGap(monitors=1)
BETA_ENDS = 200
"""Day on which a beta ended whose customers paid far more often."""
CHOSEN = START + (BETA_ENDS + 14) * DAY
"""Who signed up in the beta has activated by then."""
NOTES = notes_world.SIGNAL


@cache
def after_a_beta() -> Sequence[Observation]:
    accounts = company(
        days=450,
        per_day=lambda source, day: 10.0,
        sources=("content", "direct"),
        activates=lambda source, day: 0.5,
        converts=lambda source, day: 0.4 if day < BETA_ENDS else 0.1,
        seed=2,
    )
    return observe(GAP, accounts)


@cache
def judged(counted_from: float | None) -> tuple[Verdict, Sequence[DriftAlert | Notice]]:
    state, alerts = run(GAP, after_a_beta(), GAP.new_state(counted_from))
    return GAP.verdicts(state)[0], alerts


def test_without_a_choice_the_end_of_a_beta_is_a_drift() -> None:
    _, alerts = judged(None)
    assert "drifting" in [each.state for each in drift_alerts(alerts)]


def test_with_one_it_is_no_part_of_the_baseline_and_nothing_drifts() -> None:
    whole, alerts = judged(CHOSEN)
    assert alerts == []
    assert whole.state == "watching"
    assert whole.before is not None
    assert whole.before.low <= 0.1 <= whole.before.high < 0.2
    assert min(point.at for point in whole.history) >= CHOSEN - 7 * DAY
    assert whole.followed is not None
    assert whole.followed[0].since >= CHOSEN


def test_what_began_before_is_counted_out_once() -> None:
    (whole, _), (chosen, _) = judged(None), judged(CHOSEN)
    paid = [each for each in after_a_beta() if each.measure == "paid_given_activated"]
    before = sum(START + 28 * DAY <= each.began < CHOSEN for each in paid)
    assert chosen.counted_out[BEFORE_BASELINE] == pytest.approx(before, rel=0.05)
    assert chosen.n + sum(chosen.counted_out.values()) == whole.n + sum(whole.counted_out.values())


def test_a_drift_from_the_chosen_baseline_is_found() -> None:
    hedged = notes_world.writing(lambda rep, day: 0.5 if day < 100 or day >= 300 else 0.1, days=420)
    chosen = T0 + 100 * DAY
    state = NOTES.new_state(chosen)
    alerts = [alert for each in hedged for alert in NOTES.step(state, each)]
    found = drift_alerts(alerts)
    assert [each.state for each in found if each.segment == "all"] == ["drifting"]
    assert abs(found[0].since - datetime.fromtimestamp(T0 + 300 * DAY, UTC)) < timedelta(days=28)


def settings(**chosen: datetime) -> DriftSettings:
    return DriftSettings(baseline_from={name.replace("_", ".", 1): at for name, at in chosen.items()})


JULY = datetime(2026, 7, 1, tzinfo=UTC)
BERLIN = datetime(2026, 9, 1, tzinfo=UTC) - timedelta(hours=2)


def stage(settings: DriftSettings) -> DriftStage:
    return DriftStage.configured([GAP], (), settings)


def told(stage: DriftStage, raw: bytes | None, observations: Sequence[Observation]) -> bytes:
    state = stage.new_state(GAP.name) if raw is None else stage.decode_state(GAP.name, raw)
    for each in observations:
        stage.step(GAP.name, state, each, each.at, Effects())
    return stage.encode_state(GAP.name, state)


def verdict(stage: DriftStage, raw: bytes) -> Verdict:
    return stage.verdicts(GAP.name, stage.decode_state(GAP.name, raw))[0]


def test_a_state_keeps_the_choice_that_it_began_with() -> None:
    some, more = after_a_beta()[4000:8000], after_a_beta()[8000:10000]
    first, none, other = (
        stage(settings(plg_conversion_gap=JULY)),
        stage(settings()),
        stage(settings(plg_conversion_gap=BERLIN)),
    )
    begun = told(first, None, some)
    alone = told(first, begun, more)
    for changed in (none, other):
        assert told(changed, begun, more) == alone
    assert verdict(first, alone).chosen == Chosen(JULY.timestamp(), JULY.timestamp())
    assert verdict(other, alone).chosen == Chosen(JULY.timestamp(), BERLIN.timestamp())
    assert verdict(none, alone).chosen == Chosen(JULY.timestamp(), None)

    without = told(none, None, some)
    assert b"counted_from" not in without
    assert told(first, without, more) == told(none, without, more)
    assert verdict(none, without).chosen is None
    assert verdict(first, without).chosen == Chosen(None, JULY.timestamp())


def test_a_baseline_taken_anew_is_learned_from_later_and_keeps_what_was_left_out_left_out() -> None:
    state, _ = run(GAP, after_a_beta()[-4000:], GAP.new_state(CHOSEN))
    GAP.step(state, retaken(GAP, after_a_beta()[-1].at))
    assert state.counted_from == CHOSEN
    assert GAP.verdicts(state)[0].state == "learning"


def pipelines(*chosen: DriftSettings) -> Iterator[Pipeline]:
    """The same store, opened with one setting after the other."""
    store = MemoryStore()
    for each in chosen:
        yield Pipeline(store, [icp()], Settings(drift=each), None)


def test_a_setting_that_changed_is_told_in_the_log_and_one_that_did_not_is_not() -> None:
    encoded = [encode_observation(each) for each in after_a_beta()[:500]]
    opened = pipelines(settings(), settings(), settings(plg_conversion_gap=JULY))
    with capture_logs() as said:
        next(opened).observe(encoded)
        next(opened).begin()
        assert said == []
        next(opened).begin()
    (line,) = said
    assert line["log_level"] == "warning"
    assert "not in force" in line["event"]
    assert (line["signal"], line["learned_from"], line["settings"]) == (
        "plg.conversion_gap", "the first stretch", "2026-07-01T00:00:00+00:00",
    )  # fmt: skip


def test_a_history_that_is_read_anew_puts_it_in_force() -> None:
    encoded = [encode_observation(each) for each in after_a_beta()]
    (opened,) = pipelines(settings(plg_conversion_gap=JULY))
    opened.observe(encoded)
    with capture_logs() as said:
        opened.begin()
    assert said == []
    whole = next(each for each in opened.verdicts() if each.signal == GAP.name)
    assert whole.counted_out[BEFORE_BASELINE] > 0
    assert whole.chosen == Chosen(JULY.timestamp(), JULY.timestamp())


RETAKEN = DecidedView(
    at=datetime(2026, 10, 5, tzinfo=UTC), kind="baseline_retaken", by="Ann", reason="", state="drifting", since=None
)  # fmt: skip
KNOWN = DecidedView(
    at=datetime(2026, 10, 9, tzinfo=UTC), kind="acknowledged", by="Ann", reason="", state="drifting", since=None
)  # fmt: skip


@pytest.mark.parametrize(
    ("learned_from", "settings", "decisions", "words"),
    [
        (JULY, JULY, [], "chosen, from 1 Jul 2026"),
        (BERLIN, BERLIN, [KNOWN], "chosen, from 31 Aug 2026, 22:00 UTC"),
        (JULY, JULY, [KNOWN, RETAKEN], "chosen, from 1 Jul 2026, and taken anew on 5 Oct 2026"),
        (None, JULY, [], "the first stretch; from 1 Jul 2026, as the settings want it, once the history is read anew"),
        (JULY, None, [], "chosen, from 1 Jul 2026; the first stretch, as the settings want it, once the history is read anew"),
    ],
)  # fmt: skip
def test_the_words(
    learned_from: datetime | None, settings: datetime | None, decisions: list[DecidedView], words: str
) -> None:
    view = BaselineView(learned_from=learned_from, settings=settings)
    assert baseline_words(view, decisions) == words


async def test_it_is_shown_by_page_api_and_command_where_it_was_chosen_alone(tmp_path: Path) -> None:
    world = World(tmp_path, drift=settings(plg_conversion_gap=JULY))
    world.drift()
    try:
        async with served(world) as url:
            page = (await get(url, "/drift/plg.conversion_gap")).text
            verdicts: list[Mapping[str, object]] = (await get(url, "/v1/drift")).json["verdicts"]
    finally:
        world.close()
    assert "<dt>Baseline</dt><dd>chosen, from 1 Jul 2026</dd>" in page
    at = "2026-07-01T00:00:00Z"
    shown = {each["signal"]: each["baseline"] for each in verdicts if "baseline" in each}
    assert shown == {"plg.conversion_gap": {"learned_from": at, "settings": at}}
    (tmp_path / "plumbline.yaml").write_text(
        f"data_dir: {tmp_path}\ndrift: {{baseline_from: {{plg.conversion_gap: {at}}}}}\n", encoding="utf-8"
    )
    explained = CliRunner().invoke(
        drift, ["explain", "plg.conversion_gap", "--settings", str(tmp_path / "plumbline.yaml")]
    )
    assert "chosen, from 1 Jul 2026" in explained.output
    assert "began before the time from which on the baseline was chosen" in " ".join(explained.output.split())


def test_who_was_there_only_before_takes_no_place_from_those_who_came_since() -> None:
    before = [f"gone-{number}" for number in range(70)]
    since = ("anna", "ben", "cleo")
    observations = notes_world.SIGNAL.healthy_example()
    chosen = observations[0].at + 100 * DAY
    for number, each in enumerate(observations):
        names = before if each.began < chosen else since
        each.segments = {"rep": names[number % len(names)]} if each.segments else {}
    state = NOTES.new_state(chosen)
    for each in observations:
        NOTES.step(state, each)
    found = {verdict.segment: verdict for verdict in NOTES.verdicts(state)}
    assert set(found) == {"all", *(f"rep:{name}" for name in since)}
    assert found["all"].counted_out[BEFORE_BASELINE] > 300


def test_a_source_of_before_takes_none_either() -> None:
    accounts = company(
        days=260,
        per_day=lambda source, day: 8.0 if (source == "event") == (day < 90) else 0.0,
        sources=("event", "content"),
        activates=lambda source, day: 0.5,
        converts=lambda source, day: 0.3,
        seed=5,
    )
    state, _ = run(GAP, observe(GAP, accounts), GAP.new_state(START + 100 * DAY))
    assert {verdict.segment for verdict in GAP.verdicts(state)} == {"all", "source:content"}
