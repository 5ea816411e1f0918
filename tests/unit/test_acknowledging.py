"""A person's decision about a drift: from the event in the log to the verdict, repeated by a replay, refused where it
can't be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from detectors.catalogue import signals
from detectors.decisions import MAX_DECISIONS
from detectors.drift import DriftStage
from detectors.effects import Effects
from detectors.signals.contract import ACKNOWLEDGED, BASELINE_RETAKEN, Verdict
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.errors import StateRefused
from schemas.observations import Observation
from schemas.settings import DriftSettings
from streams.pipeline import Pipeline
from streams.stores.memory import MemoryStore
from tests.unit.health_world import TRACKER, around_the_clock, hours, source
from tests.unit.serving_world import DAY, NOW, World, icp

GAP = ConversionGap.name


def decision(
    world: World, segment: str = "source:content", *, signal: str = GAP, retake: bool = False
) -> bytes:
    data = {"segment": segment, "by": "Ann", "reason": "A price test, until May", "retake_baseline": retake}
    return world.events.make(f"signal:{signal}", NOW - DAY / 2, "drift.acknowledged", data)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """``content`` drifts, ``referral`` does not."""
    world = World(tmp_path)
    world.put([world.events.product("a", NOW - DAY, "invited")])
    world.drift()
    yield world
    world.close()


def verdict(world: World, segment: str = "source:content") -> Verdict:
    (found,) = [each for each in world.pipeline.verdicts() if (each.signal, each.segment) == (GAP, segment)]
    return found


def drift_alerts(world: World) -> list[tuple[str, str, str]]:
    found = [msgspec.json.decode(body) for body in world.store.alerts()]
    return [(each["segment"], each["state"], each["what"]) for each in found if each["kind"] == "drift"]


def test_an_acknowledged_drift_is_shown_as_such_with_who_when_and_why(world: World) -> None:
    before = verdict(world)
    said = drift_alerts(world)
    assert before.state == "drifting"
    world.put([decision(world)])
    after = verdict(world)
    assert after.state == "acknowledged"
    (made,) = after.decisions
    assert (made.at, made.kind, made.by, made.reason) == (
        NOW - DAY / 2,
        "acknowledged",
        "Ann",
        "A price test, until May",
    )
    assert (made.state, made.since) == ("drifting", before.since)
    assert (after.since, after.statistic, after.history) == (before.since, before.statistic, before.history)
    assert drift_alerts(world) == said
    assert verdict(world, "source:referral").decisions == []
    assert world.pipeline.ledger.dead_lettered == 0


def test_a_baseline_taken_anew_closes_the_drift_and_learns(world: World) -> None:
    history = verdict(world).history
    world.put([decision(world), decision(world, retake=True)])
    after = verdict(world)
    assert after.state == "learning"
    assert after.missing
    assert after.history == history
    assert [(made.kind, made.state) for made in after.decisions] == [
        ("baseline_retaken", "acknowledged"),
        ("acknowledged", "drifting"),
    ]
    (segment, state, what) = drift_alerts(world)[-1]
    assert (segment, state) == ("source:content", "resolved")
    assert "a person's decision" in what


def test_a_decision_counts_once_however_often_it_is_sent(world: World) -> None:
    sent = decision(world)
    world.put([sent, sent])
    world.put([sent])
    assert len(verdict(world).decisions) == 1
    assert world.pipeline.ledger.duplicate == 2


def test_nothing_drifts_and_the_decision_is_kept_all_the_same(world: World) -> None:
    world.put([decision(world, "source:referral")])
    after = verdict(world, "source:referral")
    assert after.state == "watching"
    assert [(made.state, made.since) for made in after.decisions] == [("watching", None)]


def test_a_restart_remembers(world: World) -> None:
    world.put([decision(world)])
    before = verdict(world)
    world.change_icp(icp())
    assert verdict(world) == before


def test_what_does_not_exist_becomes_a_dead_letter_that_says_so(world: World) -> None:
    world.put(
        [
            decision(world, signal="plg.nothing"),
            b"nonsense",
            decision(world, segment="nowhere"),
            decision(world, segment="nowhere", retake=True),
        ],
    )
    letters = [(each.topic, each.reason, each.detail) for each in world.store.dead_letters()]
    assert [(topic, reason) for topic, reason, _ in letters] == [
        ("events", "wrong_subject"),
        ("events", "not_json"),
        ("observations", "bad_value"),
        ("observations", "bad_value"),
    ]
    assert "there is no such drift signal" in letters[0][2]
    assert "plumbline drift lists" in letters[2][2]
    assert world.pipeline.ledger.dead_lettered == 2
    assert verdict(world).state == "drifting"


def test_a_source_is_decided_about_by_the_same_event(world: World) -> None:
    world.observe(list(hours(3, 1, source(TRACKER, around_the_clock(100)))))
    world.put(
        [
            decision(world, "product.event /web", signal="data.health", retake=True),
            decision(world, "product.event /nowhere", signal="data.health", retake=True),
            decision(world, "all", signal="data.health"),
        ],
    )
    verdicts = {each.segment: each for each in world.pipeline.verdicts() if each.signal == "data.health"}
    (made,) = verdicts["product.event /web"].decisions
    assert (made.kind, made.by, made.state) == ("baseline_retaken", "Ann", "learning")
    letters = [(each.topic, each.reason, each.detail) for each in world.store.dead_letters()]
    assert [(topic, reason) for topic, reason, _ in letters] == [("observations", "bad_value")] * 2
    assert "there is no such segment" in letters[0][2]
    assert "is of one source" in letters[1][2]


def test_neither_products_nor_signals_are_accounts(world: World) -> None:
    world.put([decision(world), decision(world, signal="plg.nothing")])
    assert world.store.account_count() == world.serving.account_count() == 1
    assert world.serving.account(f"signal:{GAP}") is None


def stepped(stage: DriftStage, observations: list[Observation], rounds: int = 1) -> tuple[list[bytes], bytes]:
    """Alerts and the state; after each ``len / rounds`` observations the state goes through its bytes."""
    state = stage.new_state(GAP)
    effects = Effects()
    size = -(-len(observations) // rounds)
    for first in range(0, len(observations), size):
        for each in observations[first : first + size]:
            stage.step(GAP, state, each, each.at, effects)
        state = stage.decode_state(GAP, stage.encode_state(GAP, state))
    return [msgspec.json.encode(alert) for alert in effects.alerts], stage.encode_state(GAP, state)


@pytest.fixture(scope="module")
def stage() -> DriftStage:
    return DriftStage(signals(DriftSettings()))


def told(measure: str, number: int, segment: str = "all") -> Observation:
    return Observation(
        signal=GAP,
        measure=measure,
        at=400 * DAY + number,
        began=400 * DAY + number,
        value=1.0,
        account="",
        segments={"segment": segment, "by": "Ann"},
        phrases=[f"reason {number}"],
    )


def test_the_newest_decisions_are_kept_and_the_state_is_bounded(stage: DriftStage) -> None:
    _, few = stepped(stage, [told(ACKNOWLEDGED, number) for number in range(MAX_DECISIONS)])
    _, many = stepped(stage, [told(ACKNOWLEDGED, number) for number in range(100, 100 + 5 * MAX_DECISIONS)])
    assert len(many) <= len(few) + 2 * MAX_DECISIONS
    (whole,) = stage.verdicts(GAP, stage.decode_state(GAP, many))
    assert [made.reason for made in whole.decisions] == [
        f"reason {number}" for number in range(199, 199 - MAX_DECISIONS, -1)
    ]


def test_a_stored_state_goes_on_as_the_one_that_it_was(stage: DriftStage) -> None:
    gap = next(each for each in signals(DriftSettings()) if each.name == GAP)
    healthy = list(gap.healthy_example())
    observations = [*healthy[:3000], told(ACKNOWLEDGED, 1), *healthy[3000:], told(BASELINE_RETAKEN, 2)]
    assert stepped(stage, observations) == stepped(stage, observations, rounds=9)


def test_a_state_from_before_decisions_were_kept_is_read(stage: DriftStage) -> None:
    gap = next(each for each in signals(DriftSettings()) if each.name == GAP)
    own = gap.new_state()
    for each in gap.healthy_example():
        gap.step(own, each)
    state = stage.decode_state(GAP, gap.encode_state(own))
    assert stage.verdicts(GAP, state) == gap.verdicts(own)
    for damaged in (b"\x00", gap.encode_state(own)[:-5], stage.encode_state(GAP, state)[:-5]):
        with pytest.raises(StateRefused):
            stage.decode_state(GAP, damaged)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_change_nothing(world: World, size: int) -> None:
    """Events with decisions among them, good and bad, in batches of any size: the same verdicts, dead letters and ledger."""
    events = [world.events.product(f"a{number}", NOW - DAY + number, "signed_up") for number in range(40)]
    for place, sent in enumerate(
        (
            decision(world, "all"),
            decision(world, signal="plg.nothing"),
            b"nonsense",
            decision(world, "all", retake=True),
            decision(world, "nowhere"),
        )
    ):
        events.insert(5 * place + 3, sent)
    found = []
    for portion in (len(events), size):
        store = MemoryStore()
        pipeline = Pipeline(store, [icp()], world.settings, None)
        for first in range(0, len(events), portion):
            pipeline.process(list(enumerate(events))[first : first + portion])
        found.append(
            (pipeline.verdicts(), pipeline.ledger, [(one.offset, one.reason) for one in store.dead_letters])
        )
    assert found[0] == found[1]
    decisions = [made.kind for each in found[0][0] for made in each.decisions]
    assert decisions == ["baseline_retaken", "acknowledged"]
    assert [reason for _, reason in found[0][2]] == ["wrong_subject", "not_json", "bad_value"]
