"""plg.adoption_breadth: what an account tells of its use, what sets the signal off, and what must not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Raw
from msgspec.msgpack import encode

from detectors import rarefaction
from detectors.signals.plg_adoption_breadth import (
    BREADTH,
    CYCLE,
    DEPTH,
    MOST_FEATURES,
    SETTLING,
    WINDOW,
)
from detectors.signals.tenure import tenure_band
from schemas.alerts import DriftAlert
from schemas.observations import Observation
from tests.unit.account_world import DAY, HOUR, T0, Account, product, profile
from tests.unit.adoption_world import SIGNAL, company, habits, steady
from tests.unit.judging import judge
from tests.unit.signal_words import as_text, golden

# The account half.


def using(*features: str, begin: float = T0, every: float = HOUR) -> list[Any]:
    return [product(begin + i * every, "used", feature=feature) for i, feature in enumerate(features)]


def told(account: Account) -> dict[str, Observation]:
    found = {each.measure: each for each in account.effects.observations}
    account.effects.observations.clear()
    return found


def signed_up() -> Account:
    account = Account(signals=[SIGNAL])
    account.take(profile(T0, acquisition_source="content"), product(T0, "signed_up"))
    return account


def test_four_weeks_of_use_are_told_once_and_settled() -> None:
    account = signed_up()
    account.take(*using(*"aaaaabbbcd", begin=T0 + DAY))
    account.wait(T0 + WINDOW + SETTLING - 1)
    assert told(account) == {}
    account.wait(T0 + WINDOW + SETTLING)
    found = told(account)
    counts = [5, 3, 1, 1]
    assert found[BREADTH].value == pytest.approx(rarefaction.breadth(counts))
    assert found[DEPTH].value == pytest.approx(rarefaction.depth(counts))
    for each in found.values():
        assert (each.began, each.at) == (T0, T0 + WINDOW + SETTLING)
        assert (each.stratum, each.segments) == ("0-30", {"source": "content"})
    account.wait(T0 + 2 * CYCLE)
    assert told(account) == {}


def test_less_than_ten_uses_tell_nothing() -> None:
    account = signed_up()
    account.take(*using(*"aaaabbbcd", begin=T0 + DAY))
    account.wait(T0 + CYCLE)
    assert told(account) == {}


def test_an_account_is_asked_four_weeks_of_every_twenty_four() -> None:
    account = signed_up()
    account.take(*using(*"abcdefghij" * 30, begin=T0 + WINDOW, every=DAY / 2))  # five months on
    account.wait(T0 + CYCLE)
    assert told(account) == {}
    account.take(*using(*"abcdefghij" * 2, begin=T0 + CYCLE + DAY))
    account.wait(T0 + 2 * CYCLE)
    assert told(account)[BREADTH].stratum == "91-365"


def test_late_uses_count_until_the_four_weeks_are_told() -> None:
    account = signed_up()
    account.take(*using(*"aaaaaaaaaa", begin=T0 + DAY))
    account.take(product(T0 + WINDOW + DAY, "used"), *using("b", "b", begin=T0 + 2 * DAY))
    account.wait(T0 + WINDOW + SETTLING)
    assert told(account)[BREADTH].value == pytest.approx(rarefaction.breadth([10, 2]))
    account.take(*using(*"cccccccccccc", begin=T0 + 3 * DAY))
    account.wait(T0 + CYCLE)
    assert told(account) == {}


def test_no_timer_waits_for_an_account_that_uses_too_little() -> None:
    account = signed_up()
    account.take(*using(*"aaaabbbcd", begin=T0 + DAY))
    assert account.state.timers == {}
    account.take(*using("e", begin=T0 + 2 * DAY))
    assert [*account.state.timers.values()] == [T0 + WINDOW + SETTLING]


def test_a_tenth_use_that_comes_after_the_four_weeks_settled_is_too_late() -> None:
    account = signed_up()
    account.take(*using(*"aaaabbbcd", begin=T0 + DAY))
    account.effects.time = T0 + WINDOW + SETTLING  # by what others do
    account.take(*using(*"abcdefghijk", begin=T0 + 3 * DAY))
    account.wait(T0 + CYCLE)
    assert told(account) == {}


def test_a_sign_up_ends_the_four_weeks_that_were_being_counted() -> None:
    """Their timer would end the newcomer's in the middle."""
    since = datetime.fromtimestamp(T0, UTC).isoformat()
    account = Account(signals=[SIGNAL])
    account.take(profile(T0, customer_since=since), *using(*"aaaaabbbbb", begin=T0 + DAY))
    account.take(product(T0 + 20 * DAY, "signed_up"), *using(*"aaabbbccc", begin=T0 + 21 * DAY))
    account.take(*using("d", begin=T0 + 35 * DAY))
    account.wait(T0 + CYCLE)
    assert told(account)[BREADTH].began == T0 + 20 * DAY


def test_four_weeks_whose_timer_was_set_at_the_first_use_are_told_as_ever() -> None:
    """So it was before uses were counted together: the memory lacks the number."""
    for uses, tells in (("aaaaabbbcd", True), ("aaaabbbcd", False)):
        account = signed_up()
        account.take(*using(*uses, begin=T0 + DAY))
        memory = account.state.memories[SIGNAL.name]
        account.state.memories[SIGNAL.name] = Raw(encode([memory.began, memory.uses]))
        account.state.timers[f"signal:{SIGNAL.name}:tell"] = T0 + WINDOW + SETTLING
        account.wait(T0 + CYCLE)
        assert bool(told(account)) is tells


def test_who_has_no_tenure_is_asked_at_a_phase_of_its_own() -> None:
    account = Account(signals=[SIGNAL])
    account.take(*using(*"ab" * 400, every=DAY / 2))  # 400 days
    account.wait(T0 + 600 * DAY)
    found = [each for each in account.effects.observations if each.measure == BREADTH]
    assert 2 <= len(found) <= 3
    assert {each.stratum for each in found} == {"unknown"}
    assert found[1].began - found[0].began == pytest.approx(CYCLE, abs=DAY)


def test_memory_is_bounded() -> None:
    account = signed_up()
    account.take(*using(*(f"feature-{i}" for i in range(500)), begin=T0 + DAY, every=60))
    assert len(account.raw) < 500 * 8 + 2000  # the ids of 500 events, and what is counted
    account.wait(T0 + CYCLE)
    assert told(account)[BREADTH].value < MOST_FEATURES


def test_tenure_bands() -> None:
    days = [0, 30.9, 31, 90, 91, 365, 366, 5000]
    assert [tenure_band(day * DAY) for day in days] == [
        *("0-30", "0-30", "31-90", "31-90", "91-365", "91-365", "over 365", "over 365"),
    ]
    assert tenure_band(None) == "unknown"


# The drift half.


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shallow_use_is_found_and_dated(seed: int) -> None:
    def shallow(day: float, stratum: str) -> Sequence[float]:
        return habits(4.0) if day >= 180 else steady(day, stratum)

    _, alerts = judge(SIGNAL, company(shallow, seed=seed))
    drifts = [alert for alert in alerts if isinstance(alert, DriftAlert)]
    whole = next(alert for alert in drifts if alert.segment == "all")
    since = (whole.since.timestamp() - T0) / DAY
    assert abs(since - 180) <= whole.since_margin_days + 7
    assert (whole.at.timestamp() - WINDOW - SETTLING - T0) / DAY < 215
    assert whole.before.estimate < whole.now.low
    assert len(whole.evidence) == 10
    assert all(alert.state == "drifting" for alert in drifts)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("look_alike", ["nothing", "more activity", "a launch", "sign-ups grow"])
def test_look_alikes_are_silent(look_alike: str, seed: int) -> None:
    def launched(day: float, stratum: str) -> Sequence[float]:
        """A new feature that all try a little, beside their two favourites."""
        if day < 180:
            return steady(day, stratum)
        first, second, *rest = habits(2.4 if stratum == "0-30" else 2.0)
        return [first, second, *(each * 0.8 for each in rest), 0.2 * sum(rest)]

    observations = {
        "nothing": lambda: company(steady, seed=seed),
        "more activity": lambda: company(steady, seed=seed, uses=lambda day: 20 if day < 180 else 120),
        "a launch": lambda: company(launched, seed=seed),
        "sign-ups grow": lambda: company(steady, seed=seed, newcomers=lambda day: 0.3 if day < 180 else 0.8),
    }[look_alike]()
    state, alerts = judge(SIGNAL, observations)
    assert alerts == []
    assert state.segments["all"].monitor.phase == "watching"


def test_it_ends_when_use_is_deep_again() -> None:
    def for_a_while(day: float, stratum: str) -> Sequence[float]:
        return habits(4.0) if 150 <= day < 260 else steady(day, stratum)

    _, alerts = judge(SIGNAL, company(for_a_while, days=420))
    whole = [alert for alert in alerts if isinstance(alert, DriftAlert) and alert.segment == "all"]
    assert [alert.state for alert in whole] == ["drifting", "resolved"]
    assert abs((whole[1].since.timestamp() - T0) / DAY - 260) < 70


def test_what_it_says() -> None:
    def shallow(day: float, stratum: str) -> Sequence[float]:
        return habits(4.0) if 150 <= day < 260 else steady(day, stratum)

    _, alerts = judge(SIGNAL, company(shallow, days=420))
    said = as_text([alert for alert in alerts if alert.segment == "all"])
    assert said == golden("plg_adoption_breadth", said)
