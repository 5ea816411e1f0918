"""A flood of dead letters stops a partition; the odd one never does; batches change nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import DeadLetterSettings
from streams.flood_limit import Flood, FloodLimit

LIMIT = DeadLetterSettings(window=20, share=0.5, min_count=5)


def take(limit: FloodLimit, outcomes: str) -> Flood | None:
    """``outcomes``: one sign an event, ``x`` is a dead letter."""
    return limit.take(len(outcomes), [place for place, sign in enumerate(outcomes) if sign == "x"])


def test_a_bad_deploy_is_seen_as_soon_as_the_least_count_is_reached() -> None:
    limit = FloodLimit(LIMIT)
    assert take(limit, "xxxx") is None
    assert take(limit, "x") == Flood(dead=5, events=5)


def test_a_partition_long_at_work_stops_when_a_window_is_bad() -> None:
    limit = FloodLimit(LIMIT)
    assert take(limit, "." * 1000 + "x" * 10) is None
    assert take(limit, "x") == Flood(dead=11, events=20)


def test_a_flood_within_a_large_batch_is_seen() -> None:
    assert take(FloodLimit(LIMIT), "." * 1000 + "x" * 11 + "." * 1000) == Flood(dead=11, events=20)


def test_the_odd_one_never_stops_it() -> None:
    limit = FloodLimit(LIMIT)
    for _ in range(100):
        assert take(limit, ".x.x") is None, "half is not more than half"


def test_few_never_stop_it_whatever_their_share() -> None:
    assert take(FloodLimit(LIMIT), "xxxx") is None


def test_share_one_never_stops() -> None:
    assert take(FloodLimit(DeadLetterSettings(window=20, share=1, min_count=1)), "x" * 1000) is None


def test_what_was_refused_was_not_counted() -> None:
    limit = FloodLimit(LIMIT)
    for _ in range(3):
        assert take(limit, "xxxxxx") == Flood(dead=5, events=5)
    assert take(limit, "." * 20) is None
    assert take(limit, "x" * 10) is None


def test_once_lifted_it_stays_so_until_a_window_is_in_order() -> None:
    limit = FloodLimit(LIMIT)
    assert take(limit, "x" * 30) is not None
    limit.lift()
    assert take(limit, "x" * 30) is None
    assert take(limit, "x" * 100) is None
    assert take(limit, "." * 9) is None
    assert take(limit, "x") is None, "the window is still bad"
    assert take(limit, "." * 20) is None
    assert take(limit, "x" * 11) == Flood(dead=11, events=20)


def naive(outcomes: str) -> int | None:
    """The place at which the limit is passed, by the definition."""
    for end in range(1, len(outcomes) + 1):
        window = outcomes[max(0, end - LIMIT.window) : end]
        dead = window.count("x")
        if outcomes[end - 1] == "x" and dead >= LIMIT.min_count and dead > LIMIT.share * len(window):
            return end
    return None


@given(st.text("x.", max_size=200), st.lists(st.integers(0, 200), max_size=20))
def test_batches_change_nothing(outcomes: str, cuts: list[int]) -> None:
    limit = FloodLimit(LIMIT)
    edges = sorted({0, len(outcomes), *(cut for cut in cuts if cut < len(outcomes))})
    stopped = naive(outcomes)
    for begin, end in pairwise(edges):
        flooded = take(limit, outcomes[begin:end])
        assert (flooded is not None) == (stopped is not None and begin < stopped <= end)
        if flooded is not None:
            return


@pytest.mark.parametrize("settings", [{"window": 5}, {"share": 0}, {"share": 1.5}, {"min_count": 0}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        DeadLetterSettings.model_validate(settings)
