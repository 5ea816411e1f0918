"""slg.hedged_language, drift half, on notes that went through the account stage: what it finds, and what it must not."""

from __future__ import annotations

import pytest

from schemas.alerts import DriftAlert
from tests.unit.judging import day_of, judge, said
from tests.unit.notes_world import REPS, SIGNAL, TEMPLATE, writing
from tests.unit.signal_words import as_text, golden


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rise_is_found_with_its_phrases(seed: int) -> None:
    _, alerts = judge(SIGNAL, writing(lambda _, day: 0.1 if day < 180 else 0.32, seed=seed))
    drifts = [alert for alert in alerts if isinstance(alert, DriftAlert)]
    assert ("all", "drifting") in said(drifts)
    (whole,) = [alert for alert in drifts if alert.segment == "all"]
    assert 180 < day_of(whole.at) - 14 < 225
    assert abs(day_of(whole.since) - 180) <= whole.since_margin_days + 7
    assert whole.mix_share == pytest.approx(0.0, abs=0.2)
    assert len(whole.evidence) == 10
    assert "Heard most: “" in whole.what


def test_one_rep_who_begins_to_hedge_is_found_under_their_name() -> None:
    _, alerts = judge(SIGNAL, writing(lambda rep, day: 0.6 if rep == "ben" and day > 200 else 0.1, days=320))
    assert ("rep:ben", "drifting") in said(alerts)
    assert not {"rep:anna", "rep:cleo"} & {segment for segment, _ in said(alerts)}


@pytest.mark.parametrize("seed", range(1, 8))
def test_a_rep_who_joins_and_always_hedges_is_mix(seed: int) -> None:
    """With seed 2 the newcomer hedges in 25 of the first 30 by chance."""
    flows = REPS | {"dora": lambda day: 2.5 if day > 180 else 0.0}
    state, alerts = judge(
        SIGNAL, writing(lambda rep, _: 0.95 if rep == "dora" else 0.1, days=330, flows=flows, seed=seed)
    )
    assert said(alerts) == [("all", "mix")]
    assert SIGNAL.verdicts(state)[0].finding == "mix"


@pytest.mark.parametrize("text", [TEMPLATE, "Not our typical buyer? "])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_template_in_every_note_is_data_health(seed: int, text: str) -> None:
    observations = writing(
        lambda *_: 0.1, template=lambda day: 200 < day < 260, text=text, days=330, seed=seed
    )
    _, alerts = judge(SIGNAL, observations)
    assert said(alerts) == [("all", "template")]


def test_a_drift_beneath_a_template_is_found() -> None:
    observations = writing(lambda _, day: 0.1 if day < 230 else 0.5, template=lambda day: day > 200, days=320)
    _, alerts = judge(SIGNAL, observations)
    assert ("all", "template") in said(alerts)
    assert ("all", "drifting") in said(alerts)
    (whole,) = [a for a in alerts if isinstance(a, DriftAlert) and a.segment == "all"]
    assert day_of(whole.at) > 230


def test_quotes_growth_and_weekends_are_no_drift() -> None:
    def flow(day: float) -> float:
        return float(1.5 * 1.004**day * (0.3 if day % 7 >= 5 else 1.0))

    state, alerts = judge(SIGNAL, writing(lambda *_: 0.12, days=330, flows=dict.fromkeys(REPS, flow)))
    assert [alert for alert in alerts if isinstance(alert, DriftAlert)] == []
    whole = SIGNAL.verdicts(state)[0]
    assert whole.state == "watching"
    assert whole.counted_out["hedged_price"] > 100


def test_the_words() -> None:
    flows = REPS | {"dora": lambda day: 2.0 if day > 150 else 0.0}

    def share(rep: str, day: float) -> float:
        return 0.9 if rep == "dora" else 0.5 if rep == "ben" and day > 230 else 0.1

    _, alerts = judge(
        SIGNAL,
        writing(share, days=330, flows=flows, template=lambda day: 60 < day < 90),
    )
    found = as_text(alerts)
    assert found == golden(SIGNAL.name, found)
