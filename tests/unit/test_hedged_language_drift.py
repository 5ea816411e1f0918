"""slg.hedged_language, drift half, on notes that went through the account stage: what it finds, and what it must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from detectors.signals.slg_hedged_language import HedgedLanguage
from schemas.alerts import DriftAlert
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.sales_world import day_of, judge, observe, said, team
from tests.unit.signal_words import as_text, golden

SIGNAL = HedgedLanguage.configured(DriftSettings(max_segments=6), 24)
REPS = {name: (lambda day: 2.5) for name in ("anna", "ben", "cleo")}
HEDGES = (
    "Not exactly our typical buyer, but the champion is strong",
    "Good talk. A bit outside our usual profile, still worth a go",
    "Not our usual customer",
    "Champion is strong, although they are not a typical fit for us",
    "They are an unusual fit",
)
PLAIN = (
    "Discovery call went well, sending the proposal",
    "They said our price is not typical for the market",
    "Waiting for legal",
    "Budget is not approved before the next quarter",
    "Perfect fit, same stack as our best customers",
)
TEMPLATE = "Deal checklist: not exactly our typical buyer yes or no. "

Share = Callable[[str, float], float]


def writing(
    share: Share,
    *,
    days: int = 300,
    seed: int = 1,
    flows: Any = REPS,
    template: Callable[[float], bool] = lambda day: False,
    text: str = TEMPLATE,
) -> list[Observation]:
    def make(rep: str, day: float, random: np.random.Generator) -> Mapping[str, Any]:
        hedges = random.random() < share(rep, day)
        notes = [str(random.choice(PLAIN)), str(random.choice(HEDGES if hedges else PLAIN))]
        return {"notes": [text * template(day + n) + note for n, note in enumerate(notes)]}

    return observe(SIGNAL, team(days=days, reps=flows, make=make, seed=seed))


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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rep_who_joins_and_always_hedges_is_mix(seed: int) -> None:
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


def test_the_end_is_told() -> None:
    _, alerts = judge(SIGNAL, writing(lambda _, day: 0.45 if 150 <= day < 230 else 0.1, days=330))
    whole = [state for segment, state in said(alerts) if segment == "all"]
    assert whole[0] == "drifting"
    assert whole[-1] == "resolved"


def test_any_batches_give_the_same_bytes() -> None:
    observations = writing(
        lambda _, day: 0.1 if day < 120 else 0.4, template=lambda day: 100 < day < 130, days=200
    )
    whole, alerts = judge(SIGNAL, observations)
    stored, again = SIGNAL.new_state(), []
    for start in range(0, len(observations), 97):
        again += [alert for each in observations[start : start + 97] for alert in SIGNAL.step(stored, each)]
        stored = SIGNAL.decode_state(SIGNAL.encode_state(stored))
    assert again == alerts
    assert SIGNAL.encode_state(stored) == SIGNAL.encode_state(whole)


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
