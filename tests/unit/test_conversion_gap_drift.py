"""plg.conversion_gap, drift half: what it must find, and what must not set it off (SIGNALS: silent when)."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.signals.contract import ALL, Verdict
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_state import GapState
from schemas.alerts import DriftAlert, Notice, encode_alert
from schemas.duration import DAY
from schemas.errors import EventRefused
from schemas.observations import Observation
from tests.unit.conversion_gap_world import START, Rate, company, drift_alerts, notices, observe, run
from tests.unit.judging import retaken

SOURCES = ("referral", "content", "direct")
SIZE = {"referral": 20.0, "content": 25.0, "direct": 15.0}
RATE = {"referral": 0.25, "content": 0.16, "direct": 0.20}
CHANGE = 200

Told = list[DriftAlert | Notice]


def watch(
    *,
    days: int = 400,
    per_day: Rate = lambda source, day: SIZE[source],
    activates: Rate = lambda source, day: 0.5,
    converts: Rate = lambda source, day: RATE[source],
    seed: int = 1,
    signal: ConversionGap | None = None,
) -> tuple[dict[str, Verdict], Told]:
    signal = signal or ConversionGap()
    accounts = company(
        days=days, per_day=per_day, sources=SOURCES, activates=activates, converts=converts, seed=seed
    )
    state, alerts = run(signal, observe(signal, accounts))
    return {verdict.segment: verdict for verdict in signal.verdicts(state)}, alerts


def weekend(day: float) -> bool:
    return day % 7 >= 5


def _halved(source: str, day: float) -> float:
    return RATE[source] * (0.5 if day >= CHANGE and source == "content" else 1)


QUIET: dict[str, dict[str, Rate]] = {
    "nothing changes": {},
    "sign-ups grow by 1 % a day": {"per_day": lambda source, day: SIZE[source] * 0.1 * 1.01**day},
    "sign-ups grow by 2 % a day": {"per_day": lambda source, day: SIZE[source] * 0.012 * 1.02**day},
    "fewer and other sign-ups at weekends": {
        "per_day": lambda source, day: SIZE[source] * (0.3 if weekend(day) else 1.2),
        "converts": lambda source, day: RATE[source] * (0.6 if weekend(day) else 1.1),
    },
    "conversion rises": {"converts": lambda source, day: RATE[source] * (1.8 if day >= CHANGE else 1)},
    "activation alone falls": {"activates": lambda source, day: 0.25 if day >= CHANGE else 0.5},
}


@pytest.mark.parametrize("name", QUIET)
def test_silent(name: str) -> None:
    verdicts, alerts = watch(**QUIET[name], seed=3)
    assert drift_alerts(alerts) == []
    assert {verdict.state for verdict in verdicts.values()} == {"watching"}


def test_the_left_edge_of_recording_is_no_baseline() -> None:
    """Conversions are recorded from day 150 on only; accounts from day 0."""
    signal = ConversionGap()
    accounts = company(
        days=400,
        per_day=lambda s, d: SIZE[s],
        sources=SOURCES,
        activates=lambda s, d: 0.5,
        converts=lambda s, d: RATE[s],
        seed=2,
    )
    for account in accounts:
        if account.milestones.get("converted", 1e12) < START + 150 * DAY:
            account.milestones = {k: v for k, v in account.milestones.items() if k != "converted"}
    observations = observe(signal, accounts)
    state, alerts = run(signal, observations)
    assert alerts == []
    whole = signal.verdicts(state)[0]
    assert whole.before is not None
    assert whole.before.low < 0.2 < whole.before.high
    assert whole.history[0].at >= START + (150 + 28 - 7) * DAY
    assert whole.counted_out["left_truncated"] > 4000
    assert whole.counted_out["settling"] > 700
    paid = sum(o.measure == "paid_given_activated" for o in observations)
    left_out = whole.counted_out["left_truncated"] + whole.counted_out["settling"]
    assert whole.n + left_out == paid, "activation's own left edge is not counted here"


def test_without_any_conversion_nothing_is_judged_and_it_says_why() -> None:
    verdicts, alerts = watch(days=120, converts=lambda source, day: 0.0)
    assert alerts == []
    assert verdicts[ALL].state == "learning"
    assert verdicts[ALL].missing.startswith("a first conversion, 0 of 300 observations, 0 of 28 days")


def test_a_source_that_converts_half_is_found_and_named() -> None:
    verdicts, alerts = watch(converts=_halved)
    (alert,) = alerts
    assert isinstance(alert, DriftAlert)
    assert (alert.segment, alert.state, alert.mix_share) == ("source:content", "drifting", None)
    since = (alert.since.timestamp() - START) / DAY
    assert abs(since - CHANGE) <= alert.since_margin_days + 3
    assert alert.before.low < 0.16 < alert.before.high
    assert alert.now.low < 0.08 < alert.now.high
    assert alert.statistic >= alert.threshold
    assert 20 < (alert.at.timestamp() - START) / DAY - CHANGE < 60, "before the first of them are mature"
    assert "to judge by those who have not had as long yet" in alert.what
    assert len(alert.evidence) == 10
    assert "of source content" in alert.what
    assert "silent drift" in alert.means
    assert "Activation holds" in alert.means
    assert alert.promise == "False-alarm promise: one a year for all signals together."
    assert {name: verdict.state for name, verdict in verdicts.items()} == {
        ALL: "watching",
        "source:content": "drifting",
        "source:direct": "watching",
        "source:referral": "watching",
    }


def test_it_resolves_when_conversion_is_back_and_watches_again() -> None:
    def dips(source: str, day: float) -> float:
        low = 200 <= day < 300 or day >= 430
        return RATE[source] * (0.4 if low and source == "content" else 1)

    signal = ConversionGap()
    accounts = company(
        days=600,
        per_day=lambda s, d: SIZE[s],
        sources=SOURCES,
        activates=lambda s, d: 0.5,
        converts=dips,
        seed=4,
    )
    state, seen = signal.new_state(), []
    told: Told = []
    for number, observation in enumerate(observe(signal, accounts)):
        told += signal.step(state, observation)
        if number % 200 == 0:
            now = [v.state for v in signal.verdicts(state) if v.segment == "source:content"]
            seen += [] if seen[-1:] == now else now
    of_content = [alert for alert in drift_alerts(told) if alert.segment == "source:content"]
    assert [alert.state for alert in of_content] == ["drifting", "resolved", "drifting"]
    assert len({alert.id for alert in of_content}) == 3
    assert seen == ["learning", "watching", "drifting", "resolved", "watching", "drifting"]
    resolved = of_content[1]
    assert resolved.now.high >= resolved.before.low
    assert "as before the fall" in resolved.what


def test_half_a_recovery_is_no_recovery() -> None:
    def partly(source: str, day: float) -> float:
        return RATE[source] * (1.0 if day < 200 or source != "content" else 0.4 if day < 300 else 0.65)

    verdicts, alerts = watch(days=520, converts=partly)
    assert [alert.state for alert in drift_alerts(alerts) if alert.segment == "source:content"] == [
        "drifting"
    ]
    assert verdicts["source:content"].state == "drifting"


@pytest.mark.parametrize("seed", [1, 2])
def test_if_activation_falls_too_it_is_the_whole_funnel(seed: int) -> None:
    verdicts, alerts = watch(
        activates=lambda source, day: 0.25 if day >= CHANGE else 0.5,
        converts=lambda source, day: RATE[source] * (0.5 if day >= CHANGE else 1),
        seed=seed,
    )
    assert drift_alerts(alerts) == []
    found = {notice.segment for notice in notices(alerts) if notice.finding == "whole funnel"}
    assert ALL in found
    assert verdicts[ALL].state == "watching"
    assert verdicts[ALL].finding == "whole funnel"
    assert verdicts[ALL].statistic > verdicts[ALL].threshold


def test_it_becomes_drift_when_activation_is_back_and_paying_is_not() -> None:
    verdicts, alerts = watch(
        days=520,
        activates=lambda source, day: 0.25 if 200 <= day < 300 else 0.5,
        converts=lambda source, day: RATE[source] * (0.5 if day >= CHANGE else 1),
    )
    of_all = [alert for alert in alerts if alert.segment == ALL]
    assert [getattr(alert, "finding", None) or getattr(alert, "state", None) for alert in of_all][:2] == [
        "whole funnel",
        "drifting",
    ]
    assert verdicts[ALL].state == "drifting"


def test_if_all_sources_fall_alike_it_says_market_wide() -> None:
    verdicts, alerts = watch(converts=lambda source, day: RATE[source] * (0.5 if day >= CHANGE else 1))
    whole = next(alert for alert in drift_alerts(alerts) if alert.segment == ALL)
    # A small source may be called slower for a while; that is never drift, nor instead of it.
    (notice,) = (notice for notice in notices(alerts) if notice.finding != "slower, not fewer")
    assert (notice.finding, notice.segment) == ("market-wide", ALL)
    assert verdicts[ALL].finding == "market-wide"
    assert "None of the fall is mix" in whole.what
    assert whole.mix_share == pytest.approx(0, abs=0.15)
    assert "source:" not in whole.check
    last = drift_alerts(alerts)[-1]
    assert last.segment != ALL
    assert "test before you rewrite your ICP" in last.means


RATE_IN_MIX = {"referral": 0.30, "content": 0.08, "direct": 0.20}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_shift_of_the_mix_is_drift_of_the_whole_and_of_no_source(seed: int) -> None:
    verdicts, alerts = watch(
        per_day=lambda source, day: SIZE[source] * (6 if day >= CHANGE and source == "content" else 1),
        converts=lambda source, day: RATE_IN_MIX[source],
        seed=seed,
    )
    (alert,) = drift_alerts(alerts)
    assert alert.segment == ALL
    assert "mix" in alert.what
    assert (
        "no source surely converts less" in alert.what
        or "All of the fall is mix" in alert.what
        or alert.mix_share > 2 / 3
    )
    assert alert.means.startswith("Other people are drawn than before")
    assert ": content (" in alert.check
    assert "Sign-ups grew by" in alert.what
    assert "which hid it" in alert.what
    assert {name for name, verdict in verdicts.items() if verdict.state == "drifting"} == {ALL}


def test_a_fall_while_learning_is_told_and_left_out_of_the_baseline() -> None:
    signal = ConversionGap(min_baseline=2000, min_baseline_days=90)
    _, alerts = watch(
        days=300,
        converts=lambda source, day: RATE[source] * (0.4 if day >= 110 else 1),
        signal=signal,
    )
    found = notices(alerts)
    assert {notice.finding for notice in found} == {"unsteady baseline"}
    assert ALL in {notice.segment for notice in found}
    assert drift_alerts(alerts) == []


def test_a_person_can_take_the_baseline_anew() -> None:
    signal = ConversionGap()
    accounts = company(
        days=520,
        per_day=lambda s, d: SIZE[s],
        sources=SOURCES,
        activates=lambda s, d: 0.5,
        converts=_halved,
        seed=1,
    )
    observations = observe(signal, accounts)
    half = next(i for i, o in enumerate(observations) if o.at > START + 350 * DAY)
    state, first = run(signal, observations[:half])
    assert [alert.state for alert in drift_alerts(first)] == ["drifting"]
    decided = retaken(ConversionGap, observations[half].at, "source:content")
    (closed,) = signal.step(state, decided)
    assert isinstance(closed, DriftAlert)
    assert (closed.state, closed.segment) == ("resolved", "source:content")
    assert "by a person's decision" in closed.what
    state, rest = run(signal, observations[half:], state)
    assert rest == []
    content = next(verdict for verdict in signal.verdicts(state) if verdict.segment == "source:content")
    assert content.state == "watching"
    assert content.before is not None
    assert content.before.low < 0.08 < content.before.high


def test_a_baseline_that_is_taken_anew_knows_nothing_of_what_was_before() -> None:
    """A price changes on the day on which a person says so: cohorts that activated before it mature for 60 days more."""
    signal, changed = ConversionGap(), 200
    accounts = company(
        days=330,
        per_day=lambda s, d: 48.0,
        sources=["direct"],
        activates=lambda s, d: 0.5,
        converts=lambda s, d: 0.2 if d < changed else 0.1,
        seed=1,
    )
    observations = observe(signal, accounts)
    first = next(i for i, o in enumerate(observations) if o.at > START + changed * DAY)
    state, _ = run(signal, observations[:first])
    for segment in ("all", "source:direct"):
        assert signal.step(state, retaken(ConversionGap, observations[first].at, segment)) == []
    state, rest = run(signal, observations[first:], state)
    assert rest == []
    for verdict in signal.verdicts(state):
        assert verdict.state == "watching"
        assert verdict.before is not None
        assert verdict.before.low < 0.1 < verdict.before.high


def test_a_segment_that_does_not_exist_has_no_baseline_to_take_anew() -> None:
    signal = ConversionGap()
    with pytest.raises(EventRefused) as refused:
        signal.step(signal.new_state(), retaken(ConversionGap, START, "nobody"))
    assert refused.value.problem.where == "$.segments.segment"
    assert refused.value.problem.remedy


def test_growth_does_not_loosen_the_promise() -> None:
    verdicts, _ = watch(per_day=lambda source, day: SIZE[source] * (1 if day < CHANGE else 3))
    steady, _ = watch()
    assert verdicts[ALL].threshold == pytest.approx(3 * steady[ALL].threshold, rel=0.15)


def test_with_fewer_than_three_places_only_the_whole_is_watched() -> None:
    verdicts, _ = watch(days=200, signal=ConversionGap(max_segments=2))
    assert list(verdicts) == [ALL]
    assert verdicts[ALL].state == "watching"


def test_small_sources_together_are_other() -> None:
    verdicts, _ = watch(days=200, signal=ConversionGap(max_segments=3))
    assert list(verdicts) == [ALL, "source:content", "source:other"]
    assert verdicts[ALL].n == pytest.approx(
        verdicts["source:content"].n + verdicts["source:other"].n, rel=0.02
    )


@pytest.fixture(scope="module")
def history() -> list[Observation]:
    accounts = company(
        days=330,
        per_day=lambda s, d: SIZE[s] * 0.7,
        sources=SOURCES,
        activates=lambda s, d: 0.5,
        converts=_halved,
        seed=6,
    )
    return observe(ConversionGap(), accounts)


@pytest.fixture(scope="module")
def undisturbed(history: list[Observation]) -> tuple[bytes, list[bytes]]:
    signal = ConversionGap()
    state, alerts = run(signal, history)
    assert alerts
    return signal.encode_state(state), [encode_alert(alert) for alert in alerts]


@settings(max_examples=8)
@given(cuts=st.lists(st.floats(0, 1), max_size=6))
def test_storing_the_state_between_batches_changes_nothing(
    history: list[Observation], undisturbed: tuple[bytes, list[bytes]], cuts: list[float]
) -> None:
    signal = ConversionGap()
    at = sorted({0, len(history), *(int(cut * len(history)) for cut in cuts)})
    raw, alerts = signal.encode_state(signal.new_state()), []
    for start, end in pairwise(at):
        state, found = run(signal, history[start:end], signal.decode_state(raw))
        raw = signal.encode_state(state)
        alerts += [encode_alert(alert) for alert in found]
    assert (raw, alerts) == undisturbed


def test_the_state_stays_small(history: list[Observation]) -> None:
    signal = ConversionGap()
    state: GapState
    state, _ = run(signal, history)
    assert len(signal.encode_state(state)) < 40_000
    assert msgspec.json.encode(list(signal.verdicts(state)))


@pytest.mark.parametrize(
    "wrong",
    [{"horizon_s": 0}, {"false_alarms_per_year": float("nan")}, {"monitors": 0}, {"max_segments": 0}],
)
def test_parameters_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"positive|or more"):
        ConversionGap(**wrong)  # type: ignore[arg-type]
