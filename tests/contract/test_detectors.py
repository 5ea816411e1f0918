"""Every detector of the catalogue keeps the contract; and a check that is broken says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from detectors.catalogue import DETECTORS
from detectors.checks import (
    DETECTOR_CHECKS,
    Broken,
    DetectorExample,
    detector_is_silent_without_a_change,
    detector_keeps_nothing_itself,
    detector_refuses_what_cannot_be,
)
from detectors.sequential.bernoulli_mixture import BernoulliMixture, MixtureState

EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, detector in DETECTORS.items()
    for number, example in enumerate(detector.examples())
]


@pytest.mark.parametrize("check", DETECTOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("example", EXAMPLES)
def test_contract(example: DetectorExample, check: Callable[[DetectorExample], None]) -> None:
    check(example)


class KeepsItsOwnCount(BernoulliMixture):
    seen = 0

    def update(self, state: MixtureState, value: float, at: float) -> None:
        self.seen += 1
        if value in (0, 1) and self.seen % 2:
            super().update(state, value, at)


class TakesAnything(BernoulliMixture):
    def update(self, state: MixtureState, value: float, at: float) -> None:
        super().update(state, 1.0 if value else 0.0, 0.0)


class AlwaysSure(BernoulliMixture):
    def statistic(self, state: Any) -> float:
        return 1e12


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (KeepsItsOwnCount, detector_keeps_nothing_itself),
        (TakesAnything, detector_refuses_what_cannot_be),
        (AlwaysSure, detector_is_silent_without_a_change),
    ],
)
def test_a_detector_that_breaks_a_rule_is_found(
    broken: type[BernoulliMixture], check: Callable[[DetectorExample], None]
) -> None:
    with pytest.raises(Broken):
        check(broken.examples()[0])
