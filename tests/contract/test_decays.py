"""What every shape of decay keeps, whatever the shape."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.decay import BUCKETS, Decay, Fading, HalfLife, Lasts, Linear, Steps

DAY = 86400.0
DECAYS: list[Decay] = [
    HalfLife(7 * DAY),
    HalfLife(3600.0),
    Linear(30 * DAY),
    Steps([(7 * DAY, 1.0), (30 * DAY, 0.5), (60 * DAY, 0.1)]),
    Lasts(14 * DAY),
]
T0 = 1_770_000_000.0

decays = pytest.mark.parametrize("decay", DECAYS, ids=lambda decay: f"{type(decay).__name__}-{decay.words()}")
events = st.lists(
    st.tuples(st.floats(0, 90 * DAY).map(lambda age: T0 + age), st.sampled_from([1.0, 2.0, 0.5])), max_size=60
)


def remembered(decay: Decay, entries: list[tuple[float, float]]) -> Fading:
    memory = Fading()
    for at, units in entries:
        decay.add(memory, at, units)
    return memory


@decays
@given(entries=events, order=st.randoms(use_true_random=False), later=st.floats(0, 200 * DAY))
def test_order_of_arrival_changes_nothing(
    decay: Decay, entries: list[tuple[float, float]], order: object, later: float
) -> None:
    shuffled = list(entries)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    now = T0 + 90 * DAY + later
    assert decay.value(remembered(decay, entries), now) == pytest.approx(
        decay.value(remembered(decay, shuffled), now), rel=1e-9, abs=1e-9
    )


@decays
@given(entries=events, later=st.floats(0, 100 * DAY))
def test_the_value_is_the_sum_of_the_shares(
    decay: Decay, entries: list[tuple[float, float]], later: float
) -> None:
    now = T0 + 90 * DAY + later
    value = decay.value(remembered(decay, entries), now)
    exact = sum(units * decay.share(now - at) for at, units in entries)
    if math.isinf(decay.lifespan_s):
        assert value == pytest.approx(exact, rel=1e-9, abs=1e-9)
    else:  # within one bucket: each event counts from the start of its own
        bucket = decay.lifespan_s / BUCKETS
        low = sum(units * decay.share(now - at + bucket) for at, units in entries)
        assert low - 1e-9 <= value <= exact + 1e-9


@decays
def test_a_share_begins_at_one_and_never_rises(decay: Decay) -> None:
    shares = [decay.share(age * 3600.0) for age in range(24 * 100)]
    assert shares[0] == 1.0
    assert all(later <= earlier for earlier, later in itertools.pairwise(shares))


@decays
@given(entries=events, now=st.floats(90, 150), later=st.floats(0, 200))
def test_the_envelope_bounds_all_later_values(
    decay: Decay, entries: list[tuple[float, float]], now: float, later: float
) -> None:
    factor, half_life_s = decay.envelope
    memory = remembered(decay, entries)
    at = T0 + now * DAY
    bound = factor * decay.value(memory, at) * 2 ** (-later * DAY / half_life_s)
    # a bucket's event is older than it counts as, by less than a bucket
    slack = 2 ** (half_life_s / BUCKETS / half_life_s)
    assert decay.value(memory, at + later * DAY) <= bound * slack + 1e-9


@decays
def test_memory_is_bounded(decay: Decay) -> None:
    memory = Fading()
    for hour in range(24 * 400):
        decay.add(memory, T0 + hour * 3600.0, 1.0)
    assert len(msgspec.msgpack.encode(memory)) < 8000


@decays
@given(entries=events)
def test_a_round_trip_through_the_store_changes_nothing(
    decay: Decay, entries: list[tuple[float, float]]
) -> None:
    memory = remembered(decay, entries)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=Fading)
    now = T0 + 120 * DAY
    assert decay.value(again, now) == decay.value(memory, now)


@decays
@given(one=events, other=events, factor=st.sampled_from([1.0, 0.5, -1.0]))
def test_merging_adds(
    decay: Decay, one: list[tuple[float, float]], other: list[tuple[float, float]], factor: float
) -> None:
    now = T0 + 91 * DAY
    into = remembered(decay, one)
    before = decay.value(into, now)
    decay.merge(into, remembered(decay, other), factor)
    added = decay.value(remembered(decay, other), now)
    assert decay.value(into, now) == pytest.approx(before + factor * added, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: HalfLife(0), lambda: Linear(-1), lambda: Steps([]), lambda: Lasts(0)]
)
def test_nothing_fades_in_no_time(make: object) -> None:
    with pytest.raises(ValueError, match=r"positive|at least"):
        make()  # type: ignore[operator]
