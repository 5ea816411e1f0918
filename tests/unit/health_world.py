"""Sources as data.health hears of them, hour by hour: a week's rhythm, chance, growth, and what falls ill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from detectors.health.data_health import DataHealth, HealthState
from detectors.health.fields import BUCKETS, SKETCH_BITS
from detectors.health.tally import HOUR_MEASURE, SIGNAL, TICK_MEASURE
from schemas.alerts import DataHealthAlert
from schemas.duration import DAY, HOUR
from schemas.observations import Observation

START = 19_723 * DAY
"""Monday, 1 January 2024."""
CRM = {"type": "crm.stage_changed", "source": "/crm"}
TRACKER = {"type": "product.event", "source": "/web"}
DESK = {"type": "support.ticket", "source": "/desk"}

Rate = Callable[[int, int], float]
"""(day, hour of the day) -> expected events"""


def office(a_day: float) -> Rate:
    """Monday to Friday, 8 to 18."""
    return lambda day, hour: a_day / 10 if day % 7 < 5 and 8 <= hour < 18 else 0.0


def around_the_clock(a_day: float) -> Rate:
    """More by day, 40 % less at weekends, never nothing."""
    return lambda day, hour: a_day / 24 * (1.6 if 8 <= hour < 20 else 0.4) * (0.6 if day % 7 >= 5 else 1.0)


def tick(at: float) -> Observation:
    return Observation(
        signal=SIGNAL, measure=TICK_MEASURE, at=at, began=at - HOUR, value=0.0, account="", known=at
    )


def told(source: dict[str, str], at: float, n: int, **counts: list[int]) -> Observation:
    """``n`` events of a source in the hour that ends at ``at``. ``counts``: as the tally has them, ``_`` for the point."""
    given = {name.replace("_", ".", 1): numbers for name, numbers in counts.items()}
    return Observation(
        signal=SIGNAL,
        measure=HOUR_MEASURE,
        at=at,
        began=at - HOUR,
        value=float(n),
        account="",
        known=at,
        segments=source,
        counts={"seen": [n, 0, 0, 0]} | given,
    )


def hours(
    days: int, seed: int, *makers: Callable[[np.random.Generator, int, int, float], Observation | None]
) -> Iterator[Observation]:
    """What the makers (draw, day, hour, end of the hour) tell of each hour, with a tick where that is nothing."""
    draw = np.random.default_rng(seed)
    for day in range(days):
        for hour in range(24):
            at = START + day * DAY + (hour + 1) * HOUR
            found = [each for make in makers if (each := make(draw, day, hour, at)) is not None]
            yield from found or [tick(at)]


def source(
    name: dict[str, str],
    rate: Rate,
    *,
    silent: Callable[[int, int], bool] = lambda day, hour: False,
    growth_a_year: float = 1.0,
    counts: Callable[[np.random.Generator, int, int], dict[str, list[int]]] = lambda draw, n, day: {},
) -> Callable[[np.random.Generator, int, int, float], Observation | None]:
    """Poisson counts around ``rate``; days differ by a tenth."""
    days: dict[int, float] = {}

    def make(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        if day not in days:
            days[day] = float(draw.gamma(100, 0.01)) * growth_a_year ** (day / 365)
        n = 0 if silent(day, hour) else int(draw.poisson(rate(day, hour) * days[day]))
        return told(name, at, n, **counts(draw, n, day)) if n else None

    return make


def spread_over(draw: np.random.Generator, n: int, weights: list[float]) -> list[int]:
    """``n`` values over the buckets, the first of which have these weights."""
    shares = np.zeros(BUCKETS)
    shares[: len(weights)] = weights
    return [int(each) for each in draw.multinomial(n, shares / shares.sum())]


def copies(draw: np.random.Generator, n: int, times: int) -> dict[str, list[int]]:
    """``n`` events that tell of n / times different things."""
    bits = draw.integers(0, SKETCH_BITS, max(1, n // times))
    return {"named": [n], "bits": sorted({int(each) for each in bits})}


NEEDS = {
    "slg.hedged_language": {"crm.stage_changed": frozenset({"note", "owner_id"})},
    "plg.adoption_breadth": {"product.event": frozenset({"feature"})},
    "plg.ticket_comprehension": {"support.ticket": frozenset({"category"})},
}
HEALTH = DataHealth(NEEDS)
CHANGE = 120


def heard(observations: Iterable[Observation]) -> tuple[HealthState, list[DataHealthAlert]]:
    state = HEALTH.new_state()
    return state, [alert for each in observations for alert in HEALTH.step(state, each)]


def day_of(alert: DataHealthAlert) -> float:
    return (alert.at.timestamp() - START) / DAY
