"""What an ill source does to the signals that feed on it: suspended with the reason, its time left out, nothing judged that
was open; in the very order of the observations, so that a replay and any batches give the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from detectors.drift import DriftStage, all_verdicts
from detectors.effects import Effects
from detectors.health.data_health import Fact
from detectors.health.fields import BUCKETS
from detectors.health.needs import needs_of
from detectors.health.watch import Illness
from detectors.signals.contract import ACKNOWLEDGED, BASELINE_RETAKEN, Verdict
from detectors.signals.plg_adoption_breadth import AdoptionBreadth
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.suspension import adopted_until, over_until
from schemas.alerts import Alert, DataHealthAlert, DriftAlert, decode_alert
from schemas.duration import DAY, HOUR
from schemas.observations import Observation, encode_observation
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore
from tests.unit.health_world import CRM, START, TRACKER, around_the_clock, hours, office, source, spread_over

SAMPLE = load_icps([Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"])
"""Its customers convert when the CRM says that a deal is won."""
DIES, BACK, END = 150, 180, 260


def conversions() -> list[Observation]:
    """A healthy product, whose CRM says nothing from DIES to BACK: who would have paid then does not."""
    found = []
    for each in ConversionGap(monitors=120).healthy_example():
        at, began = START + each.at, START + each.began
        seen = each.measure == "conversion_seen"
        if DIES * DAY <= each.at < BACK * DAY and seen:
            continue
        value = each.value
        if each.measure == "paid_given_activated" and _paid_in_the_dark(each):
            value = 0.0
        if each.at < END * DAY:
            found.append(_moved(each, at, began, value))
    return found


def _paid_in_the_dark(each: Observation) -> bool:
    """They pay at all ages alike: so of each cohort the part of its time that was dark."""
    first, last = each.began / DAY, each.at / DAY
    dark = max(0.0, min(last, BACK) - max(first, DIES))
    return int(each.account.rpartition("-")[2]) % 100 < 100 * dark / 54


def _moved(each: Observation, at: float, began: float, value: float) -> Observation:
    return Observation(
        signal=each.signal,
        measure=each.measure,
        at=at,
        began=began,
        value=value,
        account=each.account,
        known=at,
        segments=each.segments,
    )


def crm() -> Iterable[Observation]:
    dark = source(CRM, office(40), silent=lambda day, hour: DIES <= day < BACK)
    return hours(END, 1, dark, source(TRACKER, around_the_clock(100)))


def piped(stream: Sequence[Observation], batch: int) -> tuple[Pipeline, list[Alert]]:
    store = MemoryStore()
    settings = Settings()
    pipeline = Pipeline(store, SAMPLE, settings, None)
    raw = [encode_observation(each) for each in stream]
    for first in range(0, len(raw), batch):
        pipeline.observe(raw[first : first + batch])
    return pipeline, [decode_alert(row.body) for row in store.outbox.values()]


@cache
def outage() -> tuple[Observation, ...]:
    return tuple(sorted([*conversions(), *crm()], key=lambda each: each.at))


def whole(pipeline: Pipeline, signal: str = "plg.conversion_gap") -> Verdict:
    return next(each for each in pipeline.verdicts() if (each.signal, each.segment) == (signal, "all"))


def test_without_data_health_the_outage_looks_like_drift() -> None:
    """Or the test below would show nothing."""
    _, alerts = piped(conversions(), 10_000)
    assert any(isinstance(alert, DriftAlert) for alert in alerts)


def test_an_outage_suspends_and_is_no_drift() -> None:
    told = outage()
    dark = [each for each in told if each.at < START + (DIES + 20) * DAY]
    pipeline, alerts = piped(dark, 10_000)
    verdict = whole(pipeline)
    assert verdict.state == "suspended"
    assert verdict.suspended == "crm.stage_changed: silent"
    assert verdict.counted_out["data_health"] > 0
    (ill,) = [alert for alert in alerts if isinstance(alert, DataHealthAlert)]
    assert "plg.conversion_gap" in ill.suspends
    assert "plg.adoption_breadth" not in ill.suspends
    pipeline, alerts = piped(told, 10_000)
    assert not [alert for alert in alerts if isinstance(alert, DriftAlert)]
    assert [alert.state for alert in alerts if isinstance(alert, DataHealthAlert)] == ["ill", "well"]
    assert whole(pipeline).state == "watching"


def retired(measure: str = BASELINE_RETAKEN) -> list[Observation]:
    """The outage, and what a person says of it after three weeks: the CRM was switched off on purpose. It says nothing more."""
    at = START + (DIES + 20) * DAY + HOUR / 2
    made = Observation(
        signal="data.health",
        measure=measure,
        at=at,
        began=at,
        value=1.0,
        account="",
        known=at,
        segments={"segment": "crm.stage_changed /crm", "by": "Ann"},
        phrases=["We have no CRM any more"],
    )
    told = [each for each in outage() if each.segments.get("source") != "/crm" or each.at < made.at]
    return sorted([*told, made], key=lambda each: each.at)


def test_what_a_retired_source_suspended_goes_on_and_nothing_is_learned_anew() -> None:
    told = retired()
    until = next(place for place, each in enumerate(told) if each.measure == BASELINE_RETAKEN)
    before = whole(piped(told[:until], 10_000)[0])
    after = whole(piped(told[: until + 1], 10_000)[0])
    assert (before.state, after.state, after.suspended) == ("suspended", "watching", "")
    assert (after.before, after.n, after.counted_out) == (before.before, before.n, before.counted_out)
    pipeline, alerts = piped(told, 10_000)
    last = whole(pipeline)
    assert last.before == before.before
    assert last.n > after.n
    assert last.counted_out["data_health"] > after.counted_out["data_health"], "what began in it stays out"
    assert [alert.state for alert in alerts if isinstance(alert, DataHealthAlert)] == ["ill", "well"]


def test_an_acknowledged_source_still_suspends() -> None:
    pipeline, alerts = piped(retired(ACKNOWLEDGED), 10_000)
    assert whole(pipeline).suspended == "crm.stage_changed: silent"
    states = {each.segment: each.state for each in pipeline.verdicts() if each.signal == "data.health"}
    assert states["crm.stage_changed /crm"] == states["all"] == "acknowledged"
    assert [alert.state for alert in alerts if isinstance(alert, DataHealthAlert)] == ["ill"]


@pytest.mark.parametrize("batch", [311, 5000])
def test_batches_change_nothing_with_a_decision_among_them(batch: int) -> None:
    one, alerts = piped(retired(), 1_000_000)
    other, again = piped(retired(), batch)
    assert sorted(alerts, key=lambda alert: alert.id) == sorted(again, key=lambda alert: alert.id)
    assert one.verdicts() == other.verdicts()


@pytest.mark.parametrize("batch", [317, 5000])
def test_batches_change_nothing(batch: int) -> None:
    one, alerts = piped(outage(), 1_000_000)
    other, again = piped(outage(), batch)
    assert sorted(alerts, key=lambda alert: alert.id) == sorted(again, key=lambda alert: alert.id)
    assert one.verdicts() == other.verdicts()


def test_what_shows_the_verdicts_needs_no_icp_file() -> None:
    told = [each for each in outage() if each.at < START + (DIES + 20) * DAY]
    pipeline, _ = piped(told, 10_000)
    stage = pipeline.drift_stage
    states = {
        name: stage.decode_state(name, stored.state)
        for name, stored in pipeline._store.load(
            pipeline._drift.claim, ["data.health", "plg.conversion_gap"], None
        ).states.items()
    }
    shown = all_verdicts(DriftStage([ConversionGap()]), [ConversionGap()], states)
    assert next(each for each in shown if each.segment == "all").state == "suspended"
    assert {each.signal for each in shown} == {"plg.conversion_gap", "data.health"}


def test_a_new_vocabulary_that_stays_lets_signals_learn_anew() -> None:
    def counts(draw: Any, n: int, day: int) -> dict[str, list[int]]:
        renamed = [0] * (BUCKETS - 4) + [1, 1, 1, 1]
        return {"values_feature": spread_over(draw, n, renamed if day >= 100 else [1, 1, 1, 1])}

    heard: list[str] = []

    class Recorder(AdoptionBreadth):
        def step(self, state: Any, observation: Observation) -> Any:
            heard.append(observation.measure)
            return super().step(state, observation)

    signal = Recorder.configured(Settings().drift, 120)
    stage = DriftStage([signal], SAMPLE)
    health, own = stage.new_state("data.health"), stage.new_state(signal.name)
    stage.hold(health)
    for each in hours(150, 2, source(TRACKER, around_the_clock(300), counts=counts)):
        stage.step("data.health", health, each, each.at, Effects())
    example = signal.healthy_example()[0]
    at = START + 150 * DAY
    late = _moved(example, at, at - 28 * DAY, example.value)
    stage.step(signal.name, own, late, at, Effects())
    assert heard == [BASELINE_RETAKEN]
    assert own.left_out["all"] == 1
    after = _moved(example, at + 40 * DAY, at + HOUR, example.value)
    stage.step(signal.name, own, after, at + 40 * DAY, Effects())
    assert heard == [BASELINE_RETAKEN, example.measure]
    stored = stage.decode_state(signal.name, stage.encode_state(signal.name, own))
    assert (stored.left_out, stored.relearned, stored.interrupted) == (
        own.left_out,
        own.relearned,
        own.interrupted,
    )


def test_a_signal_feeds_on_the_types_of_its_milestones() -> None:
    needs = needs_of(ConversionGap(), SAMPLE)
    assert set(needs) > set(ConversionGap.needs)


def test_of_several_illnesses_the_last_end_counts() -> None:
    def ill(ended: float | None, *, adopted: bool = False) -> Fact:
        return Fact("support.ticket", Illness("silent", "", 1.0, 2.0, ended=ended, adopted=adopted))

    facts = [ill(5.0, adopted=True), ill(9.0), ill(7.0, adopted=True), ill(None)]
    assert (over_until(facts), adopted_until(facts)) == (9.0, 7.0)
    assert (over_until([ill(None)]), adopted_until([])) == (0.0, 0.0)
