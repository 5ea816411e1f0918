from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.policy import (
    LAST_CEILING_S,
    MAX_RETRY_AFTER_S,
    MAX_TRIES,
    Answer,
    Delivered,
    EndpointGone,
    GiveUp,
    Result,
    TryAgain,
    backoff_ceiling_s,
    decide,
    result_of,
    retry_after_s,
)

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (101, Result.BROKEN_ANSWER),
        (200, Result.DELIVERED),
        (204, Result.DELIVERED),
        (299, Result.DELIVERED),
        (301, Result.REDIRECTED),
        (302, Result.REDIRECTED),
        (304, Result.REDIRECTED),
        (308, Result.REDIRECTED),
        (400, Result.REFUSED),
        (404, Result.REFUSED),
        (410, Result.GONE),
        (429, Result.THROTTLED),
        (500, Result.SERVER_ERROR),
        (503, Result.SERVER_ERROR),
        (600, Result.BROKEN_ANSWER),
    ],
)
def test_status(status: int, result: Result) -> None:
    assert result_of(Answer(status=status)) is result


@given(status=st.integers(0, 999), tries=st.integers(1, MAX_TRIES), seed=st.integers())
def test_every_status_has_one_outcome(status: int, tries: int, seed: int) -> None:
    decision = decide(Answer(status=status), tries=tries, now=NOW, rng=random.Random(seed))
    if 200 <= status < 300:
        assert decision == Delivered()
    elif status == 410:
        assert decision == EndpointGone()
    elif tries == MAX_TRIES:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, TryAgain)
        assert NOW <= decision.at <= NOW + backoff_ceiling_s(tries)


@pytest.mark.parametrize(
    "failure",
    [
        Result.TIMEOUT,
        Result.UNREACHABLE,
        Result.NAME_NOT_FOUND,
        Result.TLS_FAILED,
        Result.EGRESS_REFUSED,
        Result.BROKEN_ANSWER,
    ],
)
def test_failures_are_tried_again_and_keep_their_name(failure: Result) -> None:
    decision = decide(Answer(failure=failure), tries=1, now=NOW, rng=random.Random(1))
    assert isinstance(decision, TryAgain)
    assert decision.result is failure


def test_what_cannot_be_read_is_not_tried_again() -> None:
    answer = Answer(failure=Result.UNREADABLE)
    assert decide(answer, tries=1, now=NOW, rng=random.Random(1)) == GiveUp(result=Result.UNREADABLE)


def test_ten_tries_take_about_75_hours() -> None:
    ceilings = [backoff_ceiling_s(tries) for tries in range(1, MAX_TRIES)]
    assert len(ceilings) == 9
    assert ceilings == sorted(ceilings)
    assert max(ceilings) <= LAST_CEILING_S
    assert 70 <= sum(ceilings) / 2 / 3600 <= 80


def test_jitter_is_full() -> None:
    rng = random.Random(5)
    waits = []
    for _ in range(2000):
        decision = decide(Answer(status=500), tries=3, now=NOW, rng=rng)
        assert isinstance(decision, TryAgain)
        waits.append((decision.at - NOW) / backoff_ceiling_s(3))
    assert min(waits) < 0.01
    assert max(waits) > 0.99
    assert 0.47 < sum(waits) / len(waits) < 0.53


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999", None),
    ],
)
def test_retry_after(written: str | None, seconds: float | None) -> None:
    assert retry_after_s(written, NOW) == seconds


@given(written=st.text(max_size=80))
def test_retry_after_is_bounded_whatever_is_sent(written: str) -> None:
    seconds = retry_after_s(written, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_the_endpoint_up_and_is_never_undercut(status: int) -> None:
    answer = Answer(status=status, retry_after="3600")
    for seed in range(50):
        decision = decide(answer, tries=1, now=NOW, rng=random.Random(seed))
        assert isinstance(decision, TryAgain)
        assert decision.at == NOW + 3600
        assert decision.pause_until == NOW + 3600


def test_a_short_retry_after_does_not_shorten_the_backoff() -> None:
    with_header = decide(Answer(status=503, retry_after="1"), tries=6, now=NOW, rng=random.Random(3))
    without = decide(Answer(status=503), tries=6, now=NOW, rng=random.Random(3))
    assert isinstance(with_header, TryAgain)
    assert isinstance(without, TryAgain)
    assert with_header.at == without.at


def test_retry_after_on_other_statuses_is_not_heeded() -> None:
    decision = decide(Answer(status=500, retry_after="3600"), tries=1, now=NOW, rng=random.Random(3))
    assert isinstance(decision, TryAgain)
    assert decision.pause_until is None
    assert decision.at <= NOW + backoff_ceiling_s(1)


def test_the_last_try_still_pauses_the_endpoint() -> None:
    answer = Answer(status=429, retry_after="60")
    decision = decide(answer, tries=MAX_TRIES, now=NOW, rng=random.Random(3))
    assert decision == GiveUp(result=Result.THROTTLED, pause_until=NOW + 60)


def test_a_wait_follows_a_try() -> None:
    with pytest.raises(ValueError, match="follows a try"):
        backoff_ceiling_s(0)
