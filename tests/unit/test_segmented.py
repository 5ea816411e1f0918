"""The frame of the drift half, with a monitor that does what its observations say: segments, alerts, left edge, state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import Struct

from detectors.checks import SIGNAL_CHECKS, signal_state_is_bounded
from detectors.signals.contract import ALL, BASELINE_RETAKEN, Point, VerdictState, names_a_person
from detectors.signals.evidence import MAX_EVIDENCE, Weighed, merge_evidence, weigh_in
from detectors.signals.measures import NUMBER, SHARE, Values
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.segmented import SegmentedSignal
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_state import SegmentedState
from schemas.alerts import DriftAlert, Interval, Notice
from schemas.duration import DAY
from schemas.errors import EventRefused, StateRefused
from schemas.observations import Observation

ENOUGH = 30
START = 100 * DAY


class Script(Struct):
    n: int = 0
    newest: float = 0.0
    phase: str = "learning"
    episode: int = 0
    told: list[float] = []


class Scripted:
    """Learns ENOUGH; then 1 begins a drift, 2 ends it, 3 is noticed. What it was told it keeps."""

    def __init__(self, stored: Script | None) -> None:
        self.stored = stored if stored is not None else Script()

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        state = self.stored
        state.n += 1
        state.newest = max(state.newest, observation.began)
        state.told.append(observation.value)
        if state.phase == "learning":
            if not (may_freeze and self.has_enough):
                return NOTHING
            state.phase = "watching"
            return (Change("frozen"),)
        if observation.value == 1:
            state.episode += state.phase != "drifting"
            state.phase = "drifting"
            return (Change("drifting"),)
        if observation.value == 2:
            state.phase = "resolved"
            return (Change("resolved"),)
        return (Change("noticed", "odd", observation.began),) if observation.value == 3 else NOTHING

    def weight(self, observation: Observation) -> float:
        return observation.value

    @property
    def phase(self) -> VerdictState:
        return self.stored.phase  # type: ignore[return-value]

    @property
    def episode(self) -> int:
        return self.stored.episode

    finding = ""
    statistic = 0.0
    threshold = 0.0
    since_margin_days: float | None = None
    mix_share: float | None = None

    @property
    def since(self) -> float | None:
        return self.stored.newest if self.stored.phase == "drifting" else None

    @property
    def has_enough(self) -> bool:
        return self.stored.n >= ENOUGH

    @property
    def missing(self) -> str:
        return f"{self.stored.n} of {ENOUGH} observations" if self.stored.phase == "learning" else ""

    @property
    def n(self) -> int:
        return self.stored.n

    @property
    def newest(self) -> float:
        return self.stored.newest

    @property
    def before(self) -> Interval | None:
        return Interval(estimate=0.1, low=0.0, high=0.2, n=10) if self.stored.phase != "learning" else None

    @property
    def now(self) -> Interval | None:
        high = 0.3 if self.stored.phase == "drifting" else 0.1
        return Interval(estimate=high, low=0.0, high=1.0, n=10)

    @property
    def history(self) -> list[Point]:
        return []

    def relearn(self, at: float) -> None:
        self.stored = Script(n=self.stored.n, episode=self.stored.episode)

    def absorb(self, other: Scripted) -> None:
        self.stored.n += other.stored.n
        self.stored.told += other.stored.told


class Kept(Struct):
    seen: int = 0


class ScriptedSignal(SegmentedSignal):
    name = "test.scripted"
    title = "a scripted number"
    needs: ClassVar[dict[str, frozenset[str]]] = {}
    measures: ClassVar[dict[str, Values]] = {"number": NUMBER, "begun": SHARE, "apart": SHARE}
    left_out: ClassVar[frozenset[str]] = frozenset({"apart"})
    recorded_by: ClassVar[dict[str, str]] = {"number": "begun"}
    settling_days: ClassVar[float] = 10.0
    dimensions: ClassVar[tuple[str, ...]] = ("rep", "band")
    monitor_state: ClassVar[type[Struct]] = Script
    shared: ClassVar[type[Struct] | None] = Kept

    def monitor(self, stored: Any) -> Scripted:
        return Scripted(stored)

    def healthy_example(self) -> Sequence[Observation]:
        return [
            told("begun", 0.0, 1.0),
            *(told("number", (20 + i) * DAY, 0.0, rep=f"r{i % 3}") for i in range(200)),
        ]

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        state.shared.seen += 1
        if observation.value == 9:
            return "nine"
        return () if observation.value == 8 else (observation,)

    def words_drifting(self, case: Case) -> Words:
        return Words(what=f"drifts {case.segment} {case.phrases}", means="m", check="c", wrong_if="w")

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "odd":
            return Words(what=f"odd at {case.facts / DAY:g}", means="m")
        return super().words_noticed(finding, case)


PROMISE = Promise(false_alarms_per_year=1.0, monitors=10, min_baseline=30, min_baseline_days=28.0)
SIGNAL = ScriptedSignal(PROMISE, max_segments=9)


def told(
    measure: str,
    began: float,
    value: float,
    *,
    rep: str = "",
    band: str = "small",
    account: str = "zz-account",
    phrases: Sequence[str] = (),
) -> Observation:
    return Observation(
        signal="test.scripted",
        measure=measure,
        at=began,
        began=began,
        value=value,
        account=account,
        segments={"rep": rep, "band": band} if measure != BASELINE_RETAKEN else {"segment": rep},
        phrases=list(phrases),
    )


def learned(signal: ScriptedSignal = SIGNAL, reps: int = 2) -> SegmentedState:
    state = signal.new_state()
    signal.step(state, told("begun", 0.0, 1.0))
    for number in range(4 * ENOUGH):
        signal.step(state, told("number", START + number, 0.0, rep=f"rep{number % reps}"))
    return state


# The script keeps all that it is told, to be looked at; what the frame itself keeps is bounded by test_signals.py.
CHECKS = [check for check in SIGNAL_CHECKS if check is not signal_state_is_bounded]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_frame_keeps_the_contract(check: Any) -> None:
    check(SIGNAL)


def test_an_observation_goes_to_its_segments_and_to_all() -> None:
    state = learned()
    assert state.names == [ALL, "band:small", "rep:rep0", "rep:rep1"]
    assert {name: state.segments[name].monitor.n for name in state.names} == {
        ALL: 120,
        "band:small": 120,
        "rep:rep0": 60,
        "rep:rep1": 60,
    }


def test_each_dimension_has_its_places_and_its_other() -> None:
    state = SIGNAL.new_state()
    SIGNAL.step(state, told("begun", 0.0, 1.0))
    for number in range(ENOUGH):
        rep = "often" if number % 2 else f"seldom{number}"
        SIGNAL.step(state, told("number", START + number, 0.0, rep=rep, band=f"b{number % 5}"))
    reps = {name for name in state.names if name.startswith("rep:")}
    bands = {name for name in state.names if name.startswith("band:")}
    assert len(reps) == len(bands) == 4
    assert {"rep:often", "rep:other"} <= reps
    assert "band:other" in bands
    for part in (reps, bands):
        assert sum(state.segments[name].monitor.n for name in part) == ENOUGH
    assert state.drawn
    SIGNAL.step(state, told("number", START + 99, 0.0, rep="new", band="new"))
    assert {name for name in state.names if name.startswith("rep:")} == reps


def test_nothing_freezes_before_the_segments_have_their_meaning() -> None:
    state = SIGNAL.new_state()
    SIGNAL.step(state, told("begun", 0.0, 1.0))
    for number in range(ENOUGH):
        SIGNAL.step(state, told("number", START + number, 0.0, rep="r"))
        assert {verdict.state for verdict in SIGNAL.verdicts(state)} == {"learning"}
    SIGNAL.step(state, told("number", START + 99, 0.0, rep="r"))
    assert {verdict.state for verdict in SIGNAL.verdicts(state)} == {"watching"}


def test_one_alert_an_episode_and_one_at_its_end() -> None:
    state = learned()
    alerts = [
        alert
        for number, value in enumerate([1, 1, 1, 2, 2, 1])
        for alert in SIGNAL.step(state, told("number", START + DAY + number, value, rep="rep0"))
    ]
    own = [alert for alert in alerts if alert.segment == "rep:rep0" and isinstance(alert, DriftAlert)]
    assert [alert.state for alert in own] == ["drifting", "resolved", "drifting"]
    assert len({alert.id for alert in alerts}) == len(alerts)


def test_what_is_noticed_is_a_notice_with_its_facts_and_changes_no_state() -> None:
    state = learned()
    alerts = [*SIGNAL.step(state, told("number", START + DAY, 3.0, rep="rep0"))]
    alerts += SIGNAL.step(state, told("number", START + DAY, 3.0, rep="rep0"))
    assert all(isinstance(alert, Notice) for alert in alerts)
    assert [alert.segment for alert in alerts] == ["rep:rep0", "band:small", ALL] * 2
    assert {alert.what for alert in alerts} == {"odd at 101"}
    assert len({alert.id for alert in alerts}) == 6
    assert {verdict.state for verdict in SIGNAL.verdicts(state)} == {"watching"}


def test_market_wide_is_told_once_when_nearly_all_moved() -> None:
    state = learned(reps=3)
    alerts = []
    for number in range(6):
        alerts += SIGNAL.step(state, told("number", START + DAY + number, 1.0, rep=f"rep{number % 3}"))
    found = [alert.finding for alert in alerts if isinstance(alert, Notice)]
    assert found == ["market-wide"]
    assert SIGNAL.verdicts(state)[0].finding == "market-wide"


def test_the_left_edge_is_counted_out() -> None:
    state = SIGNAL.new_state()
    assert SIGNAL.verdicts(state)[0].missing == f"a first begun, 0 of {ENOUGH} observations"
    SIGNAL.step(state, told("number", 5 * DAY, 0.0, rep="r"))
    SIGNAL.step(state, told("begun", 6 * DAY, 1.0))
    SIGNAL.step(state, told("number", 5 * DAY, 0.0, rep="r"))
    SIGNAL.step(state, told("number", 7 * DAY, 0.0, rep="r"))
    SIGNAL.step(state, told("number", 16 * DAY, 0.0, rep="r"))
    whole = SIGNAL.verdicts(state)[0]
    assert whole.n == 1
    assert whole.counted_out == {"left_truncated": 2, "settling": 1}


def test_a_signal_may_leave_out_or_swallow_what_it_reads() -> None:
    state = learned()
    seen = state.shared.seen
    SIGNAL.step(state, told("number", START + DAY, 9.0, rep="rep0"))
    SIGNAL.step(state, told("number", START + DAY, 8.0, rep="rep0"))
    SIGNAL.step(state, told("apart", START + DAY, 1.0, rep="rep0"))
    assert state.shared.seen == seen + 2
    for verdict in SIGNAL.verdicts(state):
        if verdict.segment != "rep:rep1":
            assert verdict.counted_out == {"apart": 1, "nine": 1}
    assert state.segments[ALL].monitor.n == 120


def test_a_person_takes_the_baseline_anew() -> None:
    state = learned()
    SIGNAL.step(state, told("number", START + DAY, 1.0, rep="rep0"))
    (closed,) = SIGNAL.step(state, told(BASELINE_RETAKEN, START + 2 * DAY, 1.0, rep="rep:rep0"))
    assert isinstance(closed, DriftAlert)
    assert (closed.state, closed.segment) == ("resolved", "rep:rep0")
    assert "by a person's decision" in closed.what
    states = {verdict.segment: verdict.state for verdict in SIGNAL.verdicts(state)}
    assert states["rep:rep0"] == "learning"
    assert states[ALL] == "drifting"
    with pytest.raises(EventRefused):
        SIGNAL.step(state, told(BASELINE_RETAKEN, START + 2 * DAY, 1.0, rep="rep:nobody"))


@pytest.mark.parametrize(
    "change",
    [
        {"measure": "begun", "value": 0.5},
        {"exposure": -1.0},
        {"exposure": float("nan")},
        {"value": 1e13},
        {"began": START + 2 * DAY},
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    state = learned()
    raw = SIGNAL.encode_state(state)
    with pytest.raises(EventRefused):
        SIGNAL.step(state, msgspec.structs.replace(told("number", START + DAY, 0.0, rep="new"), **change))
    assert SIGNAL.encode_state(state) == raw


def test_the_state_of_a_signal_with_other_parts_is_refused() -> None:
    class Grown(ScriptedSignal):
        state_version = 2

    class Other(ScriptedSignal):
        dimensions = ("rep",)

    raw = SIGNAL.encode_state(learned())
    for signal in (Grown(PROMISE), Other(PROMISE)):
        with pytest.raises(StateRefused):
            signal.decode_state(raw)


def test_evidence_holds_the_accounts_that_weigh_most_and_fades() -> None:
    kept: list[Weighed] = []
    for number in range(40):
        weigh_in(
            kept,
            told("number", START, 0.0, account=f"a{number % 20}", phrases=["p" * 200] * 9),
            float(number),
        )
    assert [each.account for each in kept] == [f"a{number}" for number in range(19, 9, -1)]
    assert {len(each.phrases) for each in kept} == {3}
    assert {len(phrase) for each in kept for phrase in each.phrases} == {80}
    weigh_in(kept, told("number", START + 100 * DAY, 0.0, account="later"), 1.0)
    assert kept[0].account == "later"
    other = [*kept]
    merge_evidence(kept, other)
    assert len(kept) == MAX_EVIDENCE
    for weight in (0.0, float("nan"), float("inf"), -1.0):
        weigh_in(kept, told("number", START + 200 * DAY, 0.0, account="never"), weight)
    assert "never" not in {each.account for each in kept}


def test_the_phrases_of_the_evidence_are_in_the_words() -> None:
    state = learned()
    alerts = SIGNAL.step(state, told("number", START + DAY, 1.0, rep="rep0", phrases=["odd fit"]))
    assert {alert.what for alert in alerts} >= {"drifts all ['odd fit']"}
    assert SIGNAL.verdicts(state)[0].evidence[0].phrases == ["odd fit"]


def test_a_rep_is_a_person() -> None:
    assert names_a_person("rep:anna")
    assert not names_a_person("source:rep")
    assert not names_a_person(ALL)


@pytest.mark.parametrize(
    "wrong", [{"false_alarms_per_year": 0.0}, {"monitors": 0}, {"min_baseline_days": float("inf")}]
)
def test_a_promise_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are"):
        ScriptedSignal(msgspec.structs.replace(PROMISE, **wrong))
