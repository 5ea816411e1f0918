"""Deciles, trends and taxonomies: what a table promises, what it is deaf to, and what it finds."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sequential.decile_mixture import (
    PARTS,
    SHARES,
    DecileMixture,
    decile_edges,
    decile_of,
)
from detectors.sequential.table_mixture import TableMixture, paid_for
from detectors.sequential.taxonomy_mixture import BLOCK, STARTS, TaxonomyMixture
from detectors.sequential.trend_mixture import TrendMixture


@given(
    raw=st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.1, 5)), min_size=2, max_size=10),
    n=st.floats(30, 1e6),
    dispersion=st.floats(1, 4),
)
def test_a_table_that_is_paid_for_gains_nothing_on_average(
    raw: list[tuple[float, float]], n: float, dispersion: float
) -> None:
    shares = [share / sum(s for s, _ in raw) for share, _ in raw]
    mean = sum(share * each for share, (_, each) in zip(shares, raw, strict=True))
    table = [each / mean for _, each in raw]
    paid = paid_for(table, shares, n, level=0.9, dispersion=dispersion)
    assert sum(share * each for share, each in zip(shares, paid, strict=True)) <= 1 + 1e-12
    certain = paid_for(table, shares, 1e12, level=0.9)
    assert certain == pytest.approx(table, rel=1e-4)


@settings(max_examples=50)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=50, max_size=400, unique=True))
def test_parts_hold_their_shares(values: list[float]) -> None:
    edges = decile_edges(values)
    counts = [0] * PARTS
    for value in values:
        counts[decile_of(edges, value)] += 1
    assert all(abs(count - len(values) * share) <= 1.1 for count, share in zip(counts, SHARES, strict=True))


def test_deciles_of_too_few_or_alike_are_refused() -> None:
    for values in ([1.0] * 100, [1.0, 2.0], [math.nan] * 60):
        with pytest.raises(ValueError, match=r"decile"):
            decile_edges(values)
    with pytest.raises(ValueError, match="deciles need"):
        DecileMixture.from_baseline(10)


@pytest.mark.parametrize(
    ("draw", "shapes"),
    [
        (lambda rng: rng.gauss(0, 1.8), {"wider", "much wider"}),
        (lambda rng: rng.gauss(rng.choice([-1, 1]), 0.5), {"two clusters"}),
        (lambda rng: rng.gauss(3.0 if rng.random() < 0.35 else 0, 1), {"slow cluster"}),
    ],
)
def test_the_leading_shape_is_the_one_that_was_drawn(draw: object, shapes: set[str]) -> None:
    rng = random.Random(2)
    detector = DecileMixture.from_baseline(300)
    edges = decile_edges([rng.gauss(0, 1) for _ in range(300)])
    state = detector.new_state()
    for at in range(150):
        detector.update(state, decile_of(edges, draw(rng)), float(at))  # type: ignore[operator]
    assert detector.statistic(state) > 1_000
    leading = detector.leading(state)
    assert leading is not None
    assert detector.shapes[leading] in shapes


@settings(max_examples=50)
@given(
    values=st.lists(st.integers(1, 10), min_size=12, max_size=200).filter(lambda values: len(set(values)) > 2)
)
def test_a_trends_evidence_rises_with_the_value_also_on_a_coarse_scale(values: list[int]) -> None:
    try:
        detector = TrendMixture.from_baseline([float(value) for value in values])
    except ValueError:
        assert max(values.count(value) for value in values) > len(values) / 2
        return
    for table in detector.tables:
        assert list(table) == sorted(table)
        assert table[0] < 1


def test_a_trend_is_deaf_to_falling_values_and_found_in_rising_ones_on_either_side() -> None:
    rng = random.Random(3)
    baseline = [rng.gauss(0, 1) for _ in range(100)]
    rise, fall = TrendMixture.from_baseline(baseline), TrendMixture.from_baseline(baseline, direction="fall")
    up, down, deaf = rise.new_state(), fall.new_state(), rise.new_state()
    for at in range(200):
        value = rng.gauss(at / 100, 1)
        rise.update(up, value, float(at))
        fall.update(down, -value, float(at))
        rise.update(deaf, -value, float(at))
    assert rise.statistic(up) > 1e5
    assert fall.statistic(down) > 1e5
    assert rise.statistic(deaf) < 5
    with pytest.raises(ValueError, match="spread"):
        TrendMixture.from_baseline([1.0] * 20)
    with pytest.raises(ValueError, match="12 finite"):
        TrendMixture.from_baseline([1.0, 2.0])


def test_a_taxonomy_finds_what_nobody_named_and_says_what_came_since() -> None:
    detector = TaxonomyMixture.from_baseline([400, 300, 200, 100])
    starts = []
    for seed in range(9):
        rng, state = random.Random(seed), detector.new_state()
        for at in range(500):
            weights = [4, 3, 2, 1] if at < 300 else [2, 2, 2, 4]
            detector.update(state, rng.choices(range(4), weights)[0], float(at))
        assert detector.statistic(state) > 1e5
        change = detector.change(state)
        assert change is not None
        since = detector.since_change(state)
        assert sum(since) == change.n
        assert since[3] / change.n > 0.3
        assert len(state.starts) <= STARTS
        starts.append(change.since)
    assert 250 <= sorted(starts)[4] <= 320


def test_a_taxonomy_is_judged_by_blocks() -> None:
    detector = TaxonomyMixture.from_baseline([50, 50])
    state = detector.new_state()
    for at in range(BLOCK - 1):
        detector.update(state, 0, float(at))
    assert detector.statistic(state) == 0
    detector.update(state, 0, 9.0)
    assert detector.statistic(state) == BLOCK
    assert detector.since_change(state) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": [5]},
        {"counts": [0, 0]},
        {"counts": [1, 2], "level": 1.0},
        {"counts": [1, 2], "dispersion": 0.5},
    ],
)
def test_taxonomies_without_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"taxonomy|baseline"):
        TaxonomyMixture(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tables", "weights"),
    [([], []), ([[1, 1], [1]], [1, 1]), ([[1, 1]], [0]), ([[1, -1]], [1]), ([[1, math.inf]], [1])],
)
def test_tables_without_sense_are_refused(tables: list[list[float]], weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"tables|weight|e-value"):
        TableMixture(tables=tables, weights=weights)
