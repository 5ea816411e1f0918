"""The product's releases, every few weeks, with the firm's own measure of complexity."""

from __future__ import annotations

from numpy.random import Generator

from schemas.events import ProductReleasedData
from streams.simulation.calendar import DAY_S, Calendar
from streams.simulation.happenings import LAUNCHED, Happenings
from streams.simulation.levers import Levers
from streams.simulation.scenario import Scenario
from streams.simulation.usage import FEATURES
from streams.simulation.wire import Lines, release, utc


def publish(
    scenario: Scenario,
    calendar: Calendar,
    levers: Levers,
    happenings: Happenings,
    draw: Generator,
    lines: Lines,
) -> None:
    """Adds all releases of the history."""
    number = 0
    second = calendar.start + int(draw.random() * scenario.release_every * DAY_S)
    while second < calendar.end:
        number += 1
        mean = scenario.release_complexity * levers.factor("release_complexity", second)
        complexity = min(10, max(1, round(mean + 1.2 * float(draw.standard_normal()))))
        count = int(draw.random() * 3)
        features = [
            FEATURES[each] for each in sorted(draw.choice(len(FEATURES), count, replace=False).tolist())
        ]
        data = ProductReleasedData(
            release=f"{utc(second).year}.{number}", complexity=complexity, features=features
        )
        lines.add_event(second, release(number, second, data))
        second += int((0.6 + 0.8 * float(draw.random())) * scenario.release_every * DAY_S)
    for launch in happenings.of("feature_launched"):
        number += 1
        begun = happenings.starts(launch)
        data = ProductReleasedData(
            release=f"{utc(begun).year}.{number}",
            complexity=round(scenario.release_complexity),
            features=[LAUNCHED],
        )
        lines.add_event(begun, release(number, begun, data))
